//! The consumer's task: lists, watches, and decides what is believed.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::FutureExt as _;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    cache::Cache,
    clocks,
    deletions::Deletions,
    published::{KindReport, Published, Reason, Report},
    upstream::{Change, Listed, Loss, Step, Upstream},
};
use crate::model::Kind;

/// The kinds that policy for hosts is made of (spec DS-241).
pub(super) const KINDS: [Kind; 9] = [
    Kind::ClusterInformation,
    Kind::FelixConfiguration,
    Kind::Tier,
    Kind::GlobalNetworkPolicy,
    Kind::StagedGlobalNetworkPolicy,
    Kind::GlobalNetworkSet,
    Kind::HostEndpoint,
    Kind::Profile,
    Kind::Node,
];
/// A watch that says nothing for this long is taken for lost (spec DS-068, DS-149).
const SILENCE: Duration = Duration::from_secs(15);
/// After a watch that ended sooner than this, the next one waits.
const BRIEF: Duration = Duration::from_secs(1);
/// How long the content of a store that went back has to stay the same (spec DS-321).
const SETTLED: Duration = Duration::from_secs(30);
/// Most steps that are taken before what they changed is published.
const BURST: usize = 10_000;

/// An order of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// List the store again.
    List,
    /// Take the store as it is: list it again, and believe what is there.
    Believe,
}

/// Why watching came to its end.
enum End {
    /// A new list is needed.
    List,
    /// A watch from where the last one was will do.
    Watch,
    /// The daemon is gone.
    Closed,
}

pub(super) struct Engine<U> {
    upstream: U,
    cache: Cache,
    base: PathBuf,
    deletions: Deletions,
    out: watch::Sender<Published>,
    orders: mpsc::UnboundedReceiver<Order>,
    report: Report,
    /// The highest revision that was seen.
    position: Option<u64>,
    /// Since when the content of a store that went back is the same.
    settled: Option<(Cache, Instant)>,
    /// Whether the next list is believed, whatever it says.
    believes: bool,
    /// Whether the next list only looks for what watches lost.
    is_slow_list: bool,
}

impl<U: Upstream> Engine<U> {
    pub(super) fn new(
        upstream: U,
        cache: Cache,
        base: PathBuf,
        out: watch::Sender<Published>,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        Self {
            upstream,
            cache,
            base,
            deletions: Deletions::default(),
            out,
            orders,
            report: Report::default(),
            position: None,
            settled: None,
            believes: false,
            is_slow_list: false,
        }
    }

    /// Follows the store until the daemon is gone.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        let mut is_resumed = self.may_resume().await;
        loop {
            if self.out.is_closed() {
                return;
            }
            match self.list_unless(std::mem::take(&mut is_resumed)).await {
                Ok(true) => failures = 0,
                Ok(false) => {
                    self.spread().await;
                    self.pause(clocks::until_probe()).await;
                    continue;
                }
                Err(loss) => {
                    self.lose(&loss);
                    let wanted = if let Loss::TooMany(wanted) = loss {
                        wanted
                    } else {
                        None
                    };
                    self.pause(clocks::until_retry(failures, wanted)).await;
                    failures += 1;
                    self.wait_for_the_store().await;
                    continue;
                }
            }
            loop {
                match self.follow().await {
                    End::List => break,
                    End::Watch => {}
                    End::Closed => return,
                }
            }
        }
    }

    /// Whether a watch from where an earlier run was will do, without a list (spec DS-251).
    async fn may_resume(&mut self) -> bool {
        if self.cache.resume.len() != KINDS.len() {
            return false;
        }
        let listed = match self.upstream.list(&[Kind::ClusterInformation]).await {
            Ok(listed) => listed,
            Err(loss) => {
                self.lose(&loss);
                self.wait_for_the_store().await;
                return false;
            }
        };
        self.alive();
        let resume = self.cache.resume.values();
        self.position = resume.filter_map(|text| text.parse().ok()).max();
        let positions = self.position.zip(listed.position);
        if positions.is_some_and(|(seen, listed)| seen > listed) {
            return false;
        }
        for seen in listed.objects {
            self.cache.apply(Change::Put(seen));
        }
        self.cache.is_ready
    }

    async fn list_unless(&mut self, is_resumed: bool) -> Result<bool, Loss> {
        match is_resumed {
            true => Ok(true),
            false => self.list().await,
        }
    }

    /// Lists the store, and publishes what is there unless it is not to be believed; returns whether it is in
    /// sync.
    async fn list(&mut self) -> Result<bool, Loss> {
        let listed = self.upstream.list(&KINDS).await?;
        self.alive();
        self.report.lists += 1;
        match self.doubt(&listed).await? {
            None => {}
            Some(Reason::NotReady) => {
                // Watched until it is ready; then listed again (spec DS-092).
                self.cache.is_ready = false;
                self.cache.resume = listed.resume;
                self.distrust(Reason::NotReady);
                return Ok(true);
            }
            Some(reason) => {
                self.distrust(reason);
                return Ok(false);
            }
        }
        self.believes = false;
        self.settled = None;
        self.position = listed.position;
        self.cache.resume = listed.resume.clone();
        let mut changed = 0;
        for change in self.cache.difference(listed, &KINDS) {
            changed += u64::from(self.cache.apply(change));
        }
        if std::mem::take(&mut self.is_slow_list) {
            self.report.lost_events += changed;
        }
        self.publish();
        Ok(true)
    }

    /// Reason not to believe what was listed, if any.
    async fn doubt(&mut self, listed: &Listed) -> Result<Option<Reason>, Loss> {
        let mut next = self.cache.clone();
        for change in self.cache.difference(listed.clone(), &KINDS) {
            next.apply(change);
        }
        if !next.is_ready {
            return Ok(Some(Reason::NotReady));
        }
        if self.believes {
            return Ok(None);
        }
        let positions = self.position.zip(listed.position);
        if positions.is_some_and(|(seen, listed)| seen > listed) {
            let now = Instant::now();
            let settled = self.settled.take();
            let (content, since) = settled.unwrap_or_else(|| (next.clone(), now));
            let is_same = content
                .content(&self.base)
                .is_same(&next.content(&self.base));
            let since = if is_same { since } else { now };
            if now.duration_since(since) < SETTLED {
                self.settled = Some((next, since));
                return Ok(Some(Reason::WentBack));
            }
            log::warn!("the store went back to an earlier state, which is followed now");
        }
        for kind in KINDS {
            let (before, after) = (self.cache.count(kind), next.count(kind));
            if before > after && !self.upstream.is_served(kind).await? {
                return Ok(Some(Reason::Vanished(kind)));
            }
            if before > 1 && after == 0 {
                return Ok(Some(Reason::Emptied(kind)));
            }
        }
        Ok(None)
    }

    /// Watches until that comes to its end.
    async fn follow(&mut self) -> End {
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
    async fn wait_for_the_store(&mut self) {
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
    async fn spread(&mut self) {
        let hosts = self.cache.count(Kind::HostEndpoint);
        self.pause(clocks::until_list(hosts)).await;
    }

    /// Waits, but not beyond an order.
    async fn pause(&mut self, duration: Duration) {
        tokio::select! {
            () = sleep(duration) => {}
            Some(order) = self.orders.recv() => self.believes |= order == Order::Believe,
        }
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

    /// Publishes that the store was lost.
    fn lose(&self, loss: &Loss) {
        self.distrust(match loss {
            Loss::Unauthorized(text) => Reason::Unauthorized(text.clone()),
            Loss::Unreachable(text) => Reason::Unreachable(text.clone()),
            Loss::NotServed(kind) => Reason::Vanished(*kind),
            Loss::WentBack => Reason::WentBack,
            Loss::TooMany(_) => Reason::Unreachable("too many requests".to_owned()),
            Loss::Expired(kind) | Loss::Ended(kind) => {
                Reason::Unreachable(format!("the watch of {kind} ended"))
            }
        });
    }

    /// Notes a sign of life.
    fn alive(&mut self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or_default().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.report.contact_unix_ms = now;
        self.out.send_if_modified(|published| {
            published.report.contact_unix_ms = now;
            false
        });
    }

    /// Publishes a reason why the store is not followed.
    fn distrust(&self, reason: Reason) {
        let report = self.report();
        self.out.send_modify(|published| {
            published.obstacle = Some(reason);
            published.report = report;
        });
    }

    /// Publishes the content.
    fn publish(&self) {
        let content = Arc::new(self.cache.content(&self.base));
        let report = self.report();
        self.out.send_modify(|published| {
            published.content = content;
            published.obstacle = None;
            published.report = report;
        });
    }

    fn report(&self) -> Report {
        let counts = self.cache.counts();
        let kinds = KINDS.into_iter().map(|kind| {
            let objects = counts.get(&kind).copied().unwrap_or_default();
            let resume = self.cache.resume.get(&kind).cloned().unwrap_or_default();
            (kind.name().to_owned(), KindReport { objects, resume })
        });
        Report {
            kinds: kinds.collect(),
            ..self.report.clone()
        }
    }
}
