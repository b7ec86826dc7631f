//! Shared by the commands that change what is in force: sends the request, or handles it without a daemon.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use super::{
    Exit, Format, Instance,
    output::{complain, print, print_json},
    runtime,
};
use crate::daemon::{
    self, Options,
    control::{self, Answer, AskError, Caller, Request},
    identity, state,
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
            None => return unreachable(instance),
        },
        Err(error) => return Err(error.into()),
    };
    tell(&answer, format)
}

/// Reports that no daemon runs.
pub(super) fn unreachable(instance: &Instance) -> Result<Exit> {
    complain(format_args!(
        "no daemon listens at {}; start it, or name --socket",
        instance.socket.display()
    ));
    Ok(Exit::Unreachable)
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
    Ok(Some(runtime.block_on(daemon::obey_once(options, request))?))
}

/// The trial that the journal of this instance records, if any.
///
/// # Errors
///
/// If the state directory cannot be read.
pub(super) fn trial(instance: &Instance) -> Result<Option<state::Trial>> {
    Ok(state::read_journal(&instance.state_dir)?.trial)
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
        policy_dir: Some(settings.policy_dir),
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
        allow_shared_policy_dir: settings.allow_shared_policy_dir,
        keep_generations: settings.keep_generations,
        auto_host_endpoint: settings.auto_host_endpoint,
        revalidate: settings.revalidate,
        nd_exempt: settings.nd_exempt,
        ra_exempt: settings.ra_exempt,
        bypass_mark: settings.bypass_mark,
        deny_events: false,
        memory_bytes: None,
        metrics: None,
    }))
}

/// Prints an answer and returns its exit code.
pub(super) fn tell(answer: &Answer, format: Format) -> Result<Exit> {
    match answer {
        Answer::Done(done) => {
            match format {
                Format::Json => print_json(done)?,
                Format::Text => print(&done.text)?,
            }
            warn(&done.warnings);
            Ok(Exit::Ok)
        }
        Answer::Invalid(problems) => {
            match format {
                Format::Json => {
                    let problems: Vec<_> = problems.iter().map(|it| &it.problem).collect();
                    print_json(&problems)?;
                }
                Format::Text => {
                    for problem in problems {
                        print(&problem.text)?;
                    }
                    let errors = problems.iter().filter(|it| it.severity == "error").count();
                    print(format!(
                        "invalid: {errors} errors; the policy in force stays"
                    ))?;
                }
            }
            Ok(Exit::Invalid)
        }
        Answer::Refused(reasons) => {
            if format == Format::Json {
                print_json(&json!({ "refused": reasons }))?;
            }
            for reason in reasons {
                complain(format_args!("refused: {reason}"));
            }
            Ok(Exit::Refused)
        }
        Answer::Failed(reason) => {
            if format == Format::Json {
                print_json(&json!({ "failed": reason }))?;
            }
            complain(reason);
            Ok(Exit::Negative)
        }
        Answer::Status(_) | Answer::Monitoring(_) => Err(AskError::Unexpected.into()),
    }
}

/// Prints warnings to standard error.
pub(super) fn warn(warnings: &[String]) {
    for warning in warnings {
        complain(format_args!("warning: {warning}"));
    }
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
