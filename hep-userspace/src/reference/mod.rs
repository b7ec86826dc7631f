//! The linear evaluator: the executable twin of the specification.
//!
//! It judges one packet, the first of a new flow, by walking every tier, policy and rule in order, and
//! records each step and its reason. It is written from the specification's statements, which its functions
//! cite, and shares nothing with `compile` but the resources and [`Selector`]: only so can it check the
//! compiled tables. It favours being obviously right over speed.
//!
//! [`Selector`]: crate::selector::Selector

mod binding;
mod essential;
mod failsafe;
mod framing;
mod invalid;
mod judgement;
mod mismatch;
mod objects;
mod options;
mod packet;
mod pipeline;
mod plan;
mod render;
mod rule;
mod spec;
mod walk;

pub use binding::Role;
pub use framing::{Extension, Framing, MAX_EXTENSIONS, MAX_TAGS, Tag};
pub use judgement::{Decider, Judgement, RuleRef, Source, Stage, Step};
pub use mismatch::{Field, Mismatch, Side};
pub use options::Options;
pub use packet::{IcmpHeader, Packet, Ports, sctp_chunk, tcp_flags};
pub use pipeline::Reference;
pub use render::Place;
pub use spec::{PacketError, PacketSpec, protocol_number};
