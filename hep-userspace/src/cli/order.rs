//! Shared by the commands that change what is in force: sends the request, or handles it without a daemon.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result};
use clap::Args;

use super::{
    exit::Exit,
    instance::Instance,
    output::{Format, Text, emit},
    runtime,
};
use crate::{
    daemon::{
        self, Options, Role,
        control::{self, Answer, AskError, Caller, Done, Request},
        identity,
        mode::Trial,
        state,
    },
    model::Behaviour,
    printable::Printable,
    store::Location,
    view::{Failure, FailureKind, Outcome},
};

/// The option that overrides the preflight.
#[derive(Args, Clone, Debug)]
pub(super) struct Force {
    /// Apply the policy even if it cuts an administrator's SSH session
    #[arg(long)]
    force: bool,
}

impl Force {
    /// Describes the caller: this process, and its SSH connection as `SSH_CONNECTION` has it.
    pub(super) fn caller(&self) -> Caller {
        Caller {
            force: self.force,
            ssh: std::env::var("SSH_CONNECTION")
                .ok()
                .and_then(|text| connection(&text)),
            process: Some(std::process::id()),
        }
    }
}

/// Parses `198.51.100.7 40000 192.0.2.10 22`: the peer's address and port, then this host's.
fn connection(text: &str) -> Option<(SocketAddr, SocketAddr)> {
    let mut words = text.split_ascii_whitespace();
    let mut end = || {
        let address = words.next()?;
        // A link-local address may have the interface behind it.
        let address: IpAddr = address.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(address, words.next()?.parse().ok()?))
    };
    Some((end()?, end()?))
}

/// Sends a request to the daemon, or handles it in this process if none runs, and prints the answer.
///
/// # Errors
///
/// If the exchange with the daemon fails, or its state directory cannot be used.
pub(super) fn give(instance: &Instance, request: &Request, format: Format) -> Result<Exit> {
    let answer = match control::command(&instance.socket, request) {
        Ok(answer) => answer,
        Err(AskError::NotRunning(_)) => match without_daemon(instance, request.clone())? {
            Some(answer) => answer,
            None => return Err(unreachable(instance)),
        },
        Err(error) => return Err(error.into()),
    };
    let outcome = Outcome::from(done(answer)?);
    emit(&outcome, format)?;
    Ok(Exit::Ok)
}

/// The error if no daemon runs.
pub(super) fn unreachable(instance: &Instance) -> anyhow::Error {
    let message = format!(
        "no daemon listens at {}; start it, or name --socket",
        instance.socket.display()
    );
    Failure::new(FailureKind::Unreachable, message).into()
}

/// Handles the request as a daemon would, with the options of the last one; `None` if none ever ran
/// here.
///
/// # Errors
///
/// If its state directory cannot be used.
pub(super) fn without_daemon(instance: &Instance, request: Request) -> Result<Option<Answer>> {
    let Some(options) = last_options(instance)? else {
        return Ok(None);
    };
    let runtime = runtime::of_command()?;
    Ok(Some(
        runtime.block_on(daemon::handle_once(options, request))?,
    ))
}

/// The trial that the journal of this instance records, if any.
///
/// # Errors
///
/// If the state directory cannot be read.
pub(super) fn trial(instance: &Instance) -> Result<Option<Trial>> {
    let journal = state::read_journal(&instance.state_dir)?;
    Ok(journal.mode.trial().cloned())
}

/// Options of the last daemon of this instance, if there was one.
///
/// # Errors
///
/// If the state directory cannot be read.
pub(super) fn last_options(instance: &Instance) -> Result<Option<Options>> {
    let absolute = |path| std::path::absolute(path).context("current directory");
    let state_dir = absolute(&instance.state_dir)?;
    let Some(settings) = state::read_journal(&state_dir)?.settings else {
        return Ok(None);
    };
    Ok(Some(Options {
        role: Role::Follow(Location::directory(
            settings.policy_dir,
            settings.allow_shared_policy_dir,
        )),
        node: if settings.follows_host {
            identity::node_name(&state_dir)
        } else {
            settings.node
        },
        follows_host: settings.follows_host,
        node_labels: settings.node_labels,
        bpffs: absolute(&instance.bpffs)?,
        socket: instance.socket.clone(),
        state_dir,
        keep_generations: settings.keep_generations,
        auto_host_endpoint: settings.auto_host_endpoint,
        behaviour: Behaviour {
            deny_events: false,
            ..settings.behaviour
        },
        memory_bytes: None,
        metrics: None,
    }))
}

/// The result of a request that succeeded.
///
/// # Errors
///
/// [`Failure`] if the policy is invalid, or the daemon refused or failed.
pub(super) fn done(answer: Answer) -> Result<Done> {
    let failure = match answer {
        Answer::Done(done) => return Ok(done),
        Answer::Invalid(problems) => Failure::submitted(&problems),
        Answer::Refused(reasons) => Failure::refused(reasons),
        Answer::Failed(reason) => Failure::failed(&reason),
        Answer::Status(_) | Answer::Monitoring(_) => return Err(AskError::Unexpected.into()),
    };
    Err(failure.into())
}

impl Text for Outcome {
    fn text(&self) -> String {
        Printable(&self.text).to_string()
    }

    fn remarks(&self) -> Vec<String> {
        warnings(&self.warnings)
    }
}

/// Warnings as lines for standard error.
pub(super) fn warnings(warnings: &[String]) -> Vec<String> {
    let lines = warnings.iter().map(|warning| format!("warning: {warning}"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ssh_connection_is_four_words() {
        let read = |text| connection(text).map(|(peer, local)| format!("{peer} {local}"));
        assert_eq!(
            read("198.51.100.7 40000 192.0.2.10 22").as_deref(),
            Some("198.51.100.7:40000 192.0.2.10:22")
        );
        assert_eq!(
            read("fe80::7%eth0 40000 fe80::1%eth0 22").as_deref(),
            Some("[fe80::7]:40000 [fe80::1]:22")
        );
        assert_eq!(read("198.51.100.7 40000 192.0.2.10"), None);
        assert_eq!(read(""), None);
    }
}
