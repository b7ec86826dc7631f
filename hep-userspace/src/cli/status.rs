//! `hep status`.

use anyhow::Result;
use clap::Args;

use super::{
    exit::Exit,
    host,
    instance::Instance,
    output::{Format, Text, complain, emit},
    table::{Table, duration},
};
use crate::{
    daemon::clock::unix_ms,
    datapath::links_directory,
    printable,
    view::{Hooks, Sources, Status, Store},
};

/// Show what is in force, and the state of the daemon
///
/// Works without the daemon. Exits with 1 if no policy is in force.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: Instance,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let instance = &arguments.instance;
    let sources = Sources::read(instance.places())?;
    if let Some(error) = &sources.journal_error {
        complain(format_args!(
            "what was decided is not known: {}",
            chain(error)
        ));
    }
    let links = links_directory(&instance.bpffs);
    let hooks = host::hooks(&sources.description, &links)?;
    let status = Status::new(sources, &hooks);
    emit(&status, format)?;
    Ok(if status.generation == 0 {
        Exit::Negative
    } else {
        Exit::Ok
    })
}

/// An error and its causes, joined by colons.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

impl Text for Status {
    fn text(&self) -> String {
        let mut text = printable::lines(lines(self));
        for table in [endpoints(self), interfaces(self), tables(self)] {
            if !table.is_empty() {
                text.push_str(&format!("\n\n{table}"));
            }
        }
        if !self.problems.is_empty() {
            let last_load = self
                .daemon
                .as_ref()
                .map_or(0, |daemon| daemon.last_load_unix_ms);
            let heading = format!("problems of the last load, {} ago:", ago(last_load));
            let problems = self.problems.iter();
            let problems = problems.map(|problem| format!("  {}", problem.text));
            let lines = printable::lines([heading].into_iter().chain(problems));
            text.push_str(&format!("\n\n{lines}"));
        }
        text
    }
}

/// Time since a moment.
fn ago(then_unix_ms: u64) -> String {
    duration(unix_ms().saturating_sub(then_unix_ms) / 1000)
}

/// The lines above the tables.
fn lines(status: &Status) -> Vec<String> {
    let mut lines = policy(status);
    lines.extend(daemon(status));
    lines.extend(status.store.as_ref().map(store));
    if let Some(reason) = &status.degraded {
        lines.push(format!("degraded: {reason}"));
    }
    if let Some(reason) = &status.untrusted {
        lines.push(format!("untrusted: {reason}"));
    }
    lines.extend(decisions(status));
    lines.extend(status.local_in.note.clone());
    let warnings = status
        .tables
        .iter()
        .filter_map(|table| table.warning.as_ref());
    lines.extend(warnings.map(|warning| format!("warning: {warning}")));
    lines
}

fn policy(status: &Status) -> Vec<String> {
    if status.generation == 0 {
        return vec!["policy: none in force, nothing is policed".to_owned()];
    }
    let resources = status.resources.iter();
    let resources: Vec<String> = resources
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let other = status.host_name.as_ref().map_or_else(String::new, |name| {
        format!(" (the host is called {name}, which no HostEndpoint names)")
    });
    vec![
        format!("node:   {}{other}", status.node),
        format!(
            "policy: generation {}, in force for {}: {}",
            status.generation,
            ago(status.applied_unix_ms),
            resources.join(", ")
        ),
    ]
}

fn daemon(status: &Status) -> Vec<String> {
    let Some(daemon) = &status.daemon else {
        return vec!["daemon: not running".to_owned()];
    };
    let what = match status.store {
        Some(_) => "store",
        None => "policy directory",
    };
    let mut lines = vec![format!(
        "daemon: running for {}, pid {}, version {}, {what} {}",
        ago(daemon.started_unix_ms),
        daemon.pid,
        daemon.version,
        daemon.policy_dir
    )];
    let load = &daemon.last_load;
    if load.entries > 0 {
        lines.push(format!(
            "load:   the last one wrote {} of {} entries",
            load.written, load.entries
        ));
    }
    lines
}

/// The line of a store of objects.
fn store(store: &Store) -> String {
    let objects = store.kinds.iter().filter(|kind| kind.objects > 0);
    let objects: Vec<String> = objects
        .map(|kind| format!("{} {}", kind.objects, kind.kind))
        .collect();
    let contact = match store.contact_unix_ms {
        0 => "never reached".to_owned(),
        then => format!("last sign of life {} ago", ago(then)),
    };
    format!("store:  {}, {contact}: {}", store.state, objects.join(", "))
}

/// Lines for each decision that takes precedence over the policy directory.
fn decisions(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(panic) = &status.panic {
        lines.push(format!(
            "panic: for {} only failsafes and established flows pass; `hep resume` ends that",
            ago(panic.since_unix_ms)
        ));
    }
    if let Some(trial) = &status.trial {
        lines.push(format!(
            "trial: generation {} from {}, {} s left; `hep confirm` keeps it, else generation {} \
             comes back",
            trial.generation,
            trial.policy_dir,
            trial.left_ms.div_ceil(1000),
            trial.back_to
        ));
    }
    if let Some(frozen) = &status.frozen {
        lines.push(format!(
            "frozen: generation {} was brought back {} ago; the policy directory is not followed \
             until its content changes, or until `hep resume`",
            frozen.generation,
            ago(frozen.since_unix_ms)
        ));
    }
    if status.directory_changed {
        lines.push(
            "changed: the policy directory changed meanwhile, and is followed then".to_owned(),
        );
    }
    lines
}

fn endpoints(status: &Status) -> Table {
    let mut table = Table::new(&[
        "ENDPOINT",
        "INTERFACES",
        "DIRECTION",
        "POLICIES",
        "UNMATCHED",
        "UNMATCHED FORWARDED",
    ]);
    for endpoint in &status.endpoints {
        let name = if endpoint.generated {
            format!("{} (generated)", endpoint.name)
        } else {
            endpoint.name.clone()
        };
        for (direction, described) in [("ingress", &endpoint.ingress), ("egress", &endpoint.egress)]
        {
            table.row(vec![
                name.clone(),
                endpoint.interfaces.join(","),
                direction.to_owned(),
                described.policies.len().to_string(),
                described.unmatched.clone(),
                described.unmatched_forwarded.clone(),
            ]);
        }
    }
    table
}

fn interfaces(status: &Status) -> Table {
    let mut table = Table::new(&[
        "INTERFACE",
        ">INDEX",
        "ENDPOINT",
        "INGRESS",
        "EGRESS",
        "LAST MISSING",
    ]);
    for interface in &status.interfaces {
        table.row(vec![
            interface.name.clone(),
            interface.ifindex.to_string(),
            interface.endpoint.clone(),
            interface.hooks.ingress.clone(),
            interface.hooks.egress.clone(),
            last_missing(&interface.hooks),
        ]);
    }
    table
}

/// Time since a program was last found missing; empty if none ever was.
pub(super) fn last_missing(hooks: &Hooks) -> String {
    let then = hooks.last_missing_unix_ms;
    then.map_or_else(String::new, |then| format!("{} ago", ago(then)))
}

fn tables(status: &Status) -> Table {
    let mut table = Table::new(&["FLOWS", ">ENTRIES", ">CAPACITY", ">FULL", ">MEMORY"]);
    for flows in &status.tables {
        table.row(vec![
            flows.title.clone(),
            flows.entries.to_string(),
            flows.capacity.to_string(),
            format!("{} %", flows.percent),
            format!("{} kB", flows.bytes.div_ceil(1000)),
        ]);
    }
    table
}
