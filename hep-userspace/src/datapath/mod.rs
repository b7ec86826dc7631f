//! The only user of aya and of the bpf system call.
//!
//! [`Kernel`] loads the programs and brings generations into force; [`Maps`] reads what is there,
//! also from the pins alone; [`attach`] puts the programs on interfaces.

mod adopt;
mod apply;
pub mod attach;
mod check;
mod clsact;
mod counters;
mod error;
mod events;
mod expedited_rcu;
mod features;
mod fill;
mod flows;
mod former;
mod grace;
mod homes;
mod hooks;
mod kernel_types;
mod links;
mod load;
mod local;
pub mod local_in;
mod loopback;
mod maps;
mod names;
mod newcomer;
mod object;
mod occupancy;
mod pins;
mod read;
mod records;
mod room;
mod seed;
mod sender;
mod sweep;
mod sys;
mod sys_mmap;
mod sys_netfilter;
mod sys_socket;
mod sys_watch;
mod tables;
mod test_run;

pub use apply::{Applied, AppliedTable, Observer, Step};
pub use error::KernelError;
pub use events::{Events, ProgramLog};
pub use flows::{End, Flow, Home, monotonic_ns};
pub use load::{Kernel, LoadOptions};
pub use local::OwnAddresses;
pub use loopback::answer_routes;
pub use maps::Maps;
pub use newcomer::InterfaceTables;
pub use occupancy::Occupancy;
pub use pins::{all_links_directories, links_directory, remove, version_directory};
pub use room::FlowRoom;
pub use seed::SeedFlow;
pub use sweep::{SweepCursor, Swept};
pub use test_run::TestOutcome;
