//! `hep status`.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::{
    Exit, Format, Instance, host,
    output::{complain, print_json, print_text},
    table::{Table, duration},
};
use crate::{
    compile::{Description, EndpointDescription},
    daemon::{
        control::{self, AskError},
        local_in::LocalInStatus,
        state::{self, Journal, Moment},
        status::{Decided, Report, ReportedProblem, Written, unix_ms},
    },
    datapath::{KernelError, Maps, Occupancy, attach::Hooks, links_directory},
    printable,
};

/// Show what is in force, and the state of the daemon
///
/// Works without the daemon. Exits with 1 if no policy is in force.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: Instance,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    /// This node's name; empty if nothing is in force.
    node: String,
    /// The host's name, if the node's name is to follow it and does not yet.
    host_name: Option<String>,
    /// 0 if nothing is in force.
    generation: u32,
    applied_unix_ms: u64,
    /// Whether the daemon runs and has brought its policy into force on every interface.
    ready: bool,
    degraded: Option<String>,
    holding: Option<String>,
    /// Operators' decisions that take precedence over the policy directory: panic, trial, hold.
    #[serde(flatten)]
    decided: Decided,
    /// Whether the policy directory changed since it stopped being followed.
    directory_changed: bool,
    /// Null if the daemon does not run.
    daemon: Option<DaemonStatus>,
    /// Problems of the last load, if the daemon runs.
    problems: Vec<ReportedProblem>,
    resources: serde_json::Map<String, serde_json::Value>,
    endpoints: Vec<EndpointDescription>,
    interfaces: Vec<InterfaceStatus>,
    /// Occupancy of the flow tables.
    tables: Vec<TableStatus>,
    /// Whether packets that the kernel translates into this host are judged again.
    local_in: LocalInStatus,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TableStatus {
    #[serde(flatten)]
    occupancy: Occupancy,
    percent: usize,
    /// Whether the table is nearly full.
    pressing: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DaemonStatus {
    pid: u32,
    version: String,
    started_unix_ms: u64,
    policy_dir: String,
    last_load_unix_ms: u64,
    /// Amount that the last load in force wrote.
    last_load: Written,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InterfaceStatus {
    name: String,
    ifindex: u32,
    endpoint: String,
    workload: bool,
    hooks: Hooks,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let instance = &arguments.instance;
    let report = match control::ask(&instance.socket) {
        Ok(report) => Some(report),
        Err(AskError::NotRunning(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let read = |maps: Maps| Ok((maps.description()?, maps.occupancy()?));
    let (description, tables) = match Maps::open(&instance.bpffs).and_then(read) {
        Ok(found) => found,
        Err(KernelError::NotPinned(_) | KernelError::NoGeneration) => Default::default(),
        Err(error) => return Err(error.into()),
    };
    let decided = match &report {
        Some(report) => report.decided.clone(),
        None => Decided::of(&journal(instance), &Moment::now()),
    };
    let links = links_directory(&instance.bpffs);
    let hooks = host::hooks(&description, &links)?;
    let local_in = match &report {
        Some(report) => report.local_in.clone(),
        None => LocalInStatus::left_in(&links),
    };
    let status = Status {
        local_in,
        ..merge(description, hooks, tables, report, decided)
    };
    match format {
        Format::Json => print_json(&status)?,
        Format::Text => print_text(text(&status))?,
    }
    Ok(if status.generation == 0 {
        Exit::Negative
    } else {
        Exit::Ok
    })
}

/// Reads the journal; an unreadable one is reported and replaced by an empty one, so that the rest of
/// the status is printed all the same.
fn journal(instance: &Instance) -> Journal {
    state::read_journal(&instance.state_dir).unwrap_or_else(|error| {
        complain(format_args!(
            "what was decided is not known: {:#}",
            anyhow::Error::new(error)
        ));
        Journal::default()
    })
}

fn merge(
    description: Description,
    hooks: Vec<Hooks>,
    tables: Vec<Occupancy>,
    report: Option<Report>,
    decided: Decided,
) -> Status {
    let report_or_default = report.clone().unwrap_or_default();
    Status {
        node: if description.node.is_empty() {
            report_or_default.node
        } else {
            description.node
        },
        host_name: report_or_default.host_name,
        generation: description.generation,
        applied_unix_ms: description.applied_unix_ms,
        // A generation is in force before all of its interfaces have their programs.
        ready: report_or_default.ready && report_or_default.generation == description.generation,
        degraded: report_or_default.degraded,
        holding: report_or_default.holding,
        decided,
        directory_changed: report_or_default.directory_changed,
        daemon: report.map(|report| DaemonStatus {
            pid: report.pid,
            version: report.version,
            started_unix_ms: report.started_unix_ms,
            policy_dir: report.policy_dir.display().to_string(),
            last_load_unix_ms: report.last_load_unix_ms,
            last_load: report.written,
        }),
        problems: report_or_default.problems,
        resources: description
            .resources
            .into_iter()
            .map(|(kind, count)| (kind, count.into()))
            .collect(),
        endpoints: description.endpoints,
        interfaces: description
            .interfaces
            .into_iter()
            .zip(hooks)
            .map(|(interface, hooks)| InterfaceStatus {
                hooks,
                name: interface.name,
                ifindex: interface.ifindex,
                endpoint: interface.endpoint,
                workload: interface.workload,
            })
            .collect(),
        tables: tables
            .into_iter()
            .map(|occupancy| TableStatus {
                percent: occupancy.percent(),
                pressing: occupancy.is_pressing(),
                occupancy,
            })
            .collect(),
        local_in: LocalInStatus::default(),
    }
}

fn text(status: &Status) -> String {
    let now = unix_ms();
    let ago = |then: u64| duration(now.saturating_sub(then) / 1000);
    let mut lines = Vec::new();
    if status.generation == 0 {
        lines.push("policy: none in force, nothing is policed".to_owned());
    } else {
        let resources: Vec<String> = status
            .resources
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let other = status.host_name.as_ref().map_or_else(String::new, |name| {
            format!(" (the host is called {name}, which no HostEndpoint names)")
        });
        lines.push(format!("node:   {}{other}", status.node));
        lines.push(format!(
            "policy: generation {}, in force for {}: {}",
            status.generation,
            ago(status.applied_unix_ms),
            resources.join(", ")
        ));
    }
    lines.push(match &status.daemon {
        Some(daemon) => format!(
            "daemon: running for {}, pid {}, version {}, policy directory {}",
            ago(daemon.started_unix_ms),
            daemon.pid,
            daemon.version,
            daemon.policy_dir
        ),
        None => "daemon: not running".to_owned(),
    });
    if let Some(daemon) = &status.daemon
        && daemon.last_load.entries > 0
    {
        let Written { written, entries } = daemon.last_load;
        lines.push(format!(
            "load:   the last one wrote {written} of {entries} entries"
        ));
    }
    if let Some(reason) = &status.degraded {
        lines.push(format!("degraded: {reason}"));
    }
    if let Some(reason) = &status.holding {
        lines.push(format!("holding: {reason}"));
    }
    lines.extend(decisions(status));
    lines.extend(status.local_in.line());
    let pressing = status.tables.iter().filter(|table| table.pressing);
    lines.extend(pressing.map(|table| format!("warning: {}", table.occupancy.warning())));
    let mut text = printable::lines(lines);
    for table in [endpoints(status), interfaces(status), tables(status)] {
        if !table.is_empty() {
            text.push_str(&format!("\n\n{table}"));
        }
    }
    if !status.problems.is_empty() {
        let last_load = status
            .daemon
            .as_ref()
            .map_or(0, |daemon| daemon.last_load_unix_ms);
        text.push_str(&format!(
            "\n\nproblems of the last load, {} ago:\n",
            ago(last_load)
        ));
        let problems = status.problems.iter();
        text.push_str(&printable::lines(
            problems.map(|problem| format!("  {}", problem.text)),
        ));
    }
    text
}

/// Lines for each decision that takes precedence over the policy directory.
fn decisions(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    let ago = |then: u64| duration(unix_ms().saturating_sub(then) / 1000);
    let decided = &status.decided;
    if let Some(panic) = &decided.panic {
        lines.push(format!(
            "panic: for {} only failsafes and established flows pass; `hep resume` ends that",
            ago(panic.since_unix_ms)
        ));
    }
    if let Some(trial) = &decided.trial {
        lines.push(format!(
            "trial: generation {} from {}, {} s left; `hep confirm` keeps it, else generation {} \
             comes back",
            trial.generation,
            trial.policy_dir.display(),
            trial.left_ms.div_ceil(1000),
            trial.back_to
        ));
    }
    if let Some(held) = &decided.held {
        lines.push(format!(
            "held: generation {} was brought back {} ago; the policy directory is not followed \
             until its content changes, or until `hep resume`",
            held.generation,
            ago(held.since_unix_ms)
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
            interface.hooks.ingress.name().to_owned(),
            interface.hooks.egress.name().to_owned(),
            last_missing(&interface.hooks),
        ]);
    }
    table
}

/// How long ago a program was last found missing; empty if never.
pub(super) fn last_missing(hooks: &Hooks) -> String {
    let ago = |then: u64| duration(unix_ms().saturating_sub(then) / 1000);
    let then = hooks.last_missing_unix_ms;
    then.map_or_else(String::new, |then| format!("{} ago", ago(then)))
}

fn tables(status: &Status) -> Table {
    let mut table = Table::new(&["FLOWS", ">ENTRIES", ">CAPACITY", ">FULL", ">MEMORY"]);
    for TableStatus {
        occupancy, percent, ..
    } in &status.tables
    {
        table.row(vec![
            occupancy.name(),
            occupancy.entries.to_string(),
            occupancy.capacity.to_string(),
            format!("{percent} %"),
            format!("{} kB", occupancy.bytes.div_ceil(1000)),
        ]);
    }
    table
}
