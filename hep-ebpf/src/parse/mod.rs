//! From a frame to a [`Packet`].
//!
//! Most frames are [`Plain`], which takes a few words of the linear area. The others are parsed in
//! full, through a helper that reads them wherever their bytes are.

mod ethernet;
mod ipv4;
mod ipv6;
mod packet;
mod parser;
mod transport;

pub(crate) use ethernet::{Network, network};
pub(crate) use packet::{Fragment, Packet, Plain};
pub(crate) use parser::{Parse, load_quoted};
pub(crate) use transport::tcp;
