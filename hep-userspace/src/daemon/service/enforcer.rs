//! The state in force: the snapshot, and the state of the kernel that enforces it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::super::{
    purpose::Purpose,
    reconcile::{EnforceError, Enforced, Reconciler},
    summary::{chain, summary},
};
use crate::{
    compile::Description,
    model::Snapshot,
    validate::{Problem, bounded},
};

/// First and longest wait before a retry.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Brings snapshots into force, and keeps the last one there.
pub(super) struct Enforcer {
    pub(super) reconciler: Reconciler,
    /// The snapshot in force, if this daemon brought it there.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Problems of the policy in force.
    pub(super) problems: Vec<Problem>,
    /// Reason why the snapshot is not fully in force, and when to retry.
    failure: Option<Failure>,
}

struct Failure {
    text: String,
    again: Instant,
    wait: Duration,
}

impl Enforcer {
    pub(super) const fn new(reconciler: Reconciler) -> Self {
        Self {
            reconciler,
            snapshot: None,
            problems: Vec::new(),
            failure: None,
        }
    }

    /// The generation in force; 0 if this daemon brought none into force.
    pub(super) fn generation(&self) -> u32 {
        self.description()
            .map_or(0, |description| description.generation)
    }

    /// The description of the generation in force.
    pub(super) fn description(&self) -> Option<&Description> {
        let generation = self.reconciler.in_force();
        generation.map(|generation| &generation.description)
    }

    /// When to try again what failed.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.failure.as_ref().map(|failure| failure.again)
    }

    /// Reason why the snapshot is not fully in force.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| failure.text.as_str())
    }

    /// Whether the policy is in force on every interface that it covers.
    pub(super) const fn is_whole(&self) -> bool {
        self.snapshot.is_some() && self.failure.is_none()
    }

    /// Brings a snapshot into force; `phases` are those of the load so far.
    ///
    /// # Errors
    ///
    /// [`EnforceError`]; unless it [is in force](EnforceError::is_in_force), nothing has changed.
    pub(super) async fn enforce(
        &mut self,
        snapshot: &Arc<Snapshot>,
        purpose: Purpose<'_>,
        phases: Vec<(&'static str, Duration)>,
    ) -> Result<Enforced, EnforceError> {
        let mut outcome = self.reconciler.enforce(snapshot, purpose).await;
        match &mut outcome {
            Ok(enforced) => {
                enforced.phases.splice(..0, phases);
                self.succeed(enforced);
            }
            Err(error) if error.is_in_force() => self.fail(error),
            Err(_) => {}
        }
        outcome
    }

    /// Brings the snapshot in force into force again; `None` if there is none.
    pub(super) async fn again(
        &mut self,
        purpose: Purpose<'_>,
    ) -> Option<Result<Enforced, EnforceError>> {
        let snapshot = self.snapshot.clone()?;
        let outcome = self.enforce(&snapshot, purpose, Vec::new()).await;
        if let Err(error) = &outcome
            && !error.is_in_force()
        {
            self.fail(error);
        }
        Some(outcome)
    }

    /// Checks that the programs are still attached where they belong (spec EV-265).
    pub(super) async fn check_hooks(&mut self) {
        let Some(snapshot) = self.snapshot.clone() else {
            return;
        };
        if let Err(error) = self.reconciler.attach(&snapshot).await {
            self.fail(&error);
        }
    }

    fn succeed(&mut self, enforced: &Enforced) {
        self.failure = None;
        if let Some(description) = self.description()
            && (enforced.is_new || enforced.attached + enforced.detached > 0)
        {
            log::info!("{}", summary(description, enforced));
        }
    }

    fn fail(&mut self, error: &EnforceError) {
        let text = chain(error);
        log::error!("{text}");
        let wait = self
            .failure
            .as_ref()
            .map_or(RETRY.0, |failure| (failure.wait * 2).min(RETRY.1));
        self.failure = Some(Failure {
            text,
            again: Instant::now() + wait,
            wait,
        });
    }

    /// The problems of the policy in force, with warnings that depend on this host's present state; `None` if
    /// no policy is.
    pub(super) fn problems(&self) -> Option<Vec<Problem>> {
        let snapshot = self.snapshot.as_ref()?;
        let mut problems = self.problems.clone();
        problems.extend(self.reconciler.warnings(snapshot));
        Some(bounded(problems))
    }
}
