//! Fuzzing the kernel against the reference evaluator, or against nftables, for as long as asked.

mod oracle;

use std::{
    env, fs,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use hep_tests::differential::{Hunt, Outcome, PACKETS_PER_SET, Tally, run_seed, shrink};
use hep_userspace::cases::KernelEngine;

const USAGE: &str = "usage: hep-fuzz [--minutes N] [--sets N] [--packets N] [--seed N] [--threads N] [--directory DIR] [--hunt FAMILY]
       hep-fuzz --oracle nftables [--minutes N] [--frames N] [--seed N] [--link KIND]

Judges random packets under random resources by the kernel and by the reference
evaluator until the time is over or so many resource sets are done. On a
disagreement, writes a case file that `hep test` runs, and exits with 1.

With --hunt (ipv4, ipv6 or both) one thread looks for a disagreement in each family
asked for, and prints as JSON how many resource sets and packets it took; exits with
1 if one is not found.

With --oracle nftables it sends random frames over every kind of link (or those with
KIND in their name) at a host that hep polices, with nftables behind it as the judge;
prints those that get past although policy denies them, and exits with 1 if there are
any.";

/// What was asked for.
struct Plan {
    minutes: f64,
    sets: u64,
    packets: usize,
    seed: u64,
    threads: usize,
    directory: PathBuf,
    hunt: Option<[bool; 2]>,
    oracle: bool,
    frames: u64,
    link: Option<String>,
}

impl Plan {
    fn from_arguments() -> Result<Self> {
        let mut plan = Self {
            minutes: f64::INFINITY,
            sets: u64::MAX,
            packets: PACKETS_PER_SET,
            seed: 1,
            threads: thread::available_parallelism().map_or(1, usize::from),
            directory: PathBuf::from("target/fuzz"),
            hunt: None,
            oracle: false,
            frames: u64::MAX,
            link: None,
        };
        let mut arguments = env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().with_context(|| USAGE)?;
            match name.as_str() {
                "--minutes" => plan.minutes = value.parse()?,
                "--sets" => plan.sets = value.parse()?,
                "--packets" => plan.packets = value.parse()?,
                "--seed" => plan.seed = value.parse()?,
                "--threads" => plan.threads = value.parse()?,
                "--hunt" => {
                    plan.hunt = match value.as_str() {
                        "ipv4" => Some([true, false]),
                        "ipv6" => Some([false, true]),
                        "both" => Some([true, true]),
                        _ => bail!(USAGE),
                    }
                }
                "--oracle" if value == "nftables" => plan.oracle = true,
                "--frames" => plan.frames = value.parse()?,
                "--link" => plan.link = Some(value),
                "--directory" => plan.directory = value.into(),
                _ => bail!(USAGE),
            }
        }
        if plan.minutes.is_infinite() && plan.sets == u64::MAX && plan.frames == u64::MAX {
            plan.minutes = 1.0;
        }
        Ok(plan)
    }
}

fn main() -> ExitCode {
    let outcome = Plan::from_arguments().and_then(|plan| match plan.hunt {
        _ if plan.oracle => oracle::run(&plan),
        Some(families) => hunt(&plan, families),
        None => run(&plan),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hep-fuzz: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether the engines disagreed in the families asked for.
fn hunt(plan: &Plan, families: [bool; 2]) -> Result<bool> {
    let limit = Duration::try_from_secs_f64(plan.minutes * 60.0).unwrap_or(Duration::MAX);
    let start = Instant::now();
    let mut kernel = KernelEngine::new()?;
    let mut hunt = Hunt::new(families);
    for seed in plan.seed..plan.seed.saturating_add(plan.sets) {
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
        let workers: Vec<_> = (0..plan.threads)
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
    let limit = Duration::try_from_secs_f64(plan.minutes * 60.0).unwrap_or(Duration::MAX);
    let mut kernel = KernelEngine::new()?;
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) && start.elapsed() < limit {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed - plan.seed >= plan.sets {
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
