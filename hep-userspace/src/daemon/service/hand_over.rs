//! Takes over from the process that enforced during boot (`hep boot`).

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::{
    DaemonError, Options, Role,
    control::{self, Answer, AskError, Request},
    state::{StateDirectory, StateError},
};

/// Time limit for that process to end.
const LIMIT: Duration = Duration::from_secs(10);
/// Interval at which its lock is tried.
const AGAIN: Duration = Duration::from_millis(10);

/// Opens the state directory. A process that only follows the interfaces is requested to release it;
/// its policy stays in force meanwhile.
pub(super) async fn open(options: &Options) -> Result<StateDirectory, DaemonError> {
    let state_dir = &options.state_dir;
    let attempt = || StateDirectory::open(state_dir, options.keep_generations);
    let busy = match attempt() {
        Err(busy @ StateError::Busy(_)) if matches!(options.role, Role::Follow(_)) => busy,
        other => return Ok(other?),
    };
    let socket = options.socket.clone();
    let asked =
        tokio::task::spawn_blocking(move || control::command(&socket, &Request::HandOver)).await;
    // A process without socket is about to end, or handles one command only.
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
