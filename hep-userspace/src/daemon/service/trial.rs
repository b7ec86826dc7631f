//! Trials: a policy that rolls back automatically unless confirmed.

use std::{path::Path, time::Duration};

use tokio::time::Instant;

use super::{
    super::{
        Role,
        clock::Moment,
        control::{Answer, Caller, InvalidProblem},
        mode::{Basis, Event, Mode, Trial},
        state::{Cause, Entry, Outcome, PendingPolicy},
        summary::chain,
    },
    commit::CommitTarget,
    daemon::Daemon,
};
use crate::{
    store::{PolicySet, directory},
    validate::{Loaded, Problem, Severity},
};

/// Shortest and longest trial.
const LIMITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(24 * 3600)];
/// Wait before a failed rollback is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// A policy that may be tried.
struct Candidate {
    policy: PolicySet,
    loaded: Loaded,
    /// Warnings for the caller.
    warnings: Vec<String>,
}

impl Daemon {
    /// Time left of the trial, if there is one; while a rollback is being retried, at least the pause.
    pub(super) fn trial_left(&self) -> Option<Duration> {
        let left = self.state.journal().mode.trial()?.left(&Moment::now());
        // A failed rollback is tried again only after a pause.
        let pause = self.wakeups.rollback_retry_at;
        let pause = pause.map(|again| again - Instant::now());
        Some(left.max(pause.unwrap_or_default()))
    }

    /// Resumes a trial that a previous daemon began, or, if its time is over or a panic has ended it, records
    /// that the policy before it is to be in force.
    pub(super) fn resume_trial(&mut self) {
        let mode = &self.state.journal().mode;
        let Some(trial) = mode.trial().cloned() else {
            return;
        };
        let left = trial.left(&Moment::now());
        match (trial.generation, mode.panic()) {
            (Some(generation), None) if !left.is_zero() => {
                log::warn!(
                    "generation {generation} is on trial for {} s more",
                    left.as_secs()
                );
            }
            _ => {
                log::warn!(
                    "a trial was not confirmed in time: generation {} comes back",
                    trial.back_to
                );
                self.note_end(&trial, trial.back_to);
            }
        }
    }

    fn note_end(&mut self, trial: &Trial, back_to: u32) {
        let generation = trial.generation;
        self.note("the end of the trial", |journal| {
            if let Some(generation) = generation {
                journal.set_outcome(generation, Outcome::RolledBack);
            }
            journal.in_force = Some(back_to);
            journal.change(Event::EndTrial);
        });
    }

    pub(super) async fn end_trial_if_over(&mut self) {
        let trial = self.state.journal().mode.trial();
        if trial.is_some_and(|trial| trial.is_over(&Moment::now())) {
            log::warn!("the trial was not confirmed in time");
            match self.end_trial().await {
                Ok(generation) => log::warn!("generation {generation} is back"),
                Err(error) => log::error!("{error}"),
            }
        }
    }

    /// Rolls back the trial before an orderly stop: it is not certain that another daemon starts in time to
    /// do so.
    pub(super) async fn end_trial_before_stop(&mut self) {
        if self.state.journal().mode.trial().is_some() {
            match self.end_trial().await {
                Ok(generation) => {
                    log::warn!("stopped during a trial: generation {generation} is back")
                }
                Err(error) => log::error!("{error}"),
            }
        }
    }

    /// Rolls back to the policy before the trial; returns its generation.
    pub(super) async fn end_trial(&mut self) -> Result<u32, String> {
        let journal = self.state.journal();
        let Some(trial) = journal.mode.trial().cloned() else {
            return Err("no policy is on trial".to_owned());
        };
        let first = journal.entry(trial.back_to);
        let others = journal
            .good()
            .filter(|entry| entry.generation != trial.back_to);
        let candidates: Vec<Entry> = first.into_iter().chain(others).cloned().collect();
        for entry in candidates {
            if self.bring_back(&entry).await {
                self.wakeups.rollback_retry_at = None;
                self.note_end(&trial, entry.generation);
                self.follow_pending().await;
                return Ok(entry.generation);
            }
        }
        self.wakeups.rollback_retry_at = Some(Instant::now() + AGAIN);
        Err("no earlier policy can be brought back; that is tried again".to_owned())
    }

    pub(super) async fn begin_trial(
        &mut self,
        directory: &Path,
        timeout: Duration,
        caller: &Caller,
    ) -> Answer {
        self.refresh_store().await;
        let back_to = match self.may_try(directory, timeout) {
            Ok(back_to) => back_to,
            Err(reason) => return Answer::Refused(vec![reason]),
        };
        let candidate = match self.candidate(directory, caller).await {
            Ok(candidate) => candidate,
            Err(answer) => return answer,
        };
        let trial = Trial {
            generation: None,
            back_to,
            began: Moment::now(),
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            store: self.follower.checksum().unwrap_or_default(),
            frozen: None,
        };
        match self
            .apply_trial(trial, candidate.policy, candidate.loaded)
            .await
        {
            Ok(generation) => self.trial_runs(generation, back_to, timeout, candidate.warnings),
            Err(answer) => answer,
        }
    }

    /// Reads and checks the policy of a directory that is to be tried.
    async fn candidate(&mut self, directory: &Path, caller: &Caller) -> Result<Candidate, Answer> {
        let policy = match directory::read(directory) {
            Ok(files) if files.is_empty() => {
                return Err(Answer::Refused(vec![format!(
                    "{} holds no policy file; one that holds a comment means no policy",
                    directory.display()
                )]));
            }
            Ok(files) => PolicySet {
                base: directory.to_path_buf(),
                files,
                resume: None,
            },
            Err(error) => return Err(Answer::Failed(chain(&error))),
        };
        let loaded = self.follower.load(&policy);
        let Some(snapshot) = &loaded.snapshot else {
            return Err(Answer::Invalid(
                loaded.problems.iter().map(invalid).collect(),
            ));
        };
        let checked = self.preflight(snapshot, caller).await;
        let mut warnings = checked.map_err(Answer::Refused)?;
        if let Some(refused) = &self.follower.refused {
            warnings.push(format!("{refused}; `hep confirm` replaces its files"));
        }
        let is_warning = |problem: &&Problem| problem.severity == Severity::Warning;
        let found = loaded.problems.iter().filter(is_warning);
        warnings.extend(found.map(ToString::to_string));
        Ok(Candidate {
            policy,
            loaded,
            warnings,
        })
    }

    /// Brings a policy into force on trial; returns its generation.
    async fn apply_trial(
        &mut self,
        trial: Trial,
        policy: PolicySet,
        loaded: Loaded,
    ) -> Result<u32, Answer> {
        // On disk before anything changes: whatever dies from here on, the policy to roll back to is known.
        let began = self
            .state
            .update(|journal| journal.change(Event::BeginTrial(trial)));
        if let Err(error) = began {
            let text = format!("nothing was changed: {}", chain(&error));
            return Err(Answer::Failed(text));
        }
        let head = self.state.head();
        let pending = PendingPolicy::after(head.as_ref(), policy, Cause::Try);
        let mut target = CommitTarget::New(pending);
        if let Err(error) = self.enforce(loaded.into(), &mut target).await {
            self.note("the end of the trial", |journal| {
                journal.change(Event::EndTrial);
            });
            let text = format!("the policy in force stays: {}", chain(&error));
            return Err(Answer::Failed(text));
        }
        let generation = self.enforcer.generation();
        let kept = target.commit(&mut self.state, generation, |journal| {
            journal.change(Event::TrialInForce(generation, Moment::now()));
        });
        if let Err(error) = kept {
            let outcome = self.end_trial().await;
            return Err(Answer::Failed(match outcome {
                Ok(back_to) => format!("{}; generation {back_to} is back", chain(&error)),
                Err(also) => format!("{}; {also}", chain(&error)),
            }));
        }
        Ok(generation)
    }

    fn trial_runs(
        &self,
        generation: u32,
        back_to: u32,
        timeout: Duration,
        warnings: Vec<String>,
    ) -> Answer {
        let seconds = timeout.as_secs();
        log::warn!("generation {generation} is on trial for {seconds} s; `hep confirm` keeps it");
        let text = format!(
            "generation {generation} is in force for {seconds} s; `hep confirm` keeps it, else \
             generation {back_to} comes back"
        );
        self.done(text, warnings)
    }

    /// The generation that a trial would roll back to, or the reason why no trial can begin now.
    fn may_try(&self, directory: &Path, timeout: Duration) -> Result<u32, String> {
        let journal = self.state.journal();
        let Role::Follow(location) = &self.options.role else {
            return Err("only `hep boot` runs; start the daemon first".to_owned());
        };
        match &journal.mode {
            Mode::Panic(_) => return Err(super::requests::IS_PANIC.to_owned()),
            Mode::Calm(Basis::Trial(trial)) => {
                return Err(format!(
                    "generation {} is on trial; `hep confirm` or `hep rollback` first",
                    trial.generation.unwrap_or(0)
                ));
            }
            Mode::Calm(Basis::Following | Basis::Frozen(_)) => {}
        }
        if !(LIMITS[0]..=LIMITS[1]).contains(&timeout) {
            return Err("a trial takes 1 s to 24 h".to_owned());
        }
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        if real(directory).is_some_and(|path| real(location.path()) == Some(path)) {
            return Err(format!(
                "{} is the policy directory itself; try a changed copy of it",
                directory.display()
            ));
        }
        if let Some(reason) = self.follower.obstacle() {
            return Err(reason);
        }
        self.follower.may_write(&PolicySet::default())?;
        journal
            .head()
            .map(|head| head.generation)
            .ok_or_else(|| "there is no policy in force to go back to".to_owned())
    }

    pub(super) async fn confirm(&mut self, wanted: Option<u32>, force: bool) -> Answer {
        self.refresh_store().await;
        self.end_trial_if_over().await;
        let journal = self.state.journal();
        let trial = journal.mode.trial().and_then(|trial| trial.generation);
        let trial = trial.filter(|generation| wanted.is_none_or(|wanted| wanted == *generation));
        let (Some(generation), Role::Follow(location)) = (trial, &self.options.role) else {
            return Answer::Failed("no policy is on trial, or not any more".to_owned());
        };
        let place = location.path().to_path_buf();
        if self.follower.pending.is_some() && !force {
            return Answer::Refused(vec![format!(
                "{} changed since the trial began, and the policy on trial would replace that; \
                 `hep confirm --force` does so, `hep rollback` ends the trial",
                place.display()
            )]);
        }
        let Some(entry) = journal.entry(generation).cloned() else {
            return Answer::Failed(format!("generation {generation} is not known"));
        };
        let policy = match self.state.policy(&entry) {
            Ok(policy) => policy,
            Err(error) => return Answer::Failed(chain(&error)),
        };
        // The store may have changed since the trial began.
        if let Err(reason) = self.follower.may_write(&policy) {
            return Answer::Refused(vec![format!("the trial goes on: {reason}")]);
        }
        // From here on the policy is confirmed, whatever dies.
        let noted = self.state.update(|journal| {
            journal.set_outcome(generation, Outcome::Confirmed);
            journal.change(Event::Confirm);
            journal.installing = Some(generation);
            for entry in &mut journal.entries {
                if entry.generation == generation {
                    entry.base.clone_from(&place);
                }
            }
        });
        if let Err(error) = noted {
            return Answer::Failed(format!("the trial goes on: {}", chain(&error)));
        }
        self.follower.pending = None;
        log::info!("generation {generation} is confirmed");
        if self.options.role.is_awaited() {
            return self.keep_beside_the_store(generation);
        }
        self.put_in_place(&policy, &place, generation).await
    }
}

fn invalid(problem: &Problem) -> InvalidProblem {
    InvalidProblem {
        severity: problem.severity.name().to_owned(),
        text: problem.to_string(),
        problem: serde_json::to_value(problem).unwrap_or_default(),
    }
}
