//! Loads the policy directory, as a whole or not at all.

use std::collections::HashSet;

use tokio::time::Instant;

use super::{
    super::{
        DaemonError, install, ssh,
        state::{Cause, Entry, Held, Policy},
        status::ReportedProblem,
        summary::chain,
        watch::{Found, Hold},
    },
    Daemon,
    enforce::Aim,
};
use crate::{
    model::Snapshot,
    source::Unit,
    validate::{Problem, Severity, bounded},
};

/// Most problems of one load that are logged.
const MAX_LOGGED: usize = 50;

impl Daemon {
    /// The first load: enforces what the journal decides (panic, trial), else the directory, else the last
    /// good policy, else leaves what is pinned; with none of them nothing is attached (spec RS-006).
    pub(super) async fn first_load(&mut self) -> Result<(), DaemonError> {
        let is_panic = self.state.journal().panic.is_some();
        if is_panic {
            log::warn!("panic: only failsafes and established flows pass until `hep resume`");
        }
        self.reconciler.set_panic(is_panic);
        self.resume_trial();
        self.finish_install();
        let is_decided = is_panic || self.state.journal().trial.is_some();
        let refusal = if is_decided || self.watch.is_none() {
            None
        } else {
            match self.follow_at_start().await {
                Ok(true) => return Ok(()),
                Ok(false) => None,
                Err(refusal) => Some(refusal),
            }
        };
        self.go_on_with_the_last(refusal).await?;
        // The trial may have ended during the load.
        self.end_trial_if_over().await;
        if is_decided {
            self.look_at_directory().await;
        }
        Ok(())
    }

    /// Follows the directory unless a hold is on; returns whether its policy is in force.
    async fn follow_at_start(&mut self) -> Result<bool, DaemonError> {
        let started = Instant::now();
        // The last complete text is used for files that are being written now.
        let held = self.state.journal().held.clone();
        let last = match held {
            None => self.state.head().map(|(_, last)| last),
            Some(_) => None,
        };
        let Some(watch) = &mut self.watch else {
            return Ok(false);
        };
        if let Some(last) = &last {
            watch.assume(last.files.clone());
        }
        let found = watch.read().await;
        let files = match (found, last) {
            (Found::Changed(files), _) => files,
            (Found::Unchanged, Some(last)) => last.files,
            (Found::Unchanged, None) => Vec::new(),
            (Found::Held(hold), _) => return Err(self.hold(hold)),
            (Found::Unreadable(error), _) => {
                self.unreadable = Some(chain(&error));
                return Err(DaemonError::Directory(error));
            }
        };
        let policy = self.below_policy_dir(files);
        if let Some(held) = held
            && !self.ends_hold(&held, &policy)
        {
            log::warn!(
                "the policy directory is not followed: generation {} was brought back; it is \
                 followed when its content changes, or after `hep resume`",
                held.generation
            );
            return Ok(false);
        }
        self.load(policy, Cause::Directory, started).await?;
        Ok(true)
    }

    /// Whether the directory's content ends the hold: it differs from the content that is held or, if none
    /// was recorded, is the policy in force.
    fn ends_hold(&mut self, held: &Held, policy: &Policy) -> bool {
        let found = policy.checksum();
        match &held.directory {
            Some(directory) => *directory != found,
            None => {
                let head = self.state.journal().head();
                let is_meant = head.is_some_and(|head| head.checksum == found);
                self.note("the hold", |journal| {
                    if let Some(held) = &mut journal.held {
                        held.directory = Some(found);
                    }
                });
                is_meant
            }
        }
    }

    /// Continues with the last policy in force, or an earlier one if that is damaged; `refusal` is the
    /// reason why the directory is not followed.
    async fn go_on_with_the_last(
        &mut self,
        refusal: Option<DaemonError>,
    ) -> Result<(), DaemonError> {
        let refused = self.refused.take();
        let trial = self.state.journal().trial.as_ref();
        let tried = trial.and_then(|trial| self.state.journal().entry(trial.generation?));
        let candidates: Vec<Entry> = tried
            .into_iter()
            .chain(self.state.journal().good())
            .cloned()
            .collect();
        // A generation in force that was never recorded is later than every recorded one.
        let newest = self.state.journal().entries.last();
        let is_known = newest.is_some_and(|newest| self.former <= Some(newest.generation));
        let is_left = refusal.is_some() && !is_known;
        for entry in candidates.into_iter().filter(|_| !is_left) {
            if self.bring_back(&entry).await {
                if refusal.is_some() {
                    log::warn!(
                        "starting with the last good policy, generation {}",
                        entry.generation
                    );
                }
                self.refused = refused;
                // Until the directory is fixed, its problems are the ones to report.
                if let Some(DaemonError::Invalid(problems)) = &refusal {
                    self.report_problems(problems);
                }
                return Ok(());
            }
        }
        self.refused = refused;
        if self.former.is_some() {
            log::warn!("the policy that a former daemon left stays in force");
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
        let judged = self.judge(&policy, Instant::now());
        if let Err(error) = self.enforce(judged, &mut Aim::Known(generation)).await {
            log::error!("generation {generation}: {}", chain(&error));
            return false;
        }
        self.note("what is in force", |journal| {
            journal.in_force = Some(generation)
        });
        true
    }

    pub(super) async fn look_at_directory(&mut self) {
        let started = Instant::now();
        let Some(watch) = &mut self.watch else {
            return;
        };
        let found = watch.read().await;
        if matches!(found, Found::Unchanged | Found::Changed(_)) {
            self.report.lock().holding = None;
            self.unreadable = None;
        }
        match found {
            Found::Unchanged => {}
            Found::Changed(files) => {
                let policy = self.below_policy_dir(files);
                self.follow(policy, started).await;
            }
            Found::Held(hold) => drop(self.hold(hold)),
            Found::Unreadable(error) => {
                let text = chain(&error);
                if self.unreadable.as_ref() != Some(&text) {
                    log::error!("{text}; the policy in force stays");
                }
                self.unreadable = Some(text);
            }
        }
    }

    /// Follows a change of the directory, or stores it as pending.
    async fn follow(&mut self, policy: Policy, started: Instant) {
        let journal = self.state.journal();
        let what = match (&journal.panic, &journal.trial) {
            (Some(_), _) => Some("panic"),
            (None, Some(_)) => Some("trial"),
            (None, None) => None,
        };
        if let Some(what) = what {
            if self.obeyed_directory() == Some(policy.checksum()) {
                self.pending = None;
            } else {
                log::warn!("the policy directory changed; it is followed when the {what} is over");
                self.pending = Some(policy);
            }
            return;
        }
        if let Some(held) = journal.held.clone() {
            if !self.ends_hold(&held, &policy) {
                return;
            }
            log::info!("the policy directory changed and is followed again");
        }
        if let Err(error) = self.load(policy, Cause::Directory, started).await {
            log::error!("{}; the policy in force stays", chain(&error));
        }
    }

    /// Checksum of the directory's content when it was last followed or held.
    fn obeyed_directory(&self) -> Option<String> {
        let journal = self.state.journal();
        match (&journal.trial, &journal.held) {
            (Some(trial), _) => Some(trial.directory.clone()),
            (None, Some(held)) => held.directory.clone(),
            (None, None) => journal.head().map(|head| head.checksum.clone()),
        }
    }

    /// Follows the pending change, if any.
    pub(super) async fn follow_pending(&mut self) {
        if let Some(policy) = self.pending.take() {
            self.follow(policy, Instant::now()).await;
        }
    }

    /// Files of the policy directory as a policy.
    pub(super) fn below_policy_dir(&self, files: Vec<Unit>) -> Policy {
        Policy {
            base: self.options.policy_dir.clone().unwrap_or_default(),
            files,
        }
    }

    fn hold(&mut self, hold: Hold) -> DaemonError {
        let mut report = self.report.lock();
        if report.holding.as_deref() != Some(hold.advice()) {
            log::warn!("{}", hold.advice());
        }
        report.holding = Some(hold.advice().to_owned());
        DaemonError::Held(hold)
    }

    /// Validates a policy, brings it into force as a whole or not at all, and records it, and that the
    /// directory is followed.
    pub(super) async fn load(
        &mut self,
        policy: Policy,
        cause: Cause,
        started: Instant,
    ) -> Result<(), DaemonError> {
        let comparison = self.compare(policy.clone(), cause);
        let judged = self.judge(&policy, started);
        let mut aim = comparison.await.expect("comparing does not panic");
        self.enforce(judged, &mut aim).await?;
        self.keep(aim, &policy.base);
        Ok(())
    }

    /// Finishes the install of a confirmed policy that a previous daemon began.
    fn finish_install(&mut self) {
        let journal = self.state.journal();
        let entry = journal.installing.and_then(|it| journal.entry(it)).cloned();
        let (Some(entry), Some(directory)) = (entry, self.options.policy_dir.clone()) else {
            return;
        };
        let present = crate::source::read_directory(&directory).unwrap_or_default();
        let policy = match self.state.policy(&entry) {
            Ok(policy) => policy,
            Err(error) => {
                log::error!("put the confirmed policy in place: {}", chain(&error));
                return;
            }
        };
        match install::install(&policy, &directory, &present, self.trust()) {
            Ok(()) => self.note("the policy's place", |journal| journal.installing = None),
            Err(error) => log::error!("put the confirmed policy in place: {}", chain(&error)),
        }
    }

    /// Changes the journal; a failure is logged, and the change is lost.
    pub(super) fn note(
        &mut self,
        what: &str,
        change: impl FnOnce(&mut super::super::state::Journal),
    ) {
        if let Err(error) = self.state.update(change) {
            log::error!("note {what}: {}", chain(&error));
        }
    }

    /// Reports the problems of the policy in force, with warnings that depend on this host's present state.
    pub(super) fn tell_warnings(&mut self, snapshot: &Snapshot) {
        let mut problems = self.problems.clone();
        problems.extend(self.reconciler.warnings(snapshot));
        if self.is_policing() {
            problems.extend(ssh::failsafe_warnings(&snapshot.felix));
        }
        self.tell_problems(&bounded(problems));
    }

    /// Renews the warnings about SSH servers that no failsafe covers: servers start and stop.
    pub(super) fn look_at_ssh(&mut self) {
        if let Some(snapshot) = self.snapshot.take() {
            if self.refused.is_none() {
                self.tell_warnings(&snapshot);
            }
            self.snapshot = Some(snapshot);
        }
    }

    fn is_policing(&self) -> bool {
        let generation = self.reconciler.in_force();
        generation.is_some_and(|generation| !generation.description.interfaces.is_empty())
    }

    /// Reports problems, and logs those that were not reported before, errors first.
    pub(super) fn tell_problems(&self, problems: &[Problem]) {
        let before = self.report_problems(problems);
        let known: HashSet<&str> = before.iter().map(|former| former.text.as_str()).collect();
        let mut fresh: Vec<(Severity, String)> = problems
            .iter()
            .map(|problem| (problem.severity, problem.to_string()))
            .filter(|(_, text)| !known.contains(text.as_str()))
            .collect();
        fresh.sort_by_key(|(severity, _)| *severity);
        for (severity, text) in fresh.iter().take(MAX_LOGGED) {
            match severity {
                Severity::Error => log::error!("{text}"),
                Severity::Warning => log::warn!("{text}"),
                Severity::Notice => log::info!("{text}"),
            }
        }
        if fresh.len() > MAX_LOGGED {
            let more = fresh.len() - MAX_LOGGED;
            log::warn!("{more} more problems; see `hep status`");
        }
    }

    /// Replaces the reported problems by these, and returns the previous ones.
    fn report_problems(&self, problems: &[Problem]) -> Vec<ReportedProblem> {
        let found = problems.iter().map(ReportedProblem::from).collect();
        std::mem::replace(&mut self.report.lock().problems, found)
    }
}
