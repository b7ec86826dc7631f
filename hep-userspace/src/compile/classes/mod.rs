//! Classes: values of a header field that no rule tells apart.

pub(crate) mod addresses;
pub(crate) mod fields;
pub(crate) mod named_ports;
pub(crate) mod numbered;
pub(crate) mod partition;
pub(crate) mod predicates;
pub(crate) mod services;
pub(crate) mod used;
