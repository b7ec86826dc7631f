//! ICMP errors and redirects, which belong to the flow of the packet that they are about (spec EV-171,
//! EV-173, EV-174).

use hep_common::{conntrack::FLAG_BLOCKED, counter::Reason, settings::FLAG_ALLOW_INVALID};

use super::{
    icmp::{self, is_for_rules},
    lookup::{find, is_current, key},
    outcome::Todo,
};
use crate::{
    context::PacketContext,
    ip::Ip,
    parse,
    scratch::{Scratch, Searched},
};

/// Judges an ICMP error.
///
/// # Errors
///
/// [`Todo::Revalidate`] if the rules in force have not judged its flow yet, [`Todo::Open`] if they are to
/// judge the message.
#[inline(always)]
pub(crate) fn related<A: Ip>(
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
fn flow_of<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> Option<(u32, u8)> {
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
    scratch.missed = Searched::Nowhere;
    let (flow, _) = find(context, scratch)?;
    let conn = flow.copied();
    let from_opener = sender == conn.opener();
    icmp::fits(protocol, conn.icmp_type, kind, from_opener).then_some((conn.generation, conn.flags))
}
