//! `hep resume`: ends a panic, or follows the store again.

use tokio::time::Instant;

use super::{
    super::{
        control::{Answer, Caller},
        mode::{Basis, Event, Mode},
        state::Cause,
        summary::chain,
    },
    daemon::Daemon,
};

impl Daemon {
    pub(super) async fn resume(&mut self, caller: &Caller) -> Answer {
        match &self.state.journal().mode {
            Mode::Panic(_) => self.end_panic().await,
            Mode::Calm(Basis::Following) => {
                self.follower.believe();
                self.refresh_store().await;
                if caller.force && self.follower.refused.is_some() {
                    return self.follow_again(caller).await;
                }
                self.done("the policy directory is followed".to_owned(), Vec::new())
            }
            Mode::Calm(Basis::Trial(_)) => Answer::Refused(vec![
                "a policy is on trial; `hep confirm` or `hep rollback` ends that".to_owned(),
            ]),
            Mode::Calm(Basis::Frozen(_)) => self.follow_again(caller).await,
        }
    }

    /// Follows the store in place of a frozen policy.
    async fn follow_again(&mut self, caller: &Caller) -> Answer {
        self.refresh_store().await;
        let Some(source) = &self.follower.source else {
            self.note("the end of a rollback", |journal| {
                journal.change(Event::Follow);
            });
            return self.done(
                "the daemon will follow the policy directory".to_owned(),
                Vec::new(),
            );
        };
        let policy = source.content().clone();
        let started = Instant::now();
        let loaded = self.follower.load(&policy);
        let warnings = match &loaded.snapshot {
            Some(snapshot) => match self.preflight(snapshot, caller).await {
                Ok(warnings) => warnings,
                Err(reasons) => return Answer::Refused(reasons),
            },
            None => Vec::new(),
        };
        match self.load(policy, Cause::Resume, started).await {
            Ok(()) => self.done(
                "the policy directory is followed again".to_owned(),
                warnings,
            ),
            Err(error) => Answer::Failed(format!("the policy in force stays: {}", chain(&error))),
        }
    }
}
