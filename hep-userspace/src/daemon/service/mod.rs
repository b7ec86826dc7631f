//! The daemon: a loop over three parts, which wakes for the store, interfaces, timers and signals.
//!
//! | part | owns |
//! | --- | --- |
//! | `follower` | the wanted state: the store, its validated content, what is pending or refused |
//! | `enforcer` | the state in force: the snapshot, the kernel's state, what failed and when to retry |
//! | `reporter` | reports: status, events, metrics, service manager |
//!
//! The journal ([`super::state`]) records which policy is to be in force, and its mode ([`super::mode`]) why.

mod commit;
mod daemon;
mod enforcer;
mod follower;
mod hand_over;
mod install;
mod load;
mod name;
mod panic;
mod preflight;
mod reporter;
mod requests;
mod resume;
mod rollback;
mod sweep;
mod trial;
mod wake;
mod wakeups;

use daemon::Daemon;
use reporter::notify;
use sd_notify::NotifyState;
use tokio::sync::mpsc;

use super::{
    DaemonError, Options,
    control::{Answer, Request},
};

/// Runs the daemon until SIGTERM or SIGINT; the policy in force stays in force.
///
/// # Errors
///
/// [`DaemonError`] if it cannot start. Later errors are reported, and the daemon continues.
pub async fn run(options: Options) -> Result<(), DaemonError> {
    let mut daemon = Daemon::start(options).await?;
    let sockets = daemon.sockets()?;
    let (commands, received) = mpsc::channel(1);
    let reporter = &daemon.reporter;
    let (report, feed) = (reporter.report.clone(), reporter.feed.clone());
    tokio::spawn(sockets.serve(report, feed, commands));
    daemon.commands = Some(received);
    daemon.first_load().await?;
    // The host's name may have been set during the load.
    daemon.refresh_name().await;
    daemon.publish();
    notify(&[NotifyState::Ready]);
    while daemon.turn().await {}
    notify(&[NotifyState::Stopping]);
    log::info!("stopped; the policy stays in force until `hep down`");
    Ok(())
}

/// Handles `request` without a running daemon: brings the last decided state into force, handles the
/// request, and ends.
///
/// # Errors
///
/// [`DaemonError`] if the last decided state cannot be brought into force.
pub async fn handle_once(options: Options, request: Request) -> Result<Answer, DaemonError> {
    let mut daemon = Daemon::start(options).await?;
    daemon.first_load().await?;
    Ok(daemon.handle(request).await)
}
