//! Fuzzing the kernel against the reference evaluator, or against nftables, within limits of time or
//! number.

mod oracle;

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use clap::{Parser, ValueEnum};
use hep_tests::differential::{Hunt, Outcome, PACKETS_PER_SET, Tally, run_seed, shrink};
use hep_userspace::cases::KernelEngine;

/// Judges random packets under random resources by the kernel and by the reference evaluator.
///
/// On a disagreement, writes a case file that `hep test` runs, and exits with 1.
#[derive(Parser)]
#[command(name = "hep-fuzz")]
struct Plan {
    /// Time limit in minutes; one minute if neither this, --sets nor --frames is given
    #[arg(long, value_name = "NUMBER")]
    minutes: Option<f64>,
    /// Number of resource sets
    #[arg(long, value_name = "NUMBER")]
    sets: Option<u64>,
    /// Packets per resource set
    #[arg(long, value_name = "NUMBER", default_value_t = PACKETS_PER_SET)]
    packets: usize,
    /// First seed; to reproduce a disagreement, give its seed
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Resource sets judged in parallel; by default the number of CPUs
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
    /// Directory for case files
    #[arg(long, value_name = "DIRECTORY", default_value = "target/fuzz")]
    directory: PathBuf,
    /// Look for a disagreement in each of these families, and print as JSON how many sets and packets that
    /// took; exit with 1 if one is not found
    #[arg(long, value_enum, value_name = "FAMILY")]
    hunt: Option<Families>,
    /// Send random frames over every kind of link to a host policed by hep, with this judge behind it;
    /// print those that get past although policy denies them, and exit with 1 if there are any
    #[arg(long, value_enum, value_name = "JUDGE", conflicts_with_all = ["sets", "threads", "directory", "hunt"])]
    oracle: Option<Oracle>,
    /// With --oracle: number of frames
    #[arg(long, value_name = "NUMBER", requires = "oracle")]
    frames: Option<u64>,
    /// With --oracle: only links with this text in their name
    #[arg(long, value_name = "KIND", requires = "oracle")]
    link: Option<String>,
}

/// Families to look in.
#[derive(Clone, Copy, ValueEnum)]
enum Families {
    Ipv4,
    Ipv6,
    Both,
}

impl Families {
    /// IPv4 and IPv6.
    const fn wanted(self) -> [bool; 2] {
        match self {
            Self::Ipv4 => [true, false],
            Self::Ipv6 => [false, true],
            Self::Both => [true, true],
        }
    }
}

/// An independent judge.
#[derive(Clone, Copy, ValueEnum)]
enum Oracle {
    Nftables,
}

impl Plan {
    /// How long at most.
    fn limit(&self) -> Duration {
        let is_bounded = self.sets.is_some() || self.frames.is_some();
        let minutes = self
            .minutes
            .unwrap_or(if is_bounded { f64::INFINITY } else { 1.0 });
        Duration::try_from_secs_f64(minutes * 60.0).unwrap_or(Duration::MAX)
    }

    /// How many sets of resources at most.
    fn sets(&self) -> u64 {
        self.sets.unwrap_or(u64::MAX)
    }
}

fn main() -> ExitCode {
    let plan = Plan::parse();
    let outcome = match (plan.oracle, plan.hunt) {
        (Some(Oracle::Nftables), _) => oracle::run(&plan),
        (None, Some(families)) => hunt(&plan, families.wanted()),
        (None, None) => run(&plan),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hep-fuzz: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether the engines disagreed in the wanted families.
fn hunt(plan: &Plan, families: [bool; 2]) -> Result<bool> {
    let limit = plan.limit();
    let start = Instant::now();
    let mut kernel = KernelEngine::new()?;
    let mut hunt = Hunt::new(families);
    for seed in plan.seed..plan.seed.saturating_add(plan.sets()) {
        if hunt.is_over() || start.elapsed() > limit {
            break;
        }
        hunt.seed(seed, plan.packets, &mut kernel)?;
    }
    for (family, found) in ["IPv4", "IPv6"].into_iter().zip(hunt.found()) {
        if let Some(found) = found {
            let line = serde_json::json!({
                "family": family,
                "seed": found.seed,
                "sets": found.sets,
                "packets": found.packets,
                "problem": found.problem,
            });
            println!("{line}");
        }
    }
    Ok(hunt.is_over())
}

/// Whether the engines agreed on everything.
fn run(plan: &Plan) -> Result<bool> {
    println!("seeds from {} on, {} packets each", plan.seed, plan.packets);
    let start = Instant::now();
    let next = AtomicU64::new(plan.seed);
    let stop = AtomicBool::new(false);
    let tallies = thread::scope(|scope| {
        let cpus = || thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..plan.threads.unwrap_or_else(cpus))
            .map(|_| scope.spawn(|| work(plan, start, &next, &stop)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_panic| anyhow!("a worker died"))?)
            .collect::<Result<Vec<Tally>>>()
    })?;
    let sum = |field: fn(&Tally) -> u64| tallies.iter().map(field).sum::<u64>();
    let agreed = !stop.load(Ordering::Relaxed);
    println!(
        "seeds {}..{}: {} resource sets, {} not valid, {} packets, {} allowed, {} by a rule or \
         default, {:.1} s, {}",
        plan.seed,
        next.load(Ordering::Relaxed),
        sum(|tally| tally.sets),
        sum(|tally| tally.invalid),
        sum(|tally| tally.packets),
        sum(|tally| tally.allowed),
        sum(|tally| tally.by_rule),
        start.elapsed().as_secs_f64(),
        if agreed {
            "no disagreement"
        } else {
            "DISAGREEMENT"
        },
    );
    Ok(agreed)
}

fn work(plan: &Plan, start: Instant, next: &AtomicU64, stop: &AtomicBool) -> Result<Tally> {
    let limit = plan.limit();
    let mut kernel = KernelEngine::new()?;
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) && start.elapsed() < limit {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed - plan.seed >= plan.sets() {
            next.fetch_sub(1, Ordering::Relaxed);
            break;
        }
        if let Outcome::Disagree(case, problem) =
            run_seed(seed, plan.packets, &mut kernel, &mut tally)?
        {
            stop.store(true, Ordering::Relaxed);
            println!(
                "seed {seed}, after {} packets of this worker: {problem}",
                tally.packets
            );
            let small = shrink(&case, &mut kernel)?;
            fs::create_dir_all(&plan.directory)?;
            let path = plan.directory.join(format!("seed-{seed}.json"));
            fs::write(&path, serde_json::to_string_pretty(&small)? + "\n")?;
            println!("{}", serde_json::to_string_pretty(&small)?);
            println!(
                "written to {}; run `hep test --engine both {}`",
                path.display(),
                path.display()
            );
        }
    }
    Ok(tally)
}
