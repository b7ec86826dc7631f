//! `hep run`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use super::{
    auto::AutoHostEndpoint, datastore::StoreArguments, exit::Exit, instance::Instance, runtime,
};
use crate::{
    daemon::{self, DaemonError, EnforceError, Options, Role, identity, metrics::Address},
    model::{Behaviour, NodeName},
    store::Location,
    view::{Failure, FailureKind},
};

/// Enforce a policy directory until stopped
///
/// Reads every *.yaml, *.yml and *.json file below the directory, enforces the policy on this host's
/// interfaces, and follows changes of files, interfaces and addresses. If any file has an error, the
/// policy in force stays. Enforcement outlives the daemon; `hep down` ends it.
///
/// SIGHUP reads the directory again; SIGTERM and SIGINT stop the daemon. Exits with 3 if the directory
/// is invalid at the start and there is no earlier policy to continue with.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// This node's name, as in spec.node of its HostEndpoints [default: the host name in lower case]
    #[arg(long, value_name = "NAME", env = "HEP_NODE")]
    node: Option<NodeName>,
    /// Allow `hep confirm` to write into a policy directory that users other than root can change; they
    /// can then change the policy in force, too
    #[arg(long, env = "HEP_ALLOW_SHARED_POLICY_DIR")]
    allow_shared_policy_dir: bool,
    #[command(flatten)]
    instance: Instance,
    /// Number of good policies to keep for `hep rollback`
    #[arg(
        long,
        default_value_t = 10,
        value_parser = parse_count,
        value_name = "NUMBER",
        env = "HEP_KEEP_GENERATIONS"
    )]
    keep_generations: usize,
    /// How to treat established flows when the policy changes
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHAT",
        env = "HEP_ON_POLICY_CHANGE"
    )]
    on_policy_change: OnPolicyChange,
    /// Accept IPv6 neighbour discovery and multicast listener traffic before policy
    #[arg(
        long,
        default_value_t = true,
        action = clap::ArgAction::Set,
        value_name = "BOOL",
        env = "HEP_IPV6_ND_EXEMPT"
    )]
    ipv6_nd_exempt: bool,
    /// Accept router advertisements among those; if false, policy judges them: a rogue one can give this
    /// host a router and addresses
    #[arg(
        long,
        default_value_t = true,
        action = clap::ArgAction::Set,
        value_name = "BOOL",
        env = "HEP_IPV6_RA_EXEMPT"
    )]
    ipv6_ra_exempt: bool,
    /// Bit of the packet mark that carries an untracked policy's accept of a forwarded packet to the
    /// interface where it leaves; 0 for none. Nothing else may set this bit: while untracked policies are in
    /// force, forwarded packets that bear it skip policy where they leave. Without them it has no effect
    #[arg(
        long,
        default_value = "0x1000",
        value_parser = parse_mark,
        value_name = "MASK",
        env = "HEP_BYPASS_MARK"
    )]
    bypass_mark: u32,
    /// Serve /metrics for Prometheus, /liveness and /readiness at this address: 127.0.0.1:9091,
    /// [::1]:9091, or :9091 for all addresses
    #[arg(long, value_name = "ADDRESS:PORT", env = "HEP_METRICS_LISTEN")]
    metrics_listen: Option<Address>,
    /// Report denied packets to `hep monitor`, at most as many per rule and second as for Log rules
    /// (logActionRateLimit)
    #[arg(long, env = "HEP_DENY_EVENTS")]
    deny_events: bool,
    /// Size the flow tables as on a host with this much memory
    #[arg(long, hide = true, value_name = "BYTES")]
    memory_total: Option<u64>,
    #[command(flatten)]
    auto: AutoHostEndpoint,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum OnPolicyChange {
    /// Judge each flow again at its next packet
    #[default]
    Revalidate,
    /// Keep established flows, as Calico does
    Keep,
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=1000).contains(&count) => Ok(count),
        _ => Err("write a number from 1 to 1000".to_owned()),
    }
}

fn parse_mark(text: &str) -> Result<u32, String> {
    let number = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => text.parse(),
    };
    match number {
        Ok(mark) if mark.count_ones() <= 1 => Ok(mark),
        _ => Err("write one bit, such as 0x1000000, or 0".to_owned()),
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let absolute = |path: &PathBuf| {
        std::path::absolute(path).with_context(|| format!("path {}", path.display()))
    };
    let state_dir = absolute(&arguments.instance.state_dir)?;
    let options = Options {
        role: Role::Follow(Location::of(
            arguments.store.choice_of_daemon()?,
            arguments.allow_shared_policy_dir,
        )),
        node: match &arguments.node {
            Some(node) => node.clone(),
            None => identity::node_name(&state_dir),
        },
        follows_host: arguments.node.is_none(),
        node_labels: arguments.auto.node_labels.iter().cloned().collect(),
        bpffs: absolute(&arguments.instance.bpffs)?,
        socket: arguments.instance.socket.clone(),
        state_dir,
        keep_generations: arguments.keep_generations,
        auto_host_endpoint: arguments.auto.auto_host_endpoint,
        behaviour: Behaviour {
            revalidate: arguments.on_policy_change == OnPolicyChange::Revalidate,
            nd_exempt: arguments.ipv6_nd_exempt,
            ra_exempt: arguments.ipv6_ra_exempt,
            bypass_mark: arguments.bypass_mark,
            deny_events: arguments.deny_events,
        },
        memory_bytes: arguments.memory_total,
        metrics: arguments.metrics_listen.clone(),
    };
    daemon::start_logging();
    let runtime = runtime::of_daemon()?;
    match runtime.block_on(daemon::run(options)) {
        Ok(()) => Ok(Exit::Ok),
        Err(DaemonError::Invalid(problems)) => {
            let message = "the policy is invalid; nothing was attached";
            Err(Failure {
                is_logged: true,
                ..Failure::invalid(message, &problems)
            }
            .into())
        }
        Err(
            error @ (DaemonError::Store(_)
            | DaemonError::Untrusted(_)
            | DaemonError::Enforce(EnforceError::Compile(_))),
        ) => {
            let error = anyhow::Error::new(error);
            let message = format!("{error:#}; nothing was attached");
            Err(Failure::new(FailureKind::Invalid, message).into())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_one_bit_or_none() {
        assert_eq!(parse_mark("0x1000000"), Ok(1 << 24));
        assert_eq!(parse_mark("8"), Ok(8));
        assert_eq!(parse_mark("0"), Ok(0));
        assert!(parse_mark("0x3").is_err());
        assert!(parse_mark("mark").is_err());
    }
}
