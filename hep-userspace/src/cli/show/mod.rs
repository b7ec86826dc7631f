//! `hep show`: what is in force, from the pinned maps alone.

mod endpoints;
mod flows;
mod rules;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{
    exit::Exit,
    host,
    instance::Instance,
    output::{Format, Text, complain, emit},
    table::Table,
};
use crate::{
    datapath::links_directory,
    view::{Count, Endpoint, FailsafePort, Flow, Found, Interface, Policy, Set, Shown, Traffic},
};

/// Show one aspect of what is in force
///
/// Reads the pinned maps, so it works without the daemon. Exits with 1 if no policy is in force.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Aspect to show
    #[arg(value_enum, value_name = "WHAT")]
    what: What,
    #[command(flatten)]
    instance: Instance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// HostEndpoints of this node: interfaces, policies, and the default for unmatched traffic
    Endpoints,
    /// Policies that apply to a HostEndpoint of this node, in order, with their counters
    Policies,
    /// Rules in the order of evaluation, per interface and direction, with their counters
    Rules,
    /// Selectors of rules, and the objects and addresses that they select
    Sets,
    /// Failsafe ports, which no policy closes
    Failsafe,
    /// Known flows
    Conntrack,
    /// Packets per interface, direction and reason
    Counters,
    /// Policed interfaces, and how the programs are attached
    Interfaces,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let pins = &arguments.instance.bpffs;
    let found = Found::read(pins)?;
    match arguments.what {
        What::Endpoints => list(found, format, |it| Ok(Endpoint::all(&it.description))),
        What::Sets => list(found, format, |it| Ok(Set::all(&it.description))),
        What::Failsafe => list(found, format, |it| Ok(FailsafePort::all(&it.description))),
        What::Interfaces => list(found, format, |it| {
            let hooks = host::hooks(&it.description, &links_directory(pins))?;
            Ok(Interface::all(&it.description, &hooks))
        }),
        What::Policies => list(found, format, |it| Ok(Policy::all(&Traffic::read(it)?))),
        What::Rules => list(found, format, |it| Ok(Traffic::read(it)?.lists())),
        What::Counters => list(found, format, |it| Ok(Count::all(it)?)),
        What::Conntrack => list(found, format, |it| {
            let flows = it.maps.flows()?;
            let named = flows.iter().map(|flow| Flow::new(flow, &it.description));
            Ok(named.collect())
        }),
    }
}

/// Prints the items that `read` makes of the policy in force; an empty list if none is in force.
fn list<T: Serialize>(
    found: Option<Found>,
    format: Format,
    read: impl FnOnce(&Found) -> Result<Vec<T>>,
) -> Result<Exit>
where
    Shown<T>: Text,
{
    let Some(found) = found else {
        complain("no policy is in force");
        emit(&Nothing(Shown::<T>::new(0, Vec::new())), format)?;
        return Ok(Exit::Negative);
    };
    let items = read(&found)?;
    emit(&Shown::new(found.description.generation, items), format)?;
    Ok(Exit::Ok)
}

/// An empty list because nothing is in force: text says so on standard error alone.
#[derive(Serialize)]
#[serde(transparent)]
struct Nothing<T>(Shown<T>);

impl<T> Text for Nothing<T> {
    fn text(&self) -> String {
        String::new()
    }
}

/// The table as text, or `nothing` if it has no rows.
fn table_or(table: &Table, nothing: &str) -> String {
    if table.is_empty() {
        nothing.to_owned()
    } else {
        table.to_string()
    }
}

/// Formats `file:line`; empty for objects that no file holds.
pub(super) fn place(file: &str, line: u32) -> String {
    match (file, line) {
        ("", _) => String::new(),
        (file, 0) => file.to_owned(),
        (file, line) => format!("{file}:{line}"),
    }
}
