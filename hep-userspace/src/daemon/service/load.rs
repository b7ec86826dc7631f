//! From the policy directory to what is in force, as a whole or not at all.

use tokio::time::Instant;

use super::{
    super::{
        DaemonError, logging,
        reconcile::EnforceError,
        status::{self, ReportedProblem},
        summary::{chain, refusal},
        watch::{Found, Hold},
    },
    Daemon, ticks,
};
use crate::{
    model::Snapshot,
    source::File,
    validate::{Loaded, Problem, Scope, Severity},
};

impl Daemon {
    /// Brings the directory into force, or the last good policy, or leaves a former daemon's; with
    /// none of them nothing is attached (spec RS-006).
    pub(super) async fn first_load(&mut self, has_former: bool) -> Result<(), DaemonError> {
        let last_good = self.state.load().unwrap_or_else(|error| {
            log::error!("last good policy: {}", chain(&error));
            None
        });
        if let Some(files) = &last_good {
            self.watch.assume(files.clone());
        }
        let started = Instant::now();
        let refusal = match (self.watch.read().await, &last_good) {
            (Found::Changed(files), _) => self.load(files, started).await.err(),
            (Found::Unchanged, Some(files)) => self.load(files.clone(), started).await.err(),
            (Found::Unchanged, None) => self.load(Vec::new(), started).await.err(),
            (Found::Held(hold), _) => Some(self.hold(hold)),
            (Found::Unreadable(error), _) => {
                self.unreadable = Some(chain(&error));
                Some(DaemonError::Directory(error))
            }
        };
        let Some(refusal) = refusal else {
            return Ok(());
        };
        if let Some(files) = last_good {
            log::warn!("starting with the last good policy");
            let refused = self.refused.take();
            match self.load(files, Instant::now()).await {
                Ok(()) => {
                    self.refused = refused;
                    // Until the directory is mended, its problems are those to see.
                    if let DaemonError::Invalid(problems) = &refusal {
                        self.report_problems(problems);
                    }
                    return Ok(());
                }
                Err(error) => log::error!("last good policy: {}", chain(&error)),
            }
            self.refused = refused;
        }
        if has_former {
            log::warn!("the policy that a former daemon left stays in force");
            return Ok(());
        }
        Err(refusal)
    }

    pub(super) async fn look_at_directory(&mut self) {
        let started = Instant::now();
        let found = self.watch.read().await;
        if matches!(found, Found::Unchanged | Found::Changed(_)) {
            self.report.lock().holding = None;
            self.unreadable = None;
        }
        match found {
            Found::Unchanged => {}
            Found::Changed(files) => {
                if let Err(error) = self.load(files, started).await {
                    log::error!("{}; the policy in force stays", chain(&error));
                }
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

    fn hold(&mut self, hold: Hold) -> DaemonError {
        let mut report = self.report.lock();
        if report.holding.as_deref() != Some(hold.advice()) {
            log::warn!("{}", hold.advice());
        }
        report.holding = Some(hold.advice().to_owned());
        DaemonError::Held(hold)
    }

    /// Judges the files and brings them into force as a whole, or not at all.
    async fn load(&mut self, files: Vec<File>, started: Instant) -> Result<(), DaemonError> {
        let read = started.elapsed();
        let begin = Instant::now();
        let Loaded { snapshot, problems } = self.loader.load(&files, &self.node, Scope::Directory);
        let validate = begin.elapsed();
        self.report.lock().last_load_unix_ms = status::unix_ms();
        self.tell_problems(&problems);
        let Some(snapshot) = snapshot else {
            self.refused = Some(refusal(&problems));
            return Err(DaemonError::Invalid(problems));
        };
        match self.reconciler.enforce(&snapshot, true).await {
            Ok(mut enforced) => {
                enforced.phases.insert(0, ("read", read));
                enforced.phases.insert(1, ("validate", validate));
                self.succeeded(&enforced);
            }
            // The tables are in force; what is missing is tried again.
            Err(error @ EnforceError::Attach(_)) => self.fail(&error),
            Err(error) => {
                self.refused = Some(chain(&error));
                return Err(error.into());
            }
        }
        logging::set_severity(&snapshot.felix.log_severity);
        self.problems = problems;
        self.tell_warnings(&snapshot);
        self.refresh = snapshot.felix.interface_refresh.map(ticks);
        self.snapshot = Some(snapshot);
        self.serve_figures().await;
        self.refused = None;
        if let Err(error) = self.state.save(&files) {
            log::error!("keep the last good policy: {}", chain(&error));
        }
        Ok(())
    }

    /// Adds what the interfaces there are let one see in a valid policy.
    pub(super) fn tell_warnings(&mut self, snapshot: &Snapshot) {
        let mut problems = self.problems.clone();
        problems.extend(self.reconciler.warnings(snapshot));
        self.tell_problems(&problems);
    }

    /// Reports problems, and logs those that were not reported before.
    fn tell_problems(&self, problems: &[Problem]) {
        let before = self.report_problems(problems);
        for problem in problems {
            let text = problem.to_string();
            if before.iter().any(|former| former.text == text) {
                continue;
            }
            match problem.severity {
                Severity::Error => log::error!("{text}"),
                Severity::Warning => log::warn!("{text}"),
                Severity::Info => log::info!("{text}"),
            }
        }
    }
    /// Puts these problems in the place of those reported before, which it returns.
    fn report_problems(&self, problems: &[Problem]) -> Vec<ReportedProblem> {
        let found = problems.iter().map(ReportedProblem::from).collect();
        std::mem::replace(&mut self.report.lock().problems, found)
    }
}
