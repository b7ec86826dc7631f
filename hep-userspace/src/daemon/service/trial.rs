//! Trials: a policy that rolls back automatically unless confirmed.

use std::{path::Path, time::Duration};

use tokio::time::Instant;

use super::{
    super::{
        control::{Answer, Caller, Done, InvalidProblem},
        install,
        state::{Cause, Coming, Entry, Held, Moment, Outcome, Policy, Trial},
        status::unix_ms,
        summary::chain,
        trusted::{DirectoryError, Trust},
    },
    Daemon,
    enforce::Aim,
};
use crate::{
    source,
    validate::{Problem, Scope, Severity},
};

/// Shortest and longest trial.
const LIMITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(24 * 3600)];
/// Wait before a failed rollback is tried again.
const AGAIN: Duration = Duration::from_secs(1);

impl Daemon {
    /// Time left of the trial, if there is one; while a rollback is being retried, at least the pause.
    pub(super) fn trial_left(&self) -> Option<Duration> {
        let trial = self.state.journal().trial.as_ref()?;
        let left = trial.left(&Moment::now());
        // A failed rollback is tried again only after a pause.
        let pause = self.way_back_again.map(|again| again - Instant::now());
        Some(left.max(pause.unwrap_or_default()))
    }

    /// Resumes a trial that a previous daemon began, or, if its time is over, records that the policy before
    /// it is to be in force.
    pub(super) fn resume_trial(&mut self) {
        let Some(trial) = self.state.journal().trial.clone() else {
            return;
        };
        let left = trial.left(&Moment::now());
        match trial.generation {
            Some(generation) if !left.is_zero() => {
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
                self.note_end(&trial);
            }
        }
    }

    fn note_end(&mut self, trial: &Trial) {
        self.note("the end of the trial", |journal| {
            if let Some(generation) = trial.generation {
                journal.set_outcome(generation, Outcome::RolledBack);
            }
            journal.in_force = Some(trial.back_to);
            journal.trial = None;
        });
    }

    pub(super) async fn end_trial_if_over(&mut self) {
        let trial = self.state.journal().trial.as_ref();
        if trial.is_some_and(|trial| trial.left(&Moment::now()).is_zero()) {
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
        if self.state.journal().trial.is_some() {
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
        let Some(trial) = self.state.journal().trial.clone() else {
            return Err("no policy is on trial".to_owned());
        };
        let journal = self.state.journal();
        let first = journal.entry(trial.back_to);
        let others = journal
            .good()
            .filter(|entry| entry.generation != trial.back_to);
        let candidates: Vec<Entry> = first.into_iter().chain(others).cloned().collect();
        for entry in candidates {
            if self.bring_back(&entry).await {
                self.way_back_again = None;
                let back_to = entry.generation;
                self.note_end(&Trial { back_to, ..trial });
                self.follow_pending().await;
                return Ok(back_to);
            }
        }
        self.way_back_again = Some(Instant::now() + AGAIN);
        Err("no earlier policy can be brought back; that is tried again".to_owned())
    }

    pub(super) async fn begin_trial(
        &mut self,
        directory: &Path,
        timeout: Duration,
        caller: &Caller,
    ) -> Answer {
        self.look_at_directory().await;
        let back_to = match self.may_try(directory, timeout) {
            Ok(back_to) => back_to,
            Err(reason) => return Answer::Refused(vec![reason]),
        };
        let policy = match source::read_directory(directory) {
            Ok(files) if files.is_empty() => {
                return Answer::Refused(vec![format!(
                    "{} holds no policy file; one that holds a comment means no policy",
                    directory.display()
                )]);
            }
            Ok(files) => Policy {
                base: directory.to_path_buf(),
                files,
            },
            Err(error) => return Answer::Failed(chain(&error)),
        };
        let loaded = self
            .loader
            .load(&policy.files, &self.node, Scope::Directory);
        let Some(snapshot) = &loaded.snapshot else {
            return Answer::Invalid(loaded.problems.iter().map(invalid).collect());
        };
        let mut warnings = match self.preflight(snapshot, caller).await {
            Ok(warnings) => warnings,
            Err(reasons) => return Answer::Refused(reasons),
        };
        if let Some(refused) = &self.refused {
            warnings.push(format!("{refused}; `hep confirm` replaces its files"));
        }
        let is_warning = |problem: &&Problem| problem.severity == Severity::Warning;
        let found = loaded.problems.iter().filter(is_warning);
        warnings.extend(found.map(ToString::to_string));

        let trial = Trial {
            generation: None,
            back_to,
            began: Moment::now(),
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            directory: self.directory_checksum().unwrap_or_default(),
        };
        // On disk before anything changes: whatever dies from here on, the policy to roll back to is known.
        if let Err(error) = self.state.update(|journal| journal.trial = Some(trial)) {
            return Answer::Failed(format!("nothing was changed: {}", chain(&error)));
        }
        let head = self.state.head();
        let mut aim = Aim::New(Coming::after(head.as_ref(), policy, Cause::Try));
        let enforced = self.enforce_judged(loaded.into(), &mut aim).await;
        if let Err(error) = enforced {
            self.note("the end of the trial", |journal| journal.trial = None);
            return Answer::Failed(format!("the policy in force stays: {}", chain(&error)));
        }
        let generation = self.generation();
        let kept = aim.arrive(&mut self.state, generation, |journal| {
            if let Some(trial) = &mut journal.trial {
                trial.began = Moment::now();
            }
        });
        if let Err(error) = kept {
            let outcome = self.end_trial().await;
            return Answer::Failed(match outcome {
                Ok(back_to) => format!("{}; generation {back_to} is back", chain(&error)),
                Err(also) => format!("{}; {also}", chain(&error)),
            });
        }
        log::warn!(
            "generation {generation} is on trial for {} s; `hep confirm` keeps it",
            timeout.as_secs()
        );
        Answer::Done(Done {
            generation,
            text: format!(
                "generation {generation} is in force for {} s; `hep confirm` keeps it, else \
                 generation {back_to} comes back",
                timeout.as_secs()
            ),
            warnings,
        })
    }

    /// The generation that a trial would roll back to, or the reason why no trial can begin now.
    fn may_try(&self, directory: &Path, timeout: Duration) -> Result<u32, String> {
        let journal = self.state.journal();
        let (Some(watch), Some(policy_dir)) = (&self.watch, &self.options.policy_dir) else {
            return Err("only `hep boot` runs; start the daemon first".to_owned());
        };
        if journal.panic.is_some() {
            return Err(
                "panic: only failsafes and established flows pass; `hep resume` first".to_owned(),
            );
        }
        if let Some(trial) = &journal.trial {
            return Err(format!(
                "generation {} is on trial; `hep confirm` or `hep rollback` first",
                trial.generation.unwrap_or(0)
            ));
        }
        if !(LIMITS[0]..=LIMITS[1]).contains(&timeout) {
            return Err("a trial takes 1 s to 24 h".to_owned());
        }
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        if real(directory).is_some_and(|path| real(policy_dir) == Some(path)) {
            return Err(format!(
                "{} is the policy directory itself; try a changed copy of it",
                directory.display()
            ));
        }
        let holding = self.report.lock().holding.clone();
        if let Some(reason) = holding.or_else(|| self.unreadable.clone()) {
            return Err(reason);
        }
        self.may_install(policy_dir, watch.files())?;
        journal
            .head()
            .map(|head| head.generation)
            .ok_or_else(|| "there is no policy in force to go back to".to_owned())
    }

    /// Checks that a confirmed policy could be written into the policy directory; else returns the reason.
    fn may_install(&self, policy_dir: &Path, files: &[source::Unit]) -> Result<(), String> {
        let Err(error) = install::check(policy_dir, files, self.trust()) else {
            return Ok(());
        };
        let advice = match error {
            DirectoryError::Shared { .. } => {
                "make it root's alone (chown root, chmod go-w), or start the daemon with \
                 --allow-shared-policy-dir"
            }
            DirectoryError::Io { .. } => "make it writable",
            DirectoryError::Link(_) => "change the policy where it comes from",
        };
        Err(format!(
            "`hep confirm` could not put the policy into {}: {}; {advice}",
            policy_dir.display(),
            chain(&error)
        ))
    }

    /// Which policy directories confirmed policies may be written to.
    pub(super) const fn trust(&self) -> Trust {
        if self.options.allow_shared_policy_dir {
            Trust::Anybody
        } else {
            Trust::Root
        }
    }

    /// The checksum of the policy directory as it was read last.
    pub(super) fn directory_checksum(&self) -> Option<String> {
        let files = self.watch.as_ref()?.files().to_vec();
        Some(self.below_policy_dir(files).checksum())
    }

    pub(super) async fn confirm(&mut self, wanted: Option<u32>, force: bool) -> Answer {
        self.look_at_directory().await;
        self.end_trial_if_over().await;
        let journal = self.state.journal();
        let trial = journal.trial.as_ref().and_then(|trial| trial.generation);
        let trial = trial.filter(|generation| wanted.is_none_or(|wanted| wanted == *generation));
        let (Some(generation), Some(policy_dir)) = (trial, self.options.policy_dir.clone()) else {
            return Answer::Failed("no policy is on trial, or not any more".to_owned());
        };
        if self.pending.is_some() && !force {
            return Answer::Refused(vec![format!(
                "{} changed since the trial began, and the policy on trial would replace that; \
                 `hep confirm --force` does so, `hep rollback` ends the trial",
                policy_dir.display()
            )]);
        }
        let Some(entry) = journal.entry(generation).cloned() else {
            return Answer::Failed(format!("generation {generation} is not known"));
        };
        let policy = match self.state.policy(&entry) {
            Ok(policy) => policy,
            Err(error) => return Answer::Failed(chain(&error)),
        };
        // The directory may have changed since the trial began.
        let present = self.watch.iter().flat_map(|watch| watch.files().to_vec());
        let files: Vec<_> = present.chain(policy.rebased(&policy_dir).files).collect();
        if let Err(reason) = self.may_install(&policy_dir, &files) {
            return Answer::Refused(vec![format!("the trial goes on: {reason}")]);
        }
        // From here on the policy is confirmed, whatever dies.
        let noted = self.state.update(|journal| {
            journal.set_outcome(generation, Outcome::Confirmed);
            journal.trial = None;
            journal.held = None;
            journal.installing = Some(generation);
            for entry in &mut journal.entries {
                if entry.generation == generation {
                    entry.base.clone_from(&policy_dir);
                }
            }
        });
        if let Err(error) = noted {
            return Answer::Failed(format!("the trial goes on: {}", chain(&error)));
        }
        self.pending = None;
        log::info!("generation {generation} is confirmed");
        self.put_in_place(&policy, &policy_dir, generation).await
    }

    /// Writes the policy in force into the policy directory.
    async fn put_in_place(
        &mut self,
        policy: &Policy,
        policy_dir: &Path,
        generation: u32,
    ) -> Answer {
        let present = match &self.watch {
            Some(watch) => watch.files().to_vec(),
            None => Vec::new(),
        };
        if let Err(error) = install::install(policy, policy_dir, &present, self.trust()) {
            let directory = source::read_directory(policy_dir)
                .ok()
                .map(|files| self.below_policy_dir(files).checksum());
            self.note("the hold", |journal| {
                journal.held = Some(Held {
                    since_unix_ms: unix_ms(),
                    generation,
                    directory,
                });
            });
            return Answer::Failed(format!(
                "generation {generation} is confirmed and in force, but {} does not hold it: {}; \
                 put the files there yourself, until then the directory is not followed",
                policy_dir.display(),
                chain(&error)
            ));
        }
        self.note("the policy's place", |journal| journal.installing = None);
        // The load changes nothing but the files' names.
        self.look_at_directory().await;
        Answer::Done(Done {
            generation: self.generation(),
            text: format!(
                "generation {generation} is confirmed; {} holds it now",
                policy_dir.display()
            ),
            warnings: Vec::new(),
        })
    }
}

fn invalid(problem: &Problem) -> InvalidProblem {
    InvalidProblem {
        severity: problem.severity.name().to_owned(),
        text: problem.to_string(),
        problem: serde_json::to_value(problem).unwrap_or_default(),
    }
}
