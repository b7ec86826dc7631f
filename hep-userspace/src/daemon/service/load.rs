//! Loads the store's content, as a whole or not at all.

use tokio::time::Instant;

use super::{
    super::{
        DaemonError,
        clock::unix_ms,
        mode::{Basis, Event, Frozen, Mode},
        state::{Cause, Entry},
        summary::chain,
    },
    commit::CommitTarget,
    daemon::Daemon,
    follower::Judged,
};
use crate::store::PolicySet;

impl Daemon {
    /// The first load. Enforces the first of these that there is: the policy of a panic or trial in the
    /// journal; the store's content, unless an earlier policy is frozen; the last good policy. Without any,
    /// what is pinned stays in force; without that, nothing is attached (spec RS-006).
    pub(super) async fn first_load(&mut self) -> Result<(), DaemonError> {
        let is_panic = self.state.journal().mode.panic().is_some();
        if is_panic {
            log::warn!("panic: only failsafes and established flows pass until `hep resume`");
        }
        self.enforcer.reconciler.set_panic(is_panic);
        self.resume_trial();
        self.finish_install();
        let is_decided = is_panic || self.state.journal().mode.trial().is_some();
        let refusal = if is_decided || self.follower.source.is_none() {
            None
        } else {
            match self.follow_at_start().await {
                Ok(true) => return Ok(()),
                Ok(false) => None,
                Err(refusal) => Some(refusal),
            }
        };
        self.continue_with_the_last(refusal).await?;
        // The trial may have ended during the load.
        self.end_trial_if_over().await;
        if is_decided {
            self.refresh_store().await;
        }
        Ok(())
    }

    /// Follows the store unless an earlier policy is frozen; returns whether its policy is in force.
    async fn follow_at_start(&mut self) -> Result<bool, DaemonError> {
        let started = Instant::now();
        // Files that are being written now are taken from the last policy.
        let frozen = self.state.journal().mode.frozen().cloned();
        if frozen.is_none()
            && let Some((_, last)) = self.state.head()
        {
            self.follower.assume(last);
        }
        let changed = self.follower.read().await?;
        let Some(source) = &self.follower.source else {
            return Ok(false);
        };
        let policy = changed.unwrap_or_else(|| source.content().clone());
        if let Some(frozen) = frozen
            && !self.ends_frozen(&frozen, &policy)
        {
            log::warn!(
                "the policy directory is not followed: generation {} was brought back; it is \
                 followed when its content changes, or after `hep resume`",
                frozen.generation
            );
            return Ok(false);
        }
        self.load(policy, Cause::Store, started).await?;
        Ok(true)
    }

    /// Whether `policy`, the store's content, ends the freeze; records the content if none is recorded yet.
    fn ends_frozen(&mut self, frozen: &Frozen, policy: &PolicySet) -> bool {
        let found = policy.checksum();
        let head = self.state.journal().head();
        let in_force = head.map(|head| head.checksum.as_str());
        let ends = frozen.ends_with(&found, in_force);
        if frozen.overrides.is_none() {
            self.note("the content that is overridden", |journal| {
                journal.change(Event::Override(found));
            });
        }
        ends
    }

    /// Continues with the last policy in force, or an earlier one if that is damaged; `refusal` is the
    /// reason why the store is not followed.
    async fn continue_with_the_last(
        &mut self,
        refusal: Option<DaemonError>,
    ) -> Result<(), DaemonError> {
        let refused = self.follower.refused.take();
        let journal = self.state.journal();
        let trial = journal.mode.trial();
        let tried = trial.and_then(|trial| journal.entry(trial.generation?));
        let candidates: Vec<Entry> = tried.into_iter().chain(journal.good()).cloned().collect();
        // A generation in force that was never recorded is later than every recorded one.
        let left = self.enforcer.reconciler.left_in_force();
        let newest = journal.entries.last();
        let is_known = newest.is_some_and(|newest| left <= Some(newest.generation));
        let is_left = refusal.is_some() && !is_known;
        for entry in candidates.into_iter().filter(|_| !is_left) {
            if self.bring_back(&entry).await {
                if refusal.is_some() {
                    log::warn!(
                        "starting with the last good policy, generation {}",
                        entry.generation
                    );
                }
                self.follower.refused = refused;
                // Until the store is fixed, its problems are the ones to report.
                if let Some(DaemonError::Invalid(problems)) = &refusal {
                    self.reporter.replace_problems(problems);
                }
                return Ok(());
            }
        }
        self.follower.refused = refused;
        if left.is_some() {
            log::warn!("the policy that a former daemon left stays in force");
            return Ok(());
        }
        let is_away = matches!(
            refusal,
            Some(DaemonError::Store(_) | DaemonError::Untrusted(_) | DaemonError::CutsStore(_))
        );
        if is_away && self.options.role.is_awaited() {
            log::warn!(
                "there is no earlier policy; nothing is enforced until the store can be followed"
            );
            return Ok(());
        }
        Err(refusal.unwrap_or(DaemonError::NoPolicy))
    }

    /// Brings an earlier policy into force; returns whether that succeeded.
    pub(super) async fn bring_back(&mut self, entry: &Entry) -> bool {
        let generation = entry.generation;
        let policy = match self.state.policy(entry) {
            Ok(policy) => policy,
            Err(error) => {
                log::warn!("generation {generation} is skipped: {}", chain(&error));
                return false;
            }
        };
        let mut target = CommitTarget::Known(generation);
        if let Err(error) = self
            .judge_and_enforce(&policy, &mut target, Instant::now())
            .await
        {
            log::error!("generation {generation}: {}", chain(&error));
            return false;
        }
        self.note("what is in force", |journal| {
            journal.in_force = Some(generation)
        });
        true
    }

    /// Reads the store, and follows what changed.
    pub(super) async fn refresh_store(&mut self) {
        let started = Instant::now();
        // Errors are logged and reported; the policy in force stays.
        if let Ok(Some(policy)) = self.follower.read().await {
            self.follow(policy, started).await;
        }
    }

    /// Follows a change of the store, or keeps it as pending.
    async fn follow(&mut self, policy: PolicySet, started: Instant) {
        let frozen = match &self.state.journal().mode {
            Mode::Panic(_) => return self.wait_with(policy, "panic"),
            Mode::Calm(Basis::Trial(_)) => return self.wait_with(policy, "trial"),
            Mode::Calm(Basis::Frozen(frozen)) => Some(frozen.clone()),
            Mode::Calm(Basis::Following) => None,
        };
        if let Some(frozen) = frozen {
            if !self.ends_frozen(&frozen, &policy) {
                return;
            }
            log::info!("the policy directory changed and is followed again");
        }
        if let Err(error) = self.load(policy, Cause::Store, started).await {
            log::error!("{}; the policy in force stays", chain(&error));
        }
    }

    /// Keeps a change of the store until `what` is over, unless the content is again the one followed last.
    fn wait_with(&mut self, policy: PolicySet, what: &str) {
        if self.followed_checksum() == Some(policy.checksum()) {
            self.follower.pending = None;
        } else {
            log::warn!("the policy directory changed; it is followed when the {what} is over");
            self.follower.pending = Some(policy);
        }
    }

    /// Checksum of the store's content when it was last followed, or overridden.
    fn followed_checksum(&self) -> Option<String> {
        let journal = self.state.journal();
        match journal.mode.basis() {
            Basis::Trial(trial) => Some(trial.store.clone()),
            Basis::Frozen(frozen) => frozen.overrides.clone(),
            Basis::Following => journal.head().map(|head| head.checksum.clone()),
        }
    }

    /// Follows the pending change, if any.
    pub(super) async fn follow_pending(&mut self) {
        if let Some(policy) = self.follower.pending.take() {
            self.follow(policy, Instant::now()).await;
        }
    }

    /// Validates a policy, brings it into force as a whole or not at all, and records it, and that the store
    /// is followed.
    pub(super) async fn load(
        &mut self,
        policy: PolicySet,
        cause: Cause,
        started: Instant,
    ) -> Result<(), DaemonError> {
        let comparison = self.compare(policy.clone(), cause);
        let mut judged = self.follower.judge(&policy, started);
        if cause == Cause::Store && policy.is_of_objects() {
            self.hold_if_it_cuts_the_store(&judged).await?;
        }
        let comparison = match judged.recorded.take() {
            Some(recorded) => self.compare(recorded, cause),
            None => comparison,
        };
        let mut target = comparison.await.expect("comparing does not panic");
        self.enforce_judged(judged, &mut target).await?;
        self.keep(target, &policy.base);
        Ok(())
    }

    /// Refuses a policy that would cut this host from its own store.
    async fn hold_if_it_cuts_the_store(&mut self, judged: &Judged) -> Result<(), DaemonError> {
        let Some(snapshot) = &judged.loaded.snapshot else {
            return Ok(());
        };
        let Some(objection) = self.store_objection(snapshot).await else {
            return Ok(());
        };
        let outcome = Err(DaemonError::CutsStore(objection));
        self.follower.note_refusal(&outcome);
        outcome
    }

    async fn judge_and_enforce(
        &mut self,
        policy: &PolicySet,
        target: &mut CommitTarget,
        started: Instant,
    ) -> Result<(), DaemonError> {
        let judged = self.follower.judge(policy, started);
        self.enforce_judged(judged, target).await
    }

    /// Brings a policy into force if it is valid; notes the reason if it is not, or if that fails.
    async fn enforce_judged(
        &mut self,
        judged: Judged,
        target: &mut CommitTarget,
    ) -> Result<(), DaemonError> {
        self.reporter
            .update(|report| report.last_load_unix_ms = unix_ms());
        if judged.loaded.snapshot.is_none() {
            self.reporter.problems(&judged.loaded.problems);
        }
        let outcome = self.enforce(judged, target).await;
        self.follower.note_refusal(&outcome);
        outcome
    }

    /// Finishes the install of a confirmed policy that a previous daemon began.
    fn finish_install(&mut self) {
        let journal = self.state.journal();
        let entry = journal.installing.and_then(|it| journal.entry(it)).cloned();
        let (Some(entry), Some(source)) = (entry, &mut self.follower.source) else {
            return;
        };
        let policy = match self.state.policy(&entry) {
            Ok(policy) => policy,
            Err(error) => {
                log::error!("put the confirmed policy in place: {}", chain(&error));
                return;
            }
        };
        match source.write(&policy) {
            Ok(()) => self.note("the policy's place", |journal| journal.installing = None),
            Err(error) => log::error!("put the confirmed policy in place: {}", chain(&error)),
        }
    }

    /// Reports the problems of the policy in force, with warnings that depend on this host's present state;
    /// those of a refused policy stay.
    pub(super) fn report_problems(&self) {
        if self.follower.refused.is_none()
            && let Some(problems) = self.enforcer.problems()
        {
            self.reporter.problems(&problems);
        }
    }
}
