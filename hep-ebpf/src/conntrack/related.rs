//! ICMP errors and redirects, which belong to the flow of the packet that they are about (spec EV-171,
//! EV-173, EV-174).

use hep_common::{
    Family, conntrack::FLAG_BLOCKED, counter::Reason, protocol, settings::FLAG_ALLOW_INVALID,
};

use super::{Searched, Todo, find, icmp, is_current, key};
use crate::{
    address::Address,
    context::{PacketContext, Scratch},
    parse::{self, Packet},
};

/// IPv4: the receiver is to send less.
const SOURCE_QUENCH: u8 = 4;
/// IPv4: the receiver is to use another router.
const REDIRECT: u8 = 5;

/// Whether `packet` is an ICMP error, or an IPv4 source quench or redirect.
#[inline(always)]
pub(crate) const fn is_error<A: Address>(packet: &Packet<A>) -> bool {
    match (A::FAMILY, packet.protocol) {
        (Family::V4, protocol::ICMP) => {
            matches!(packet.icmp_type, 3 | SOURCE_QUENCH | REDIRECT | 11 | 12)
        }
        (Family::V6, protocol::ICMPV6) => matches!(packet.icmp_type, 1..=4),
        (Family::V4 | Family::V6, _) => false,
    }
}

/// Whether rules judge an error though its flow is known.
#[inline(always)]
pub(crate) const fn is_for_rules<A: Address>(error: &Packet<A>) -> bool {
    matches!(A::FAMILY, Family::V4) && matches!(error.icmp_type, SOURCE_QUENCH | REDIRECT)
}

/// Judges an ICMP error.
///
/// # Errors
///
/// [`Todo::Revalidate`] if the rules in force have not judged its flow yet, [`Todo::Open`] if they are to
/// judge the message.
#[inline(always)]
pub(crate) fn related<A: Address>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
) -> Result<Reason, Todo> {
    let Some((generation, flags)) = flow_of(context, scratch) else {
        return if context.has(FLAG_ALLOW_INVALID) {
            Err(Todo::Open)
        } else {
            Ok(Reason::InvalidIcmp)
        };
    };
    if !is_current(context, generation) && scratch.revalidated == 0 {
        return Err(Todo::Revalidate);
    }
    if flags & FLAG_BLOCKED != 0 {
        return Ok(Reason::Blocked);
    }
    if is_for_rules(&scratch.packet) {
        Err(Todo::Open)
    } else {
        Ok(Reason::Related)
    }
}

/// Generation and flags of the flow that an error is about, if it is known.
#[inline(always)]
fn flow_of<A: Address>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> Option<(u32, u8)> {
    let Scratch {
        packet,
        other: quoted,
        ..
    } = scratch;
    if !parse::load_quoted(context.frame, packet, quoted) || !packet.dst.is(&quoted.src) {
        return None;
    }
    let (key, sender) = key(&*quoted);
    let (protocol, kind) = (quoted.protocol, quoted.icmp_type);
    scratch.key = key;
    scratch.missed = Searched::Nowhere as u32;
    let (flow, _) = find(context, scratch)?;
    let conn = flow.copied();
    let from_opener = sender == conn.opener();
    icmp::fits(protocol, conn.icmp_type, kind, from_opener).then_some((conn.generation, conn.flags))
}
