//! Many interfaces under one policy.

use std::{fmt::Write as _, time::Instant};

use anyhow::{Context as _, Result};
use hep_tests::{
    daemon::Daemon,
    namespace::Namespace,
    policy::{endpoint, felix, policy},
};
use hep_userspace::datapath::Maps;

use crate::{expectation::Figures, interrupt, kernel_maps, policy::port, process};

/// Rules of the policy.
const RULES: usize = 100;

/// Starts the daemon over growing numbers of interfaces, prints what that took, and adds it to
/// `figures`.
pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<()> {
    let rows: &[(usize, Hook)] = if quick {
        &[(1, Hook::Tcx), (200, Hook::Tcx)]
    } else {
        &[
            (1, Hook::Tcx),
            (20, Hook::Tcx),
            (200, Hook::Tcx),
            (200, Hook::Clsact),
        ]
    };
    println!("\nInterfaces under one `*` policy of {RULES} rules, `hep run`, milliseconds");
    println!(
        "{:<24}{:>12}{:>12}{:>14}{:>12}{:>12}{:>12}{:>10}",
        "interfaces",
        "start",
        "in force",
        "of it attach",
        "a change",
        "rule lists",
        "tables kB",
        "RSS MB"
    );
    let mut lists_of_one = None;
    for (count, hook) in rows {
        interrupt::check()?;
        let lists = measure(*count, *hook, figures)?;
        let lists_of_one = *lists_of_one.get_or_insert(lists);
        figures.insert(
            format!("{count} interfaces, rule lists against 1 interface"),
            lists / lists_of_one,
        );
    }
    Ok(())
}

/// Way of attaching programs.
#[derive(Clone, Copy, Debug)]
enum Hook {
    /// Links.
    Tcx,
    /// Filters of a qdisc.
    Clsact,
}

/// Starts the daemon over `count` interfaces; returns the number of compiled lists of rules.
fn measure(count: usize, hook: Hook, figures: &mut Figures) -> Result<f64> {
    let host = Namespace::new("scale");
    let far = Namespace::new("far");
    let mut links = String::new();
    for number in 0..count {
        let _infallible = write!(
            links,
            "link add d{number} type veth peer name d{number} netns {}\nlink set d{number} up\n",
            far.name()
        );
    }
    host.ip(&links);

    let started = Instant::now();
    let mut daemon = Daemon::start(&host, &resources(hook, RULES));
    let start_ms = started.elapsed().as_secs_f64() * 1e3;
    let phases = process::phases(&daemon)?;
    let attach = phases.iter().find(|(name, _)| name == "attach");
    let (_, attach_ms) = attach.context("the daemon says nothing of attaching")?;
    let in_force_ms: f64 = phases.iter().map(|(_, ms)| ms).sum();
    let maps = kernel_maps::of(&daemon)?;
    let changed = hep_tests::policy::documents(&resources(hook, RULES + 1));
    let change = daemon.apply("all.yaml", &changed);
    let description = Maps::open(daemon.bpffs())?.description()?;
    // The first is a placeholder.
    let lists = description.lists.len().saturating_sub(1);
    let tables = maps.values().filter(|map| map.is_table);
    println!(
        "{:<24}{start_ms:>12.0}{in_force_ms:>12.0}{attach_ms:>14.0}{:>12.0}{lists:>12}{:>12}{:>10.1}",
        format!("{count}, {hook:?}"),
        change.as_secs_f64() * 1e3,
        tables.map(|map| map.bytes).sum::<u64>() / 1000,
        process::daemon_megabytes(&daemon, "VmRSS")?,
    );
    figures.insert(
        format!("{count} interfaces, {hook:?}, attached and in force, s"),
        in_force_ms / 1e3,
    );
    Ok(f64::from(u32::try_from(lists)?))
}

/// One policy for all interfaces.
fn resources(hook: Hook, rules: usize) -> Vec<String> {
    let attach_type = match hook {
        Hook::Tcx => "TCX",
        Hook::Clsact => "TC",
    };
    let rules: Vec<String> = (0..rules)
        .map(|number| {
            format!(
                "{{action: Allow, protocol: TCP, destination: {{ports: [{}]}}}}",
                port(number)
            )
        })
        .collect();
    vec![
        endpoint("all", "interfaceName: '*'"),
        felix(&format!(
            "bpfAttachType: {attach_type}, failsafeInboundHostPorts: [], failsafeOutboundHostPorts: []"
        )),
        policy(
            "all",
            &format!("types: [Ingress], ingress: [{}]", rules.join(", ")),
        ),
    ]
}
