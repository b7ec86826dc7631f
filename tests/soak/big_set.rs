//! No rebuild: one address joins a set of a million.

use std::{
    fs,
    io::{BufWriter, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    link::Link,
    packet,
    policy::{eth0, policy},
    site::{HOST_MAC, OUTSIDE_MAC, Site},
};

use crate::{figure::Figures, streams};

/// The port that members of the set may reach.
const PORT: u16 = 7000;
/// How long anything may take before it counts as never.
const LIMIT: Duration = Duration::from_secs(60);

/// How much of what, and what it may cost.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Addresses in the set, half of each family
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    members: u32,
    /// Addresses that join, one after the other
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    joins: u32,
    /// Milliseconds from the rename of the file until a new member is in force
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    join_ms: u128,
    /// Milliseconds from the rename of the file until the whole set is
    #[arg(long, value_name = "NUMBER", default_value_t = 5000)]
    load_ms: u128,
    /// MiB of resident memory of the daemon
    #[arg(long, value_name = "NUMBER", default_value_t = 400)]
    memory_mib: u64,
}

impl Plan {
    /// The same, shortened: a debug build on a busy machine, of which no speed is asked.
    pub(crate) fn quick(self) -> Self {
        Self {
            members: 20_000,
            joins: 3,
            join_ms: LIMIT.as_millis(),
            load_ms: LIMIT.as_millis(),
            ..self
        }
    }
}

/// Runs the soak.
pub(crate) fn run(plan: &Plan, figures: &mut Figures) {
    let site = Site::new();
    site.pin_neighbours();
    let allow = policy(
        "members",
        &format!(
            "types: [Ingress], ingress: [{{action: Allow, protocol: UDP, \
             source: {{selector: \"set == 'big'\"}}, destination: {{ports: [{PORT}]}}}}]"
        ),
    );
    let daemon = Daemon::start(&site.host, &[eth0(), allow]);
    let probe = Probe::new(&site);
    let directory = daemon.directory().path();
    let add = |members: u32| {
        let staged = stage(directory, members);
        let start = Instant::now();
        fs::rename(staged, directory.join("set.yaml")).expect("rename the file into place");
        probe.wait_for(members - 1, start)
    };

    let load = add(plan.members);
    figures.tell("members of the set", plan.members);
    figures.below("full load, ms", millis(load), plan.load_ms);
    let mut times: Vec<u128> = (1..=plan.joins)
        .map(|join| {
            // Nothing is left to do for the one before.
            thread::sleep(Duration::from_millis(500));
            millis(add(plan.members + join))
        })
        .collect();
    times.sort_unstable();
    figures.tell("members that joined", plan.joins);
    figures.tell("join, fastest, ms", times.first().unwrap_or(&0));
    figures.below(
        "join, median, ms",
        *times.get(times.len() / 2).unwrap_or(&u128::MAX),
        plan.join_ms,
    );
    figures.tell("join, slowest, ms", times.last().unwrap_or(&0));
    match written(&daemon.log()) {
        Some((written, all)) => figures.below(
            format!("entries written by the last join, of {all}"),
            written,
            (all / 100).max(1),
        ),
        None => figures.tell("entries written by the last join", "not told"),
    }
    figures.below(
        "resident memory of the daemon, MiB",
        resident_mib(&daemon),
        plan.memory_mib,
    );
}

fn millis(time: Option<Duration>) -> u128 {
    time.map_or(u128::MAX, |time| time.as_millis())
}

/// Member number `number`, of one family or the other.
fn member(number: u32) -> IpAddr {
    // No two are neighbours, so that none can be put together.
    let spread = number / 2 * 7;
    if number.is_multiple_of(2) {
        Ipv4Addr::from_bits(u32::from_be_bytes([100, 0, 0, 1]) + spread).into()
    } else {
        let [high, low] =
            [spread >> 16, spread & 0xffff].map(|half| u16::try_from(half).expect("has 16 bits"));
        Ipv6Addr::new(0x2001, 0xdb8, 0x100, high, low, 0, 0, 1).into()
    }
}

/// Writes a set of so many members to a hidden file, and returns where it is.
fn stage(directory: &Path, members: u32) -> std::path::PathBuf {
    let path = directory.join(".set.new");
    let mut file = BufWriter::new(fs::File::create(&path).expect("make a file"));
    let head = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata:\n  name: big\n  \
                labels:\n    set: big\nspec:\n  nets:\n";
    file.write_all(head.as_bytes()).expect("write the set");
    for number in 0..members {
        let member = member(number);
        let bits = if member.is_ipv4() { 32 } else { 128 };
        writeln!(file, "  - {member}/{bits}").expect("write the set");
    }
    file.flush().expect("write the set");
    path
}

/// Asks whether packets of members pass.
struct Probe {
    link: Link,
    sinks: [UdpSocket; 2],
}

impl Probe {
    fn new(site: &Site) -> Self {
        let sinks = Net::both().map(|net| {
            site.host
                .run(|| streams::socket(net.host, PORT))
                .unwrap_or_else(|error| panic!("receive at {}: {error}", net.host))
        });
        Self {
            link: Link::open(&site.outside, "eth0"),
            sinks,
        }
    }

    /// Sends as a member until a packet arrives; how long after `start` that was.
    fn wait_for(&self, number: u32, start: Instant) -> Option<Duration> {
        let from = member(number);
        let family = usize::from(from.is_ipv6());
        let frame = packet::udp(from, Net::both()[family].host)
            .dport(PORT)
            .ethernet(OUTSIDE_MAC, HOST_MAC)
            .frame();
        while start.elapsed() < LIMIT {
            self.link.send(&frame);
            thread::sleep(Duration::from_micros(300));
            let mut is_any = false;
            while self.sinks[family].recv(&mut [0; 8]).is_ok() {
                is_any = true;
            }
            if is_any {
                return Some(start.elapsed());
            }
        }
        None
    }
}

/// How many entries the last load wrote, and of how many, as the daemon tells:
/// `…; 12 of 34567 entries written; …`.
fn written(log: &str) -> Option<(u64, u64)> {
    let line = log.lines().rev().find(|line| line.contains("in force"))?;
    let (before, _) = line.split_once(" entries written")?;
    let (before, all) = before.rsplit_once(" of ")?;
    let written = before.rsplit(' ').next()?;
    Some((written.parse().ok()?, all.parse().ok()?))
}

fn resident_mib(daemon: &Daemon) -> u64 {
    let process = daemon.process().expect("it runs");
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it has a status");
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.expect("the kernel tells") / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_tells_how_much_it_wrote() {
        let log = "info: generation 1 in force: a; 9 of 9 entries written; read 1 ms\n\
                   info: generation 2 in force: a; 3 of 812 entries written; read 1 ms\n";
        assert_eq!(written(log), Some((3, 812)));
        assert_eq!(written("info: generation 2 in force: a\n"), None);
    }

    #[test]
    fn members_alternate_between_the_families() {
        assert_eq!(member(2).to_string(), "100.0.0.8");
        assert_eq!(member(3).to_string(), "2001:db8:100:0:7::1");
    }
}
