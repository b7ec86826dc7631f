//! A store of objects as the daemon's source of policy.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    cache::Cache,
    engine::{Engine, Order},
    published::{Published, Reason, Report},
    upstream::Upstream,
};
use crate::store::{Distrust, Found, Later, PolicySet, Source, StoreError, WriteError};

/// How long the first read waits for the store.
const FIRST_ANSWER: Duration = Duration::from_secs(5);

/// Follows a store of objects.
pub struct Follow<U> {
    /// The parts of the task, until it begins.
    idle: Option<Idle<U>>,
    published: watch::Receiver<Published>,
    orders: mpsc::UnboundedSender<Order>,
    /// The content of the last read.
    content: PolicySet,
    was_read: bool,
}

struct Idle<U> {
    upstream: U,
    base: PathBuf,
    out: watch::Sender<Published>,
    orders: mpsc::UnboundedReceiver<Order>,
}

impl<U: Upstream> Follow<U> {
    /// A store that is shown as `base`. It is asked when it is used first.
    pub fn new(upstream: U, base: PathBuf) -> Self {
        let content = PolicySet {
            base: base.clone(),
            files: Vec::new(),
            resume: None,
        };
        let (out, published) = watch::channel(Published {
            content: Arc::new(content.clone()),
            obstacle: Some(Reason::Starting),
            report: Report::default(),
        });
        let (sender, orders) = mpsc::unbounded_channel();
        Self {
            idle: Some(Idle {
                upstream,
                base,
                out,
                orders,
            }),
            published,
            orders: sender,
            content,
            was_read: false,
        }
    }

    /// Begins to follow the store.
    fn begin(&mut self) {
        let Some(idle) = self.idle.take() else { return };
        let mut cache = Cache::new(idle.upstream.name());
        cache.assume(&self.content, |key| idle.upstream.id(key));
        let engine = Engine::new(idle.upstream, cache, idle.base, idle.out, idle.orders);
        tokio::spawn(engine.run());
    }

    /// Waits for the first answer of the store.
    async fn first_answer(&mut self) {
        let answered = self
            .published
            .wait_for(|published| published.obstacle != Some(Reason::Starting));
        // Late is as good as never: the reason is published by then.
        drop(timeout(FIRST_ANSWER, answered).await);
    }

    async fn read_now(&mut self) -> Found {
        self.begin();
        if !self.was_read {
            self.first_answer().await;
        }
        let published = self.published.borrow_and_update().clone();
        match published.obstacle {
            None => {}
            Some(
                reason @ (Reason::Starting | Reason::Unreachable(_) | Reason::Unauthorized(_)),
            ) => {
                return Found::Unreadable(StoreError::Objects(reason));
            }
            Some(reason) => return Found::Untrusted(Distrust::Objects(reason)),
        }
        let is_first = !std::mem::replace(&mut self.was_read, true);
        if !is_first && self.content.is_same(&published.content) {
            return Found::Unchanged;
        }
        self.content = PolicySet::clone(&published.content);
        Found::Changed(self.content.clone())
    }
}

impl<U: Upstream> Source for Follow<U> {
    fn changed(&mut self) -> Later<'_, ()> {
        Box::pin(async {
            self.begin();
            if self.published.changed().await.is_err() {
                std::future::pending().await
            }
        })
    }

    fn read(&mut self) -> Later<'_, Found> {
        Box::pin(self.read_now())
    }

    fn content(&self) -> &PolicySet {
        &self.content
    }

    fn assume(&mut self, content: PolicySet) {
        self.content = content;
    }

    fn report(&self) -> Option<Report> {
        let published = self.published.borrow();
        let mut report = published.report.clone();
        let state = published.obstacle.as_ref().map_or("in-sync", Reason::word);
        state.clone_into(&mut report.state);
        Some(report)
    }

    fn forget(&mut self) {
        self.was_read = false;
        // Without the task there is nothing to list.
        self.orders.send(Order::List).ok();
    }

    fn believe(&mut self) {
        self.was_read = false;
        self.orders.send(Order::Believe).ok();
    }

    fn adopt(&self, policy: &PolicySet) -> PolicySet {
        policy.clone()
    }

    fn may_write(&self, _policy: &PolicySet) -> Result<(), WriteError> {
        // A confirmed policy stays in force, and is frozen; nothing is written.
        Ok(())
    }

    fn write(&mut self, _policy: &PolicySet) -> Result<(), WriteError> {
        Err(WriteError::Objects)
    }
}
