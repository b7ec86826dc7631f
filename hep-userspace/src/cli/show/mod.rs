//! `hep show`: what is in force, from the pinned maps alone.

mod described;
mod flows;
mod rules;

pub(super) use described::place;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{
    Exit, Format, Instance,
    output::{complain, print, print_json, print_text},
    table::Table,
};
use crate::datapath::{KernelError, Maps, links_directory};

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

/// One answer, as JSON and as text.
struct Shown {
    json: serde_json::Value,
    text: String,
}

impl Shown {
    /// Creates a list; the text is `nothing` if it is empty.
    fn list(items: &[impl Serialize], table: &Table, nothing: &str) -> Result<Self> {
        Ok(Self {
            json: serde_json::to_value(items)?,
            text: if table.is_empty() {
                nothing.to_owned()
            } else {
                table.to_string()
            },
        })
    }
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let pins = &arguments.instance.bpffs;
    let maps = match Maps::open(pins).and_then(|maps| {
        let description = maps.description()?;
        Ok((maps, description))
    }) {
        Ok(found) => Some(found),
        Err(KernelError::NotPinned(_) | KernelError::NoGeneration) => None,
        Err(error) => return Err(error.into()),
    };
    let Some((maps, description)) = maps else {
        if format == Format::Json {
            print("[]")?;
        }
        complain("no policy is in force");
        return Ok(Exit::Negative);
    };
    let shown = match arguments.what {
        What::Endpoints => described::endpoints(&description),
        What::Sets => described::sets(&description),
        What::Failsafe => described::failsafe(&description),
        What::Interfaces => described::interfaces(&description, &links_directory(pins)),
        What::Policies => rules::policies(&description, &maps),
        What::Rules => rules::rules(&description, &maps),
        What::Counters => rules::counters(&description, &maps),
        What::Conntrack => flows::conntrack(&description, &maps),
    }?;
    match format {
        Format::Json => print_json(&shown.json)?,
        Format::Text => print_text(&shown.text)?,
    }
    Ok(Exit::Ok)
}
