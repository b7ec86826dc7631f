//! Many interfaces under one policy.

use std::{fmt::Write as _, fs, time::Instant};

use anyhow::{Context as _, Result};
use hep_tests::{
    daemon::Daemon,
    namespace::Namespace,
    policy::{endpoint, felix, policy},
};

use crate::{expectation::Figures, interrupt, kernel_maps, policy::port};

/// Rules of the policy.
const RULES: usize = 100;

/// Starts the daemon over growing numbers of interfaces, prints what that took, and adds it to
/// `figures`.
pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<()> {
    let rows: &[(usize, Hook)] = if quick {
        &[(1, Hook::Tcx), (20, Hook::Tcx)]
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
        "{:<24}{:>12}{:>14}{:>12}{:>12}{:>12}{:>10}",
        "interfaces", "start", "of it attach", "a change", "rule lists", "tables kB", "RSS MB"
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

/// What programs are attached by.
#[derive(Clone, Copy, Debug)]
enum Hook {
    /// Links: the kernel waits for all CPUs after each.
    Tcx,
    /// Filters of a qdisc.
    Clsact,
}

/// Starts the daemon over so many interfaces; the number of compiled lists of rules.
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
    let attach_ms = logged_ms(&daemon.log(), "attach")?;
    let maps = kernel_maps::of(&daemon)?;
    let changed = hep_tests::policy::documents(&resources(hook, RULES + 1));
    let change = daemon.apply("all.yaml", &changed);
    let lists = maps.get("LISTS").context("no map LISTS")?.entries;
    let tables = maps.values().filter(|map| map.is_outer);
    println!(
        "{:<24}{start_ms:>12.0}{attach_ms:>14.0}{:>12.0}{lists:>12}{:>12}{:>10.1}",
        format!("{count}, {hook:?}"),
        change.as_secs_f64() * 1e3,
        tables.map(|map| map.bytes).sum::<u64>() / 1000,
        resident_megabytes(&daemon)?,
    );
    figures.insert(
        format!("{count} interfaces, attach by {hook:?}, s"),
        attach_ms / 1e3,
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

/// Memory of the daemon's process.
fn resident_megabytes(daemon: &Daemon) -> Result<f64> {
    let process = daemon.status()["daemon"]["pid"].clone();
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kilobytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse().ok())
        .context("no VmRSS of the daemon")?;
    Ok(kilobytes * 1.024e-3)
}

/// How long a step of the last generation took, as the daemon printed it.
fn logged_ms(log: &str, step: &str) -> Result<f64> {
    log.lines()
        .rfind(|line| line.contains(" in force: "))
        .and_then(|line| {
            line.rsplit_once(&format!("{step} "))?
                .1
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .with_context(|| format!("the daemon does not say how long {step} took"))
}
