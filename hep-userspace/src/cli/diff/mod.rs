//! `hep diff`.

mod side;
mod text;

use std::{net::IpAddr, path::PathBuf};

use anyhow::Result;
use clap::Args;
use side::Side;

use super::{
    auto::AutoHostEndpoint,
    exit::Exit,
    explain, host,
    instance::Instance,
    output::{Format, emit},
};
use crate::{
    daemon::identity,
    model::{Interface, LinkLayer, NodeName},
    preview::{self, FlowJudge},
    reference, store,
    view::{Cut, Difference, Failure, FailureKind, Flows, Live, Version},
};

/// Show what a policy directory would change before it is applied
///
/// Compares DIR with the policy in force, or with another directory: resources and their fields, the
/// rules at each interface, and the addresses that selectors select; with --live also the flows that
/// pass now and would be cut, and the rule that cuts each. Changes nothing.
///
/// Exits with 0 if nothing differs, 1 if something does, 3 if a directory is invalid, and 4 if the
/// policy in force cannot be read.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Policy directory to compare
    #[arg(value_name = "DIR", env = "HEP_POLICY_DIR")]
    to: PathBuf,
    /// Compare with this directory instead of the policy in force
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// List the known flows that would be cut
    #[arg(long, conflicts_with_all = ["from", "interfaces"])]
    live: bool,
    /// This host's name, as in spec.node of its HostEndpoints [default: the name in force, or the
    /// kernel's host name]
    #[arg(long, value_name = "NAME", env = "HEP_NODE")]
    node: Option<NodeName>,
    /// Compile for this interface with these addresses instead of for this host's interfaces; may be given
    /// several times
    #[arg(
        long = "interface",
        value_name = "NAME[=ADDRESS,…]",
        value_parser = parse_interface,
        requires = "from"
    )]
    interfaces: Vec<(String, Vec<IpAddr>)>,
    #[command(flatten)]
    auto: AutoHostEndpoint,
    #[command(flatten)]
    instance: Instance,
}

fn parse_interface(text: &str) -> Result<(String, Vec<IpAddr>), String> {
    let (name, addresses) = text.split_once('=').unwrap_or((text, ""));
    let addresses = addresses
        .split(',')
        .filter(|address| !address.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{error}; write eth0=192.0.2.10,2001:db8::10"))?;
    Ok((name.to_owned(), addresses))
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let difference = difference(arguments)?;
    emit(&difference, format)?;
    Ok(if difference.is_empty() {
        Exit::Ok
    } else {
        Exit::Negative
    })
}

/// The error if the host or the policy in force cannot be read.
fn unreachable(error: anyhow::Error) -> Failure {
    Failure::new(FailureKind::Unreachable, format!("{error:#}"))
}

fn difference(arguments: &Arguments) -> Result<Difference, Failure> {
    let live = match &arguments.from {
        Some(_) => None,
        None => Some(explain::live(&arguments.instance)?),
    };
    let node = match (&arguments.node, &live) {
        (Some(node), _) => node.clone(),
        (None, Some(live)) => live.description.node.as_str().into(),
        (None, None) => identity::host_name(),
    };
    let interfaces = if arguments.interfaces.is_empty() {
        host::interfaces().map_err(unreachable)?
    } else {
        made_up(&arguments.interfaces)
    };
    let read = |directory: &PathBuf| {
        store::directory::read(directory).map_err(|error| side::unusable(error.into()))
    };
    let load = |files, name: &PathBuf| {
        let host = (&*node, interfaces.as_slice());
        Side::load(files, host, live.as_ref(), &arguments.auto, name)
    };
    let after = load(read(&arguments.to)?, &arguments.to)?;
    let (from, before) = match (&live, &arguments.from) {
        (Some(live), _) => {
            let mut before = load(live.files.clone(), &arguments.instance.state_dir)?;
            // What packets meet is what was compiled, not what compiling anew would come to.
            before.generation.description = live.description.clone();
            (
                format!("generation {}", live.description.generation),
                before,
            )
        }
        (None, from) => {
            let from = from.clone().unwrap_or_default();
            (from.display().to_string(), load(read(&from)?, &from)?)
        }
    };
    let flows = match &live {
        Some(live) if arguments.live => {
            Some(flows(live, &node, &after, &interfaces).map_err(unreachable)?)
        }
        Some(_) | None => None,
    };
    let (old, new) = (before.description(), after.description());
    Ok(Difference {
        version: Version,
        from,
        to: arguments.to.display().to_string(),
        resources: all(preview::resources(&before.files, &after.files)),
        interfaces: all(preview::interfaces(old, new)),
        rules: all(preview::lists(old, new)),
        sets: all(preview::sets(
            (old, &before.snapshot),
            (new, &after.snapshot),
        )),
        flows,
    })
}

/// Converts every item.
fn all<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
    items.into_iter().map(U::from).collect()
}

fn flows(live: &Live, node: &str, after: &Side, interfaces: &[Interface]) -> Result<Flows> {
    let options: reference::Options = live.options();
    let judge = FlowJudge::new(
        (&after.snapshot, &after.generation),
        node,
        interfaces,
        options,
    );
    let known = live.maps.flows()?;
    let passing = known.iter().filter(|flow| !flow.is_blocked);
    Ok(Flows {
        known: passing.clone().count(),
        cut: passing
            .filter_map(|flow| judge.cut(flow))
            .map(Cut::from)
            .collect(),
    })
}

fn made_up(interfaces: &[(String, Vec<IpAddr>)]) -> Vec<Interface> {
    interfaces
        .iter()
        .zip(1..)
        .map(|((name, addresses), ifindex)| Interface {
            name: name.as_str().into(),
            ifindex,
            addresses: addresses.clone(),
            link_layer: LinkLayer::Ethernet,
            is_loopback: name == "lo",
            is_member: false,
            vlan_of: None,
            ..Interface::default()
        })
        .collect()
}
