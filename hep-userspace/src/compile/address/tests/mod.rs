//! Look-ups in the tables of addresses.

mod lookups;
mod shapes;
