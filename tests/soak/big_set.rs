//! No rebuild: one address joins a set of a million, or leaves it.

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
    topology::{HOST_MAC, OUTSIDE_MAC, Topology},
};

use crate::{figure::Figures, streams};

/// The port that members of the set may reach.
const PORT: u16 = 7000;
/// How long anything may take before it counts as never.
const LIMIT: Duration = Duration::from_secs(60);

/// Time after which a change is complete, and the daemon has reported it.
const REST: Duration = Duration::from_millis(500);

/// Options and limits of the soak.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Addresses in the set, half of each family
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    members: u32,
    /// Edits at each place of the list, one address each, alternating between the families
    #[arg(long, value_name = "NUMBER", default_value_t = 6)]
    edits: u32,
    /// Limit in milliseconds from the rename of the file until an edit is in force
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    edit_ms: u128,
    /// Limit in milliseconds from the rename of the file until the whole set is in force
    #[arg(long, value_name = "NUMBER", default_value_t = 5000)]
    load_ms: u128,
    /// Limit of the daemon's resident memory in MiB
    #[arg(long, value_name = "NUMBER", default_value_t = 400)]
    memory_mib: u64,
}

impl Plan {
    /// The same, shortened: a debug build on a busy machine, without limits of speed.
    pub(crate) fn quick(self) -> Self {
        Self {
            members: 20_000,
            edits: 2,
            edit_ms: LIMIT.as_millis(),
            load_ms: LIMIT.as_millis(),
            ..self
        }
    }
}

/// Runs the soak.
pub(crate) fn run(plan: &Plan, figures: &mut Figures) {
    let topology = Topology::new();
    topology.pin_neighbours();
    let allow = policy(
        "members",
        &format!(
            "types: [Ingress], ingress: [{{action: Allow, protocol: UDP, \
             source: {{selector: \"set == 'big'\"}}, destination: {{ports: [{PORT}]}}}}]"
        ),
    );
    let daemon = Daemon::start(&topology.host, &[eth0(), allow]);
    let mut set = Set {
        members: (0..plan.members).collect(),
        next: plan.members,
        probe: Probe::new(&topology),
        daemon,
    };
    let load = set.bring(plan.members - 1, true);
    thread::sleep(REST);
    figures.tell("members of the set", plan.members);
    figures.below("full load, ms", millis(load), plan.load_ms);
    let (mut most_written, mut entries) = (Some(0), 0);
    for edit in [Edit::Append, Edit::Prepend, Edit::Insert, Edit::Remove] {
        let mut times: Vec<u128> = (0..plan.edits)
            .map(|number| {
                let time = set.edit(edit, number);
                thread::sleep(REST);
                let found = set.written();
                entries = found.map_or(entries, |(_, all)| all);
                most_written = most_written
                    .zip(found)
                    .map(|(most, (one, _))| most.max(one));
                millis(time)
            })
            .collect();
        times.sort_unstable();
        let name = edit.name();
        figures.tell(format!("{name}, fastest, ms"), times.first().unwrap_or(&0));
        figures.below(
            format!("{name}, median, ms"),
            *times.get(times.len() / 2).unwrap_or(&u128::MAX),
            plan.edit_ms,
        );
        figures.tell(format!("{name}, slowest, ms"), times.last().unwrap_or(&0));
    }
    match most_written {
        Some(written) => figures.below(
            format!("entries written by any of these, of {entries}"),
            written,
            (entries / 100).max(1),
        ),
        None => figures.tell("entries written", "not told"),
    }
    figures.below(
        "resident memory of the daemon, MiB",
        resident_mib(&set.daemon),
        plan.memory_mib,
    );
}

/// Change of the list of members: kind and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    Append,
    Prepend,
    Insert,
    Remove,
}

impl Edit {
    const fn name(self) -> &'static str {
        match self {
            Self::Append => "joined at the end",
            Self::Prepend => "joined at the start",
            Self::Insert => "joined in the middle",
            Self::Remove => "left from the middle",
        }
    }
}

/// The set, and who follows it.
struct Set {
    /// In the order of the file.
    members: Vec<u32>,
    /// A number that no member had yet.
    next: u32,
    probe: Probe,
    daemon: Daemon,
}

impl Set {
    /// Makes an edit; how long it took to be in force.
    fn edit(&mut self, edit: Edit, number: u32) -> Option<Duration> {
        let middle = self.members.len() / 2;
        let at = match edit {
            Edit::Append => self.members.len(),
            Edit::Prepend => 0,
            Edit::Insert => middle,
            Edit::Remove => {
                // Of one family and the other in turns.
                let is_its = |member: &u32| member % 2 == number % 2;
                let behind = self.members[middle..].iter().position(is_its);
                let at = middle + behind.expect("both families have members there");
                let member = self.members.remove(at);
                self.probe.wait_for(member, true, Instant::now())?;
                return self.bring(member, false);
            }
        };
        self.members.insert(at, self.next);
        self.next += 1;
        self.bring(self.next - 1, true)
    }

    /// Renames a file with the members into place; how long it took until packets of this one pass,
    /// or do not pass any more.
    fn bring(&self, member: u32, passes: bool) -> Option<Duration> {
        let directory = self.daemon.directory().path();
        let staged = stage(directory, &self.members);
        let start = Instant::now();
        fs::rename(staged, directory.join("set.yaml")).expect("rename the file into place");
        self.probe.wait_for(member, passes, start)
    }

    /// How many entries the last load wrote, and of how many.
    fn written(&self) -> Option<(u64, u64)> {
        written(&self.daemon.log())
    }
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

/// Writes a set of these members to a hidden file, and returns where it is.
fn stage(directory: &Path, members: &[u32]) -> std::path::PathBuf {
    let path = directory.join(".set.new");
    let mut file = BufWriter::new(fs::File::create(&path).expect("make a file"));
    let head = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata:\n  name: big\n  \
                labels:\n    set: big\nspec:\n  nets:\n";
    file.write_all(head.as_bytes()).expect("write the set");
    for number in members {
        let member = member(*number);
        let bits = if member.is_ipv4() { 32 } else { 128 };
        writeln!(file, "  - {member}/{bits}").expect("write the set");
    }
    // As whoever replaces a file with care does: else the file system does it when the file is renamed.
    let file = file.into_inner().expect("write the set");
    file.sync_all().expect("have the set on disk");
    path
}

/// Asks whether packets of members pass.
struct Probe {
    link: Link,
    sinks: [UdpSocket; 2],
}

impl Probe {
    fn new(topology: &Topology) -> Self {
        let sinks = Net::both().map(|net| {
            topology
                .host
                .run(|| streams::socket(net.host, PORT))
                .unwrap_or_else(|error| panic!("receive at {}: {error}", net.host))
        });
        Self {
            link: Link::open(&topology.outside, "eth0"),
            sinks,
        }
    }

    /// Sends as a member until packets arrive, or do not arrive any more; how long after `start` that
    /// was.
    fn wait_for(&self, number: u32, passes: bool, start: Instant) -> Option<Duration> {
        /// So many that do not arrive are not just late.
        const MISSES: usize = 10;
        let from = member(number);
        let family = usize::from(from.is_ipv6());
        let frame = packet::udp(from, Net::both()[family].host)
            .dport(PORT)
            .ethernet(OUTSIDE_MAC, HOST_MAC)
            .frame();
        let (mut missed, mut first_missed) = (0, Duration::ZERO);
        while start.elapsed() < LIMIT {
            let sent = start.elapsed();
            self.link.send(&frame);
            thread::sleep(Duration::from_micros(300));
            let mut is_any = false;
            while self.sinks[family].recv(&mut [0; 8]).is_ok() {
                is_any = true;
            }
            if is_any && passes {
                return Some(start.elapsed());
            }
            if is_any {
                missed = 0;
                continue;
            }
            if missed == 0 {
                first_missed = sent;
            }
            missed += 1;
            if missed == MISSES && !passes {
                return Some(first_missed);
            }
        }
        None
    }
}

/// Entries that the last load wrote, and their total, as logged by the daemon: `…; 12 of 34567 entries
/// written; …`.
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
