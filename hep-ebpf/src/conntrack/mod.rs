//! The connection table (spec section 12.2).

mod established;
mod fresh;
mod icmp;
mod known;
mod lookup;
mod midstream;
mod outcome;
mod related;
mod revalidate;
mod rules;
mod sctp;
mod socket;
mod tcp;
mod track;

pub(crate) use established::{FastPath, fast_path};
pub(crate) use fresh::{judge as open, store, take};
pub(crate) use icmp::{is_error, is_for_rules};
pub(crate) use midstream::judge as midstream;
pub(crate) use outcome::{Keep, Opening, Taken, Todo};
pub(crate) use related::related;
pub(crate) use revalidate::{reclassify, revalidate};
pub(crate) use tcp::{is_opening, may_continue};
pub(crate) use track::{is_settled_at_ingress, track};
