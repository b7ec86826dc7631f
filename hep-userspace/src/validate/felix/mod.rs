//! FelixConfiguration (RS-138 to RS-212): every field of Calico is checked; those that the daemon uses are
//! merged, field by field, into one configuration.

mod draft;
mod durations;
mod fields;
mod ignored;
mod settings;
mod shape;
mod values;

pub(super) use settings::{Settings, decode, merge};
