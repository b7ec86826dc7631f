//! An interface as a place for programs, and the outcome of attaching one.

use std::sync::Arc;

use aya::programs::TcAttachType;

use crate::datapath::object::program::Program;

/// An interface to attach to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Interface index, positive.
    pub ifindex: u32,
    /// Its name at this moment.
    pub name: Arc<str>,
}

/// Outcome of an attempt to attach a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program was there.
    Already,
    /// It is there now, for the first time or in place of an earlier one.
    Attached,
    /// It is there again: somebody had taken it away.
    Restored,
}

/// The kernel's name for the place of a program.
pub(crate) const fn attach_type(program: Program) -> TcAttachType {
    match program {
        Program::Ingress => TcAttachType::Ingress,
        Program::Egress => TcAttachType::Egress,
    }
}
