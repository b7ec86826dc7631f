//! Lists of a store, and whether they are believed.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    engine::{Engine, KINDS},
    published::Reason,
    upstream::{Change, Listed, Loss, Upstream},
};
use crate::model::Kind;

/// How long the content of a store that went back has to stay the same (spec DS-321).
const SETTLED: Duration = Duration::from_secs(30);

impl<U: Upstream> Engine<U> {
    /// Whether a watch from where an earlier run was will do, without a list (spec DS-251).
    pub(super) async fn may_resume(&mut self) -> bool {
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

    /// Lists the store, and publishes what is there unless it is not to be believed; returns whether it is in
    /// sync.
    pub(super) async fn list(&mut self) -> Result<bool, Loss> {
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
}
