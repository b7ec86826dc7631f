//! Finds the rule of a list that decides about a packet.

mod answer;
mod class;
mod executor;
mod list;
mod service;
mod short;
mod walk;

pub(crate) use answer::Answer;
pub(crate) use list::{Judged, classify, classify_from, classify_here};
