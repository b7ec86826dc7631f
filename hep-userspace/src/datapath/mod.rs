//! The only user of aya and of the bpf system call.
//!
//! [`Kernel`] loads the programs and brings generations into force; [`Maps`] reads what is there,
//! also from the pins alone; [`attach`] puts the programs on interfaces.

mod apply;
pub mod attach;
mod error;
mod flows;
mod load;
mod object;
mod pins;
mod read;
mod sys;

pub use apply::{
    generation::{Applied, AppliedTable, Observer, Step},
    own_addresses::OwnAddresses,
};
pub use attach::{local_in, loopback::answer_routes, newcomer::InterfaceTables};
pub use error::KernelError;
pub use flows::{
    entries::{End, Flow, Home, monotonic_ns},
    occupancy::Occupancy,
    room::FlowRoom,
    seed::SeedFlow,
    sweep::{SweepCursor, Swept},
};
pub use load::{
    kernel::{Kernel, LoadOptions},
    test_run::TestOutcome,
};
pub use pins::directory::{all_links_directories, links_directory, remove, version_directory};
pub use read::{
    events::{Events, ProgramLog},
    maps::Maps,
};
