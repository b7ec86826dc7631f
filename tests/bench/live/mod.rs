//! End to end: packets that the kernel sends by a veth pair, with a filter on their way.
//!
//! The receive path and the filter run on the CPU that sends, inside the call that sends; the time
//! is the kernel's own, divided by the packets. Accepted packets end at a full socket, so everything
//! on their way is a packet's cost, and that of a testbed without a filter is subtracted.

mod comparison;
mod contender;
mod generator;
mod nftables;
mod plan;
mod policy;
mod program;
mod testbed;

pub(crate) use comparison::{Score, subject};
pub(crate) use contender::Contender;
pub(crate) use plan::Chart;
pub(crate) use policy::{Accepted, Policy};
pub(crate) use program::{Outcome, compared, run};
pub(crate) use testbed::Way;
