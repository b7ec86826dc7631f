//! From the process that enforced during boot to the daemon.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::{
    DaemonError, Options,
    control::{self, Answer, AskError, Request},
    state::{StateDirectory, StateError},
};

/// How long the former may take to end.
const LIMIT: Duration = Duration::from_secs(10);
/// How often its lock is tried.
const AGAIN: Duration = Duration::from_millis(10);

/// Opens the state directory. A process that only follows the interfaces is asked to let go of it;
/// what it has in force stays in force meanwhile.
pub(super) async fn open(options: &Options) -> Result<StateDirectory, DaemonError> {
    let state_dir = &options.state_dir;
    let attempt = || StateDirectory::open(state_dir, options.keep_generations);
    let busy = match attempt() {
        Err(busy @ StateError::Busy(_)) if options.policy_dir.is_some() => busy,
        other => return Ok(other?),
    };
    let socket = options.socket.clone();
    let asked =
        tokio::task::spawn_blocking(move || control::command(&socket, &Request::HandOver)).await;
    // One that nobody can ask is about to end, or does one thing only.
    if !matches!(
        asked,
        Ok(Ok(Answer::Done(_)) | Err(AskError::NotRunning(_)))
    ) {
        return Err(busy.into());
    }
    let limit = Instant::now() + LIMIT;
    loop {
        match attempt() {
            Err(StateError::Busy(_)) if Instant::now() < limit => sleep(AGAIN).await,
            other => return Ok(other?),
        }
    }
}
