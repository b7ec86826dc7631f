//! Rollbacks to an earlier policy.

use super::{
    super::{
        clock::unix_ms,
        control::{Answer, Caller},
        mode::Frozen,
        state::{Cause, Entry, PendingPolicy},
        summary::chain,
    },
    commit::CommitTarget,
    daemon::Daemon,
    requests::IS_PANIC,
};

impl Daemon {
    pub(super) async fn roll_back(&mut self, generation: Option<u32>, caller: &Caller) -> Answer {
        if let Some(trial) = self.state.journal().mode.trial()
            && generation.is_none()
        {
            return self.reject(trial.generation.unwrap_or(0)).await;
        }
        let target = match self.target(generation) {
            Ok(target) => target,
            Err(refusal) => return refusal,
        };
        let policy = match self.state.policy(&target) {
            Ok(policy) => policy,
            Err(error) => return Answer::Failed(chain(&error)),
        };
        let loaded = self.follower.load(&policy);
        let Some(snapshot) = &loaded.snapshot else {
            return Answer::Failed(format!(
                "generation {} is not valid for this version of hep",
                target.generation
            ));
        };
        let warnings = match self.preflight(snapshot, caller).await {
            Ok(warnings) => warnings,
            Err(reasons) => return Answer::Refused(reasons),
        };
        let to = target.generation;
        let head = self.state.head();
        let mut pending = PendingPolicy::after(head.as_ref(), policy, Cause::Rollback { to });
        pending.frozen = self.frozen_at(&target);
        let is_frozen = pending.frozen.is_some();
        let mut commit = CommitTarget::New(pending);
        if let Err(error) = self.enforce(loaded.into(), &mut commit).await {
            return Answer::Failed(format!("the policy in force stays: {}", chain(&error)));
        }
        let generation = self.enforcer.generation();
        if let Err(error) = commit.commit(&mut self.state, generation, |_| {}) {
            return Answer::Failed(format!(
                "generation {to} is back, but that cannot be noted: {}",
                chain(&error)
            ));
        }
        log::warn!("generation {to} was brought back");
        let mut text = format!("generation {to} is back");
        if is_frozen {
            text.push_str(
                "; the policy directory is not followed until its content changes, or until \
                 `hep resume`",
            );
        }
        self.done(text, warnings)
    }

    /// How a policy that is brought back is frozen; not at all if it is the store's content.
    fn frozen_at(&self, target: &Entry) -> Option<Frozen> {
        let overrides = self.follower.checksum();
        (overrides.as_ref() != Some(&target.checksum)).then(|| Frozen {
            since_unix_ms: unix_ms(),
            generation: target.generation,
            overrides,
        })
    }

    /// Rolls back the trial of a generation.
    pub(super) async fn reject(&mut self, generation: u32) -> Answer {
        let trial = self.state.journal().mode.trial();
        if trial.is_none_or(|trial| trial.generation.unwrap_or(0) != generation) {
            return Answer::Failed(format!("generation {generation} is not on trial"));
        }
        match self.end_trial().await {
            Ok(back_to) => {
                log::warn!("the trial was ended: generation {back_to} is back");
                let text = format!("the trial is over: generation {back_to} is back");
                self.done(text, Vec::new())
            }
            Err(error) => Answer::Failed(error),
        }
    }

    /// The journal's entry to roll back to.
    fn target(&self, generation: Option<u32>) -> Result<Entry, Answer> {
        let journal = self.state.journal();
        if journal.mode.panic().is_some() {
            return Err(Answer::Refused(vec![IS_PANIC.to_owned()]));
        }
        if journal.mode.trial().is_some() {
            return Err(Answer::Refused(vec![
                "a policy is on trial; `hep confirm`, or `hep rollback` without a generation, first"
                    .to_owned(),
            ]));
        }
        let target = match generation {
            None => journal
                .previous()
                .ok_or("there is no earlier policy; see `hep history`".to_owned()),
            Some(generation) => journal
                .at(generation)
                .filter(|_known| generation <= self.enforcer.generation())
                .ok_or(format!(
                    "generation {generation} is not kept; see `hep history`"
                )),
        };
        let target = target.map_err(Answer::Failed)?;
        if Some(target.generation) == journal.in_force {
            let generation = target.generation;
            return Err(Answer::Failed(format!(
                "the policy of generation {generation} is in force"
            )));
        }
        Ok(target.clone())
    }
}
