//! The parsers of both families.

use hep_common::counter::Reason;

use super::packet::{Packet, Plain};
use crate::frame::{Frame, Load};

/// Length of the header of an ICMP error; the packet that it is about follows.
const ICMP_ERROR_BYTES: u32 = 8;

/// An IP header, by the type of its addresses.
pub(crate) trait Parse: Sized {
    /// Reads the packet whose IP header is at `offset` of a frame, if it is [`Plain`] and nothing is wrong
    /// with it.
    fn plain(frame: &impl Frame, offset: u32) -> Option<Plain<Self>>;

    /// Reads the packet whose IP header is at `offset` of a frame.
    ///
    /// # Errors
    ///
    /// Why it is to be dropped.
    fn parse(frame: &impl Load, offset: u32, packet: &mut Packet<Self>) -> Result<(), Reason>;

    /// Reads as much as an ICMP error quotes, at `offset`, of the packet it is about: addresses,
    /// protocol, ports or identifier.
    ///
    /// # Errors
    ///
    /// Why the error is to be dropped.
    fn quoted(frame: &impl Load, offset: u32, packet: &mut Packet<Self>) -> Result<(), Reason>;
}

/// Reads the packet that the ICMP error in `packet` is about into `quoted`; whether that could be
/// done.
#[inline(never)]
pub(crate) fn load_quoted<A: Parse>(
    frame: &impl Load,
    packet: &Packet<A>,
    quoted: &mut Packet<A>,
) -> bool {
    let offset = packet.transport.wrapping_add(ICMP_ERROR_BYTES);
    A::quoted(frame, offset, quoted).is_ok()
}
