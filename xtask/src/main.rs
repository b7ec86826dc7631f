//! Tasks beyond cargo: set-up, demo, privileged tests, lints, and the coverage of the specification.

mod bench;
mod command;
mod crds;
mod demo;
mod deny;
mod fuzz;
mod house;
mod kernels;
mod lint;
mod mutants;
mod setup;
mod soak;
mod spec;
mod test;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what building and testing needs and this machine lacks (Debian, as root)
    Setup,
    /// Enforce the example policies on real traffic between network namespaces, and show it
    Demo(demo::Arguments),
    /// Set up, lint, build, run every test, and check that every statement of tests/spec has one
    Test(test::Arguments),
    /// Formatting, Clippy for the host and for the BPF target, rustdoc, and the rules of the house
    Lint(lint::Arguments),
    /// Licences and sources of the dependencies, by cargo-deny (installed if missing, in minutes)
    Deny(deny::Arguments),
    /// Measure packets, loads of policy and memory, also against other firewalls
    Bench(bench::Arguments),
    /// Random packets under random policies, judged by the kernel and by the reference evaluator or nftables
    Fuzz(fuzz::Arguments),
    /// Long-running tests under load and faults, with figures
    Soak(soak::Arguments),
    /// Deliberate mistakes, one at a time: how many packets the fuzzer takes to find each
    Mutants(mutants::Arguments),
    /// Run the suites that need a kernel on other kernels, each in a guest (needs qemu)
    Kernels(kernels::Arguments),
    /// List the statements of tests/spec with the tests that cite them; fail on one without
    SpecCoverage,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Setup => setup::run().and_then(|_environment| setup::store_servers()),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
        Task::Lint(arguments) => lint::main(&arguments),
        Task::Deny(arguments) => deny::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Soak(arguments) => soak::run(&arguments),
        Task::Mutants(arguments) => mutants::run(&arguments),
        Task::Kernels(arguments) => kernels::run(&arguments),
        Task::SpecCoverage => spec::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The directory of the workspace.
fn workspace() -> PathBuf {
    let mut directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    directory.pop();
    directory
}
