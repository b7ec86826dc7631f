//! Soaks: what must hold while everything is done to the firewall that can be, with figures.
//!
//! `cargo xtask soak` runs them at full length; as tests they run shortened.

mod big_set;
mod cold_start;
mod continuity;
mod directory;
#[cfg(target_arch = "x86_64")]
mod faults;
mod flood;
mod idle;
mod newcomers;
#[cfg(test)]
mod quick;
mod support;
mod trial;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

// The soaks name their helpers without `support`.
#[cfg(target_arch = "x86_64")]
use self::support::tracer;
use self::support::{
    chaos_dir, config_map, connections,
    figure::{self, Figures},
    frames, policies, queues, reader, states, streams, traffic,
};

/// Soak tests of the firewall, in namespaces of their own; `HEP_BIN` names the build to test.
#[derive(Parser)]
#[command(name = "hep-soak")]
struct Arguments {
    /// As short as in the tests; overrides the other options
    #[arg(long, global = true)]
    quick: bool,
    #[command(subcommand)]
    soak: Soak,
}

#[derive(Subcommand)]
enum Soak {
    /// Traffic while policies are swapped, and daemons killed and replaced
    Continuity(continuity::Plan),
    /// Edits of an address set with a million members
    BigSet(big_set::Plan),
    /// Connections in mid-transfer when policy is enforced for the first time
    ColdStart(cold_start::Plan),
    /// Random changes and faults of a policy directory
    Directory(directory::Plan),
    /// Loads in which one system call after the other fails
    #[cfg(target_arch = "x86_64")]
    Faults(faults::Plan),
    /// Established connections under floods of new flows, and with full tables
    Flood(flood::Plan),
    /// Idle connections under blind RSTs, and beyond their timer
    Idle(idle::Plan),
    /// Interfaces that appear, under a large policy and during other notifications
    Newcomers(newcomers::Plan),
    /// A policy on trial while its client, terminal, daemon or host dies
    Try(trial::Plan),
}

fn main() -> ExitCode {
    let figures = run(Arguments::parse());
    print!("{}", figures.table());
    if figures.are_met() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run(Arguments { quick, soak }: Arguments) -> Figures {
    let mut figures = Figures::default();
    match soak {
        Soak::Continuity(plan) => {
            continuity::run(&if quick { plan.quick() } else { plan }, &mut figures);
        }
        Soak::BigSet(plan) => big_set::run(&if quick { plan.quick() } else { plan }, &mut figures),
        Soak::ColdStart(plan) => {
            cold_start::run(&if quick { plan.quick() } else { plan }, &mut figures);
        }
        Soak::Directory(plan) => {
            directory::run(&if quick { plan.quick() } else { plan }, &mut figures);
        }
        #[cfg(target_arch = "x86_64")]
        Soak::Faults(plan) => faults::run(&if quick { plan.quick() } else { plan }, &mut figures),
        Soak::Idle(plan) => idle::run(&if quick { plan.quick() } else { plan }, &mut figures),
        Soak::Try(plan) => trial::run(&if quick { plan.quick() } else { plan }, &mut figures),
        Soak::Newcomers(plan) => {
            newcomers::run(&if quick { plan.quick() } else { plan }, &mut figures);
        }
        Soak::Flood(plan) => flood::run(&if quick { plan.quick() } else { plan }, &mut figures),
    }
    figures
}
