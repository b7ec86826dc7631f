//! The verifier's instruction counts of the programs.

use hep_common::Direction;
use hep_userspace::{
    datapath::{FlowRoom, Kernel, LoadOptions},
    model::LogLevel,
};

/// The verifier gives up after a million instructions; a program that needs most of them today
/// would not load on the next kernel.
const MOST_INSTRUCTIONS: u32 = 750_000;

/// Every log level at which the programs are loaded, since each is verified separately.
#[test]
fn the_programs_stay_below_the_verifiers_limit_at_every_log_level() {
    for (level, name) in [(LogLevel::Off, ""), (LogLevel::Debug, " at Debug")] {
        let mut kernel = Kernel::open(&LoadOptions {
            pins: None,
            flows: FlowRoom::uniform(1024),
            connections: Vec::new,
            interfaces: 8,
            log_level: level,
            record_decisions: false,
        })
        .unwrap_or_else(|error| panic!("load the programs{name}: {error:?}"));
        for (direction, program) in [
            (Direction::Ingress, "hep_ingress"),
            (Direction::Egress, "hep_egress"),
        ] {
            let info = kernel
                .program(direction)
                .info()
                .expect("ask for the program");
            let verified = info
                .verified_instruction_count()
                .expect("Linux 5.16 and later tell");
            println!("report: verified {program}{name} = {verified}");
            assert!(verified > 0, "{program} was verified");
            assert!(
                verified < MOST_INSTRUCTIONS,
                "{program}{name}: {verified} instructions"
            );
        }
    }
}
