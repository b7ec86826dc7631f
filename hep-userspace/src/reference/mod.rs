//! The linear evaluator: the executable twin of the specification.
//!
//! It judges one packet, the first of a new flow, by walking every tier, policy and rule in order,
//! and tells what it passed and why. It is written from the specification's statements, which its
//! functions cite, and shares nothing with `compile` but the resources and [`Selector`]; that is
//! what makes it a judge of the compiled tables. It favours being obviously right over speed.
//!
//! [`Selector`]: crate::selector::Selector

mod binding;
mod framing;
mod judgement;
mod mismatch;
mod objects;
mod packet;
mod pipeline;
mod plan;
mod render;
mod rule;
mod walk;

pub use binding::Role;
pub use framing::{Extension, Framing, MAX_EXTENSIONS, MAX_TAGS, Tag};
pub use judgement::{Decider, Judgement, RuleRef, Source, Stage, Step};
pub use mismatch::{Field, Mismatch, Side};
pub use packet::{IcmpHeader, Packet, Ports, sctp_chunk, tcp_flags};
pub use pipeline::{Options, Reference};
pub use render::Place;
