//! The consumer's task: lists, watches, and decides what is believed.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use super::{
    cache::Cache,
    clocks,
    deletions::Deletions,
    published::{KindReport, Published, Reason, Report},
    upstream::{Loss, Upstream},
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
/// An order of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// List the store again.
    List,
    /// Take the store as it is: list it again, and believe what is there.
    Believe,
}

/// Reason why watching came to its end.
pub(super) enum End {
    /// A new list is needed.
    List,
    /// A watch from where the last one was will do.
    Watch,
    /// The daemon is gone.
    Closed,
}

pub(super) struct Engine<U> {
    pub(super) upstream: U,
    pub(super) cache: Cache,
    pub(super) base: PathBuf,
    pub(super) deletions: Deletions,
    pub(super) out: watch::Sender<Published>,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    pub(super) report: Report,
    /// The highest revision that was seen.
    pub(super) position: Option<u64>,
    /// Since when the content of a store that went back is the same.
    pub(super) settled: Option<(Cache, Instant)>,
    /// Whether the next list is believed, whatever it says.
    pub(super) believes: bool,
    /// Whether the next list only looks for what watches lost.
    pub(super) is_slow_list: bool,
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

    async fn list_unless(&mut self, is_resumed: bool) -> Result<bool, Loss> {
        match is_resumed {
            true => Ok(true),
            false => self.list().await,
        }
    }

    /// Waits, but not beyond an order.
    pub(super) async fn pause(&mut self, duration: Duration) {
        tokio::select! {
            () = sleep(duration) => {}
            Some(order) = self.orders.recv() => self.believes |= order == Order::Believe,
        }
    }

    /// Publishes that the store was lost.
    pub(super) fn lose(&self, loss: &Loss) {
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
    pub(super) fn alive(&mut self) {
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
    pub(super) fn distrust(&self, reason: Reason) {
        let report = self.report();
        self.out.send_modify(|published| {
            published.obstacle = Some(reason);
            published.report = report;
        });
    }

    /// Publishes the content.
    pub(super) fn publish(&self) {
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
