//! `hep diff`.

mod side;
mod text;

use std::{net::IpAddr, path::PathBuf};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use side::{Problems, Side};

use super::{
    Exit, Format, Instance,
    auto::AutoHostEndpoint,
    host,
    live::Live,
    output::{complain, print_json, print_text},
};
use crate::{
    daemon::identity,
    model::{Interface, LinkLayer, NodeName},
    preview::{self, Cut, FlowJudge, InterfaceChange, ListChange, ResourceChange, SetChange},
    reference, source,
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

/// All differences between the two policies.
#[derive(Debug, Serialize)]
struct Difference {
    from: String,
    to: String,
    resources: Vec<ResourceChange>,
    interfaces: Vec<InterfaceChange>,
    rules: Vec<ListChange>,
    sets: Vec<SetChange>,
    /// Only with `--live`.
    flows: Option<Flows>,
}

/// The effect on known flows.
#[derive(Debug, Serialize)]
struct Flows {
    /// Number of flows that pass now.
    known: usize,
    cut: Vec<Cut>,
}

impl Difference {
    fn is_empty(&self) -> bool {
        self.resources.is_empty()
            && self.interfaces.is_empty()
            && self.rules.is_empty()
            && self.sets.is_empty()
    }
}

/// Reason why no difference could be computed.
enum Failure {
    /// A directory is invalid.
    Invalid(Problems),
    /// The policy in force cannot be read.
    Unreachable(anyhow::Error),
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    match difference(arguments) {
        Ok(difference) => {
            match format {
                Format::Json => print_json(&difference)?,
                Format::Text if difference.is_empty() => {}
                Format::Text => print_text(text::Text(&difference))?,
            }
            let exit = if difference.is_empty() {
                Exit::Ok
            } else {
                Exit::Negative
            };
            Ok(exit)
        }
        Err(Failure::Invalid(problems)) => {
            if format == Format::Json {
                print_json(&json!({ "errors": problems.found }))?;
            }
            eprintln!("hep: {problems}");
            Ok(Exit::Invalid)
        }
        Err(Failure::Unreachable(error)) => {
            complain(format_args!("{error:#}"));
            Ok(Exit::Unreachable)
        }
    }
}

fn difference(arguments: &Arguments) -> Result<Difference, Failure> {
    let live = match &arguments.from {
        Some(_) => None,
        None => Some(Live::read(&arguments.instance).map_err(Failure::Unreachable)?),
    };
    let node = match (&arguments.node, &live) {
        (Some(node), _) => node.clone(),
        (None, Some(live)) => live.description.node.as_str().into(),
        (None, None) => identity::host_name(),
    };
    let interfaces = if arguments.interfaces.is_empty() {
        host::interfaces().map_err(Failure::Unreachable)?
    } else {
        made_up(&arguments.interfaces)
    };
    let read = |directory: &PathBuf| {
        source::read_directory(directory)
            .map_err(|error| Failure::Invalid(Problems::of_reading(error.into())))
    };
    let load = |files, name: &PathBuf| {
        let host = (&*node, interfaces.as_slice());
        Side::load(files, host, live.as_ref(), &arguments.auto, name).map_err(Failure::Invalid)
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
            Some(flows(live, &node, &after, &interfaces).map_err(Failure::Unreachable)?)
        }
        Some(_) | None => None,
    };
    Ok(Difference {
        from,
        to: arguments.to.display().to_string(),
        resources: preview::resources(&before.files, &after.files),
        interfaces: preview::interfaces(before.description(), after.description()),
        rules: preview::lists(before.description(), after.description()),
        sets: preview::sets(
            (before.description(), &before.snapshot),
            (after.description(), &after.snapshot),
        ),
        flows,
    })
}

fn flows(live: &Live, node: &str, after: &Side, interfaces: &[Interface]) -> Result<Flows> {
    let options: reference::Options = live.options();
    let judge = FlowJudge::new(
        (&after.snapshot, &after.generation),
        node,
        interfaces,
        options,
        live.revalidates(),
    );
    let known = live.maps.flows()?;
    let passing = known.iter().filter(|flow| !flow.is_blocked);
    Ok(Flows {
        known: passing.clone().count(),
        cut: passing.filter_map(|flow| judge.cut(flow)).collect(),
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
