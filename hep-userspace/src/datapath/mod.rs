//! All calls of aya and of the bpf system call.
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
    own_addresses::OwnAddresses,
    report::{Applied, AppliedTable, Observer, Step},
};
pub use attach::{local_in, loopback::answer_routes, newcomer::InterfaceTables};
pub use error::KernelError;
pub use flows::{
    connection::SeedFlow,
    entries::{End, Flow, Home},
    occupancy::Occupancy,
    room::FlowRoom,
    sweep::{SweepCursor, Swept},
};
pub use load::{kernel::Kernel, options::LoadOptions, test_run::TestOutcome};
pub use object::program::Program;
pub use pins::directory::{all_links_directories, links_directory, remove, version_directory};
pub use read::{
    events::{Events, ProgramLog},
    maps::Maps,
};
pub use sys::clock::monotonic_ns;
