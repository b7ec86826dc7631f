//! Watches of a store: what they yield, and how they end.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use super::{
    clocks,
    engine::{End, Engine, Order},
    published::Reason,
    upstream::{Change, Loss, Step, Upstream},
};
use crate::model::Kind;

/// A watch that says nothing for this long is taken for lost (spec DS-068, DS-149).
const SILENCE: Duration = Duration::from_secs(15);
/// After a watch that ended sooner than this, the next one waits.
const BRIEF: Duration = Duration::from_secs(1);
/// Most steps that are taken before what they changed is published.
const BURST: usize = 10_000;

impl<U: Upstream> Engine<U> {
    /// Watches until that comes to its end.
    pub(super) async fn follow(&mut self) -> End {
        if let Err(loss) = self.upstream.watch(&self.cache.resume).await {
            return self.end(loss).await;
        }
        self.alive();
        if self.cache.is_ready {
            self.publish();
        }
        let begun = Instant::now();
        let slow_list = begun + clocks::until_slow_list();
        loop {
            if let Some(end) = self.obey() {
                return end;
            }
            if Instant::now() >= slow_list {
                self.is_slow_list = true;
                return End::List;
            }
            let step = tokio::select! {
                step = timeout(SILENCE, self.upstream.next()) => step,
                order = self.orders.recv() => match order {
                    Some(order) => {
                        self.believes |= order == Order::Believe;
                        return End::List;
                    }
                    None => return End::Closed,
                },
            };
            let step = match step {
                Ok(Ok(step)) => step,
                Ok(Err(loss)) => {
                    if begun.elapsed() < BRIEF {
                        self.pause(clocks::until_probe()).await;
                    }
                    return self.end(loss).await;
                }
                Err(_) => {
                    let text = format!("no sign of life for {} s", SILENCE.as_secs());
                    return self.end(Loss::Unreachable(text)).await;
                }
            };
            if let Err(end) = self.take_burst(step).await {
                return end;
            }
        }
    }

    /// Takes a step, and those that are there already, and publishes what they change.
    async fn take_burst(&mut self, first: Step) -> Result<(), End> {
        self.alive();
        let mut next = Some(first);
        let mut changes = Vec::new();
        let mut loss = None;
        for _ in 0..BURST {
            match next.take() {
                Some(Step::Changes {
                    kind,
                    changes: more,
                    resume,
                }) => {
                    changes.extend(more);
                    if let Some(resume) = resume {
                        self.reached(kind, resume);
                    }
                }
                Some(Step::Progress { kind, resume }) => self.reached(kind, resume),
                Some(Step::Alive) => {}
                None => break,
            }
            match self.upstream.next().now_or_never() {
                Some(Ok(step)) => next = Some(step),
                Some(Err(end)) => {
                    loss = Some(end);
                    break;
                }
                None => break,
            }
        }
        self.take(changes).await?;
        match loss {
            Some(loss) => Err(self.end(loss).await),
            None => Ok(()),
        }
    }

    /// Notes where a kind is watched from.
    fn reached(&mut self, kind: Kind, resume: String) {
        if let Ok(position) = resume.parse::<u64>() {
            self.position = self.position.max(Some(position));
        }
        self.cache.resume.insert(kind, resume);
    }

    /// Applies changes, if the deletions among them are to be believed.
    async fn take(&mut self, changes: Vec<Change>) -> Result<(), End> {
        if changes.is_empty() {
            return Ok(());
        }
        let doubtful = self.doubtful(&changes);
        for kind in doubtful {
            match self.upstream.is_served(kind).await {
                Ok(true) => {
                    if self.deletions.is_mass(kind) {
                        log::warn!(
                            "many objects of {kind} were deleted from the store; it is \
                                    still served, so that goes into force"
                        );
                    }
                }
                Ok(false) => {
                    self.distrust(Reason::Vanished(kind));
                    self.pause(clocks::until_probe()).await;
                    return Err(End::List);
                }
                Err(loss) => return Err(self.relist(&loss).await),
            }
        }
        let was_ready = self.cache.is_ready;
        let mut is_changed = false;
        for change in changes {
            is_changed |= self.cache.apply(change);
        }
        if !self.cache.is_ready {
            self.distrust(Reason::NotReady);
            return Ok(());
        }
        if !was_ready {
            // Whatever was missed meanwhile (spec DS-092).
            return Err(End::List);
        }
        if is_changed {
            self.publish();
        }
        Ok(())
    }

    /// The kinds to look at before their deletions are believed.
    fn doubtful(&mut self, changes: &[Change]) -> BTreeSet<Kind> {
        let put: HashSet<_> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Put(seen) => Some(&seen.id),
                Change::Deleted { .. } => None,
            })
            .collect();
        let mut deleted: BTreeMap<Kind, HashSet<_>> = BTreeMap::new();
        for change in changes {
            if let Change::Deleted { id, .. } = change
                && !put.contains(id)
            {
                deleted.entry(id.kind).or_default().insert(id);
            }
        }
        let now = Instant::now();
        // The ready flag tells of ClusterInformation.
        deleted.remove(&Kind::ClusterInformation);
        let looked = deleted.into_iter().filter(|(kind, ids)| {
            let left = self.cache.count(*kind).saturating_sub(ids.len());
            self.deletions.note(*kind, ids.len(), left, now)
        });
        looked.map(|(kind, _)| kind).collect()
    }

    /// Waits as long as a loss demands; returns how to go on.
    async fn end(&mut self, loss: Loss) -> End {
        match loss {
            Loss::Ended(_) => End::Watch,
            Loss::Expired(kind) => {
                log::info!("the store's history of {kind} is gone; it is listed again");
                self.spread().await;
                End::List
            }
            Loss::WentBack | Loss::NotServed(_) => {
                self.lose(&loss);
                End::List
            }
            Loss::TooMany(wanted) => {
                self.lose(&loss);
                self.pause(clocks::until_retry(0, wanted)).await;
                End::Watch
            }
            Loss::Unreachable(_) | Loss::Unauthorized(_) => {
                self.lose(&loss);
                self.wait_for_the_store().await;
                End::Watch
            }
        }
    }

    /// A list, after a loss while something was in doubt.
    async fn relist(&mut self, loss: &Loss) -> End {
        self.lose(loss);
        self.wait_for_the_store().await;
        End::List
    }

    /// Looks from time to time whether the store answers, until it does.
    pub(super) async fn wait_for_the_store(&mut self) {
        while let Err(loss) = self.upstream.probe().await {
            self.lose(&loss);
            self.pause(clocks::until_probe()).await;
            if self.out.is_closed() {
                return;
            }
        }
        self.alive();
    }

    /// Waits a random time that grows with the number of hosts.
    pub(super) async fn spread(&mut self) {
        let hosts = self.cache.count(Kind::HostEndpoint);
        self.pause(clocks::until_list(hosts)).await;
    }

    /// Takes an order, if there is one.
    fn obey(&mut self) -> Option<End> {
        match self.orders.try_recv() {
            Ok(order) => {
                self.believes |= order == Order::Believe;
                Some(End::List)
            }
            Err(mpsc::error::TryRecvError::Empty) => None,
            Err(mpsc::error::TryRecvError::Disconnected) => Some(End::Closed),
        }
    }
}
