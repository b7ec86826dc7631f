//! Handles requests from the control socket.

use std::time::Duration;

use super::{
    super::{
        Role,
        control::{Answer, Done, Request},
    },
    daemon::Daemon,
};

/// Reason why a request is refused during a panic.
pub(super) const IS_PANIC: &str =
    "panic: only failsafes and established flows pass; `hep resume` first";

impl Daemon {
    pub(super) async fn handle(&mut self, request: Request) -> Answer {
        match request {
            Request::Status => {
                self.publish();
                Answer::Status(Box::new(self.reporter.report.lock().clone()))
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
            Request::Panic => self.begin_panic().await,
            Request::Resume { caller } => self.resume(&caller).await,
            Request::HandOver => match self.options.role {
                Role::Boot => {
                    log::info!("handing over to the daemon");
                    self.done("handed over".to_owned(), Vec::new())
                }
                Role::Follow(_) => Answer::Refused(vec!["a daemon runs already".to_owned()]),
            },
        }
    }

    /// The answer to a request that was carried out.
    pub(super) fn done(&self, text: String, warnings: Vec<String>) -> Answer {
        Answer::Done(Done {
            generation: self.enforcer.generation(),
            text,
            warnings,
        })
    }
}
