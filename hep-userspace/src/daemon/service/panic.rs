//! Panic: only failsafes and established flows pass.

use super::{
    super::{clock::unix_ms, control::Answer, mode::Event, purpose::Purpose, summary::chain},
    daemon::Daemon,
};

impl Daemon {
    pub(super) async fn begin_panic(&mut self) -> Answer {
        if self.state.journal().mode.panic().is_some() {
            let text = "panic is on already; `hep resume` ends it".to_owned();
            return self.done(text, Vec::new());
        }
        let Some(snapshot) = &self.enforcer.snapshot else {
            return Answer::Failed(
                "what is in force is an earlier daemon's and its files are not known: mend the \
                 policy directory first, or use `hep down`"
                    .to_owned(),
            );
        };
        let mut warnings = Vec::new();
        if snapshot.felix.failsafe_inbound.is_empty() {
            warnings.push(
                "there is no inbound failsafe: nothing new comes in, not even SSH".to_owned(),
            );
        }
        let noted = self
            .state
            .update(|journal| journal.change(Event::Panic(unix_ms())));
        if let Err(error) = noted {
            warnings.push(format!(
                "it does not outlast a restart of the daemon: {}",
                chain(&error)
            ));
        }
        self.enforcer.reconciler.set_panic(true);
        log::warn!("panic: only failsafes and established flows pass until `hep resume`");
        if self.state.journal().mode.trial().is_some() {
            // After the panic, the policy before the trial is to come back.
            if let Err(error) = self.end_trial().await {
                return Answer::Failed(error);
            }
        } else if let Err(error) = self.enforce_anew().await {
            return Answer::Failed(format!("{error}; that is tried again"));
        }
        self.done(
            "only failsafes and established flows pass; `hep resume` ends that".to_owned(),
            warnings,
        )
    }

    pub(super) async fn end_panic(&mut self) -> Answer {
        self.enforcer.reconciler.set_panic(false);
        if let Err(error) = self.enforce_anew().await {
            self.enforcer.reconciler.set_panic(true);
            return Answer::Failed(format!("the panic goes on: {error}"));
        }
        self.note("the end of the panic", |journal| {
            journal.change(Event::Resume);
        });
        log::warn!("the panic is over");
        self.follow_pending().await;
        let text = match self.state.journal().mode.frozen() {
            None => "the panic is over; the policy directory is followed".to_owned(),
            Some(frozen) => format!(
                "the panic is over; generation {} is frozen as before, a second `hep resume` ends \
                 that",
                frozen.generation
            ),
        };
        self.done(text, Vec::new())
    }

    /// Brings the snapshot in force into force in the present mode.
    async fn enforce_anew(&mut self) -> Result<(), String> {
        match self.enforcer.again(Purpose::Anew).await {
            None => Err("no policy is in force".to_owned()),
            Some(Ok(enforced)) => {
                self.loaded(&enforced);
                Ok(())
            }
            Some(Err(error)) => Err(chain(&error)),
        }
    }
}
