//! Handles operators' commands from the control socket.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    super::{
        control::{Answer, Caller, Done, Request},
        preflight::Preflight,
        purpose::Purpose,
        ssh::{Session, Ssh},
        state::{Cause, Coming, Entry, Held, Panic},
        status::unix_ms,
        summary::chain,
    },
    Daemon,
    enforce::Aim,
};
use crate::{model::Snapshot, reference, validate::Scope};

impl Daemon {
    pub(super) async fn obey(&mut self, request: Request) -> Answer {
        match request {
            Request::Status => {
                self.publish();
                Answer::Status(Box::new(self.report.lock().clone()))
            }
            Request::Monitor => Answer::Failed("there is nothing to listen to".to_owned()),
            Request::Try {
                policy_dir,
                timeout_ms,
                caller,
            } => {
                let timeout = Duration::from_millis(timeout_ms);
                self.begin_trial(&policy_dir, timeout, &caller).await
            }
            Request::Confirm { generation, force } => self.confirm(generation, force).await,
            Request::Reject { generation } => self.reject(generation).await,
            Request::Rollback { generation, caller } => self.roll_back(generation, &caller).await,
            Request::Panic => self.panic().await,
            Request::Resume { caller } => self.resume(&caller).await,
            Request::HandOver if self.options.policy_dir.is_none() => {
                log::info!("handing over to the daemon");
                self.done("handed over".to_owned(), Vec::new())
            }
            Request::HandOver => Answer::Refused(vec!["a daemon runs already".to_owned()]),
        }
    }

    /// The generation in force; 0 if none is.
    pub(super) fn generation(&self) -> u32 {
        let generation = self.reconciler.in_force();
        generation.map_or(0, |generation| generation.description.generation)
    }

    fn done(&self, text: String, warnings: Vec<String>) -> Answer {
        Answer::Done(Done {
            generation: self.generation(),
            text,
            warnings,
        })
    }

    async fn roll_back(&mut self, generation: Option<u32>, caller: &Caller) -> Answer {
        if let Some(trial) = &self.state.journal().trial
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
        let loaded = self
            .loader
            .load(&policy.files, &self.node, Scope::Directory);
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
        let directory = self.directory_checksum();
        let is_held = directory.as_ref() != Some(&target.checksum);
        let head = self.state.head();
        let cause = Cause::Rollback { to };
        let mut coming = Coming::after(head.as_ref(), policy, cause);
        coming.held = is_held.then(|| Held {
            since_unix_ms: unix_ms(),
            generation: to,
            directory,
        });
        let mut aim = Aim::New(coming);
        if let Err(error) = self.enforce_judged(loaded.into(), &mut aim).await {
            return Answer::Failed(format!("the policy in force stays: {}", chain(&error)));
        }
        let generation = self.generation();
        let kept = aim.arrive(&mut self.state, generation, |_| {});
        if let Err(error) = kept {
            return Answer::Failed(format!(
                "generation {to} is back, but that cannot be noted: {}",
                chain(&error)
            ));
        }
        log::warn!("generation {to} was brought back");
        let mut text = format!("generation {to} is back");
        if is_held {
            text.push_str(
                "; the policy directory is not followed until its content changes, or until \
                 `hep resume`",
            );
        }
        self.done(text, warnings)
    }

    /// Rolls back the trial of a generation.
    async fn reject(&mut self, generation: u32) -> Answer {
        let trial = self.state.journal().trial.as_ref();
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
        if journal.panic.is_some() {
            return Err(Answer::Refused(vec![
                "panic: only failsafes and established flows pass; `hep resume` first".to_owned(),
            ]));
        }
        if journal.trial.is_some() {
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
                .filter(|_known| generation <= self.generation())
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

    async fn panic(&mut self) -> Answer {
        if self.state.journal().panic.is_some() {
            return self.done(
                "panic is on already; `hep resume` ends it".to_owned(),
                Vec::new(),
            );
        }
        let Some(snapshot) = &self.snapshot else {
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
        let noted = self.state.update(|journal| {
            journal.panic = Some(Panic {
                since_unix_ms: unix_ms(),
            });
        });
        if let Err(error) = noted {
            warnings.push(format!(
                "it does not outlast a restart of the daemon: {}",
                chain(&error)
            ));
        }
        self.reconciler.set_panic(true);
        log::warn!("panic: only failsafes and established flows pass until `hep resume`");
        if self.state.journal().trial.is_some() {
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

    async fn resume(&mut self, caller: &Caller) -> Answer {
        if self.state.journal().panic.is_some() {
            return self.end_panic().await;
        }
        if self.state.journal().held.is_none() {
            return self.done("the policy directory is followed".to_owned(), Vec::new());
        }
        self.look_at_directory().await;
        let Some(watch) = &self.watch else {
            self.note("the hold", |journal| journal.held = None);
            return self.done(
                "the daemon will follow the policy directory".to_owned(),
                Vec::new(),
            );
        };
        let policy = self.below_policy_dir(watch.files().to_vec());
        let started = Instant::now();
        let loaded = self
            .loader
            .load(&policy.files, &self.node, Scope::Directory);
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

    async fn end_panic(&mut self) -> Answer {
        self.reconciler.set_panic(false);
        if let Err(error) = self.enforce_anew().await {
            self.reconciler.set_panic(true);
            return Answer::Failed(format!("the panic goes on: {error}"));
        }
        self.note("the end of the panic", |journal| journal.panic = None);
        log::warn!("the panic is over");
        self.follow_pending().await;
        let text = match &self.state.journal().held {
            None => "the panic is over; the policy directory is followed".to_owned(),
            Some(held) => format!(
                "the panic is over; generation {} is held as before, a second `hep resume` ends \
                 that",
                held.generation
            ),
        };
        self.done(text, Vec::new())
    }

    /// Brings the present snapshot into force in the present mode.
    async fn enforce_anew(&mut self) -> Result<(), String> {
        let Some(snapshot) = self.snapshot.take() else {
            return Err("no policy is in force".to_owned());
        };
        let outcome = self.reconciler.enforce(&snapshot, Purpose::Anew).await;
        self.snapshot = Some(snapshot);
        match outcome {
            Ok(enforced) => {
                self.succeeded(&enforced);
                Ok(())
            }
            Err(error) => {
                self.fail(&error);
                Err(chain(&error))
            }
        }
    }

    /// Checks the effect of a policy on administrators' sessions: warnings, or reasons to refuse it.
    ///
    /// An objection for the caller's own session refuses the policy. Other connections to an SSH server only
    /// cause warnings if the caller's is known, since anybody who guesses passwords can hold one open; if it
    /// is not known, each of them may be the caller's, and refuses.
    pub(super) async fn preflight(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
    ) -> Result<Vec<String>, Vec<String>> {
        let ssh = Ssh::now();
        let own = ssh.session_of(caller);
        let completed = self.reconciler.completed(snapshot);
        let interfaces = &self.reconciler.network().interfaces;
        let options = reference::Options {
            nd_exempt: self.options.nd_exempt,
            ra_exempt: self.options.ra_exempt,
            bypass_mark: self.options.bypass_mark,
            ..reference::Options::default()
        };
        let preflight = Preflight::new(
            &completed,
            &self.node.name,
            interfaces,
            options,
            self.options.revalidate,
        );
        let is_own = |session: &Session| {
            let own = own.as_ref();
            own.is_some_and(|own| (own.peer, own.local) == (session.peer, session.local))
        };
        let mut others = ssh.sessions.clone();
        others.retain(|session| !is_own(session));
        let (mut refusals, mut warnings) = (Vec::new(), Vec::new());
        if let Some(session) = &own {
            let interface = self.interface_of(session).await;
            refusals.extend(preflight.objection(session, &interface, "your SSH session"));
        }
        for session in &others {
            let interface = self.interface_of(session).await;
            let objection = preflight.objection(session, &interface, "the SSH session");
            if own.is_some() {
                warnings.extend(objection);
            } else {
                refusals.extend(objection);
            }
        }
        if caller.force {
            refusals.append(&mut warnings);
            Ok(refusals)
        } else if refusals.is_empty() {
            Ok(warnings)
        } else {
            Err(refusals)
        }
    }

    /// Name of the interface that a session uses.
    async fn interface_of(&self, session: &Session) -> String {
        let towards = self.network.interface_towards(session.peer.0).await;
        let interfaces = &self.reconciler.network().interfaces;
        let by_route = interfaces.iter().find(|it| Some(it.ifindex) == towards);
        let by_address = || {
            let mut all = interfaces.iter();
            all.find(|interface| interface.addresses.contains(&session.local.0))
        };
        by_route
            .or_else(by_address)
            .map_or_else(String::new, |interface| interface.name.to_string())
    }
}
