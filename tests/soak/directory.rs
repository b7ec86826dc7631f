//! Nothing in between: whatever happens to the policy directory, the policy in force is that of a complete
//! directory.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use hep_tests::{daemon::Daemon, eventually, policy::network_set, topology::Topology};

use crate::{
    chaos_dir::{self, ChaosDir},
    config_map::ConfigMap,
    figure::Figures,
    reader::{Open, Reader},
};

/// How long a complete directory may take to be in force, on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);
/// How often the directory is read without a notification, and time for the load.
const RESCAN: Duration = Duration::from_secs(35);

/// Options of the soak.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Changes of the directory
    #[arg(long, value_name = "NUMBER", default_value_t = 500)]
    operations: u64,
    /// Swaps of the directory, as for ConfigMaps
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    swaps: u64,
    /// Files in the part about many files
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    files: u32,
    /// Skip the part about a change without a notification, which waits for half a minute
    #[arg(long)]
    without_rescan: bool,
    /// Seed of the random operations
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

impl Plan {
    /// The same, shortened.
    pub(crate) fn quick(self) -> Self {
        Self {
            operations: 10,
            swaps: 3,
            files: 500,
            without_rescan: true,
            ..self
        }
    }
}

/// Runs the soak.
pub(crate) fn run(plan: &Plan, figures: &mut Figures) {
    strange_things(plan, figures);
    swaps(plan, figures);
}

fn strange_things(plan: &Plan, figures: &mut Figures) {
    let (topology, mut daemon) = prepare();
    let path = daemon.directory().path().to_owned();
    let mut chaos_dir = ChaosDir::new(&path, plan.seed);
    daemon.spawn();
    daemon.wait_for(1);
    let reader = Reader::new(topology, daemon.bpffs().to_owned());
    reader.during(|| {
        let slowest = disturb(plan, &mut chaos_dir, &reader);
        figures.exactly("operations", chaos_dir.done.values().sum(), plan.operations);
        for (operation, count) in &chaos_dir.done {
            figures.tell(format!("  {operation}"), count);
        }
        figures.tell(
            "longest until a complete directory is in force, ms",
            slowest,
        );
        chaos_dir.states.judge("operations", &reader, figures);
        many_files(plan, &path, &reader, figures);
        if !plan.without_rescan {
            unnoticed(&path, &reader, figures);
        }
    });
}

fn swaps(plan: &Plan, figures: &mut Figures) {
    let (topology, mut daemon) = prepare();
    let mut map = ConfigMap::new(daemon.directory().path(), plan.seed);
    daemon.spawn();
    daemon.wait_for(1);
    let reader = Reader::new(topology, daemon.bpffs().to_owned());
    reader.during(|| {
        for _ in 0..plan.swaps {
            let opens = map.swap();
            come_into_force(&reader, opens);
            map.states.last_is_in_force();
        }
    });
    figures.exactly("swaps of ..data", plan.swaps, plan.swaps);
    map.states.judge("swaps of ..data", &reader, figures);
}

fn prepare() -> (Topology, Daemon) {
    let topology = Topology::new();
    topology.pin_neighbours();
    let daemon = Daemon::prepare(&topology.host, &[]);
    (topology, daemon)
}

/// Waits until these ports are open; how long that took.
fn come_into_force(reader: &Reader, opens: Open) -> Duration {
    let start = Instant::now();
    let is_reached = eventually(LIMIT, || reader.now() == opens);
    let now = reader.now();
    assert!(
        is_reached,
        "{opens:016b} does not come into force: {now:016b}"
    );
    start.elapsed()
}

/// Changes the directory in bursts, and waits after each for the resulting policy; returns the longest wait
/// in milliseconds.
fn disturb(plan: &Plan, chaos_dir: &mut ChaosDir, reader: &Reader) -> u128 {
    let mut slowest = 0;
    let mut left = plan.operations;
    while left > 0 {
        let burst = left.min(1 + left % 3);
        for _ in 0..burst {
            chaos_dir.disturb();
            chaos_dir.pause(70);
        }
        left -= burst;
        if chaos_dir.opens().is_none() {
            // Long enough to be read.
            thread::sleep(Duration::from_millis(200));
            chaos_dir.mend();
        }
        let wanted = chaos_dir.opens().expect("nothing is broken now");
        slowest = slowest.max(come_into_force(reader, wanted).as_millis());
        // The next burst is no part of this one.
        thread::sleep(Duration::from_millis(350));
        chaos_dir.states.last_is_in_force();
    }
    slowest
}

/// Thousands of files, one of which then changes.
fn many_files(plan: &Plan, path: &Path, reader: &Reader, figures: &mut Figures) {
    only(path, 0b1);
    // The policy and what is always there are two.
    for number in 2..plan.files {
        let [_, _, high, low] = number.to_be_bytes();
        let net = format!("203.{high}.{low}.0/24");
        let set = network_set(&format!("s{number}"), "", &[net]);
        fs::write(path.join(format!("set-{number}.yaml")), set).expect("write a file");
    }
    for (what, opens) in [("all", 0b101), ("one more change", 0b11)] {
        only(path, opens);
        let time = come_into_force(reader, opens);
        figures.tell(
            format!("{} files: {what} in force after, ms", plan.files),
            time.as_millis(),
        );
    }
}

/// Makes `p0.yaml` the only policy.
fn only(path: &Path, opens: Open) {
    for entry in fs::read_dir(path).expect("list the directory").flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('p') && name != "p0.yaml" {
            fs::remove_file(entry.path()).expect("remove a file");
        }
    }
    let staged = path.join(".staged");
    fs::write(&staged, chaos_dir::policy(0, opens)).expect("write a hidden file");
    fs::rename(staged, path.join("p0.yaml")).expect("rename a file into place");
}

/// A file is changed under another name, in another directory, as another client of a network file
/// system does.
fn unnoticed(path: &Path, reader: &Reader, figures: &mut Figures) {
    let opens = 0b110;
    let file = path.join("p0.yaml");
    let other = path.with_extension("other-name");
    fs::hard_link(&file, &other).expect("give the file another name");
    fs::write(&other, chaos_dir::policy(0, opens)).expect("write the file");
    let start = Instant::now();
    let is_reached = eventually(RESCAN, || reader.now() == opens);
    drop(fs::remove_file(other));
    figures.exactly(
        "a change that nobody is notified of is in force",
        is_reached,
        true,
    );
    figures.tell(
        "a change that nobody is notified of: after, ms",
        start.elapsed().as_millis(),
    );
}
