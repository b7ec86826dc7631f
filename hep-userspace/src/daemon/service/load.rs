//! From the policy directory to what is in force, as a whole or not at all.

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
    source::File,
    validate::{Problem, Severity, bounded},
};

/// Problems of one load that are logged.
const MAX_LOGGED: usize = 50;

impl Daemon {
    /// Brings what was decided into force, or the directory, or the last good policy, or leaves a
    /// former daemon's; with none of them nothing is attached (spec RS-006).
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
        // Bringing it into force took its time.
        self.end_trial_if_over().await;
        if is_decided {
            self.look_at_directory().await;
        }
        Ok(())
    }

    /// Obeys the directory unless it is held; returns whether it is in force.
    async fn follow_at_start(&mut self) -> Result<bool, DaemonError> {
        let started = Instant::now();
        // Text that was complete once stands in for files that are being written now.
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

    /// Whether this content of the directory is another one than what is held.
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

    /// Goes on with the policy that was in force last, or an earlier one if that is damaged;
    /// `refusal` says why the directory is not followed.
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
        // What is in force and was never written down is still later than all that was.
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
                // Until the directory is mended, its problems are those to see.
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

    /// Brings an earlier policy into force; returns whether it is.
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

    /// Obeys a change of the directory, or notes it for later.
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

    /// Checksum of the directory's content when it was followed, or held, last.
    fn obeyed_directory(&self) -> Option<String> {
        let journal = self.state.journal();
        match (&journal.trial, &journal.held) {
            (Some(trial), _) => Some(trial.directory.clone()),
            (None, Some(held)) => held.directory.clone(),
            (None, None) => journal.head().map(|head| head.checksum.clone()),
        }
    }

    /// Obeys what was only noted.
    pub(super) async fn follow_pending(&mut self) {
        if let Some(policy) = self.pending.take() {
            self.follow(policy, Instant::now()).await;
        }
    }

    /// Files of the policy directory as a policy.
    pub(super) fn below_policy_dir(&self, files: Vec<File>) -> Policy {
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

    /// Judges a policy and brings it into force as a whole, or not at all, and keeps it, and notes
    /// that the directory is followed.
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

    /// Finishes what a daemon began that ended while it put a confirmed policy into the directory.
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

    /// Writes something down; what cannot be written is told and goes on.
    pub(super) fn note(
        &mut self,
        what: &str,
        change: impl FnOnce(&mut super::super::state::Journal),
    ) {
        if let Err(error) = self.state.update(change) {
            log::error!("note {what}: {}", chain(&error));
        }
    }

    /// Adds what the host as it is lets one see in a valid policy.
    pub(super) fn tell_warnings(&mut self, snapshot: &Snapshot) {
        let mut problems = self.problems.clone();
        problems.extend(self.reconciler.warnings(snapshot));
        if self.is_policing() {
            problems.extend(ssh::failsafe_warnings(&snapshot.felix));
        }
        self.tell_problems(&bounded(problems));
    }

    /// Looks again for SSH servers that no failsafe lets in: they come and go.
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

    /// Puts these problems in the place of those reported before, which it returns.
    fn report_problems(&self, problems: &[Problem]) -> Vec<ReportedProblem> {
        let found = problems.iter().map(ReportedProblem::from).collect();
        std::mem::replace(&mut self.report.lock().problems, found)
    }
}
