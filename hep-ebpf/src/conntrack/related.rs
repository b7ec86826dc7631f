//! ICMP errors, which belong to the flow of the packet that they are about (spec EV-173, EV-174).

use hep_common::{Family, conntrack::FLAG_BLOCKED, counter::Reason, protocol};

use super::{Stale, find, is_current, key};
use crate::{
    address::Address,
    parse::{self, Packet},
    scene::{Scene, Work},
};

/// Whether `packet` is an ICMP error.
#[inline(always)]
pub(crate) const fn is_error<A: Address>(packet: &Packet<A>) -> bool {
    match (A::FAMILY, packet.protocol) {
        (Family::V4, protocol::ICMP) => matches!(packet.icmp_type, 3 | 11 | 12),
        (Family::V6, protocol::ICMPV6) => matches!(packet.icmp_type, 1..=4),
        (Family::V4 | Family::V6, _) => false,
    }
}

/// Judges an ICMP error.
///
/// # Errors
///
/// [`Stale`] if the rules in force have not judged its flow yet.
#[inline(always)]
pub(crate) fn related<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> Result<Reason, Stale> {
    let Work {
        packet,
        other: quoted,
        ..
    } = work;
    if !parse::load_quoted(scene.ctx, packet, quoted) || !packet.dst.is(&quoted.src) {
        return Ok(Reason::InvalidIcmp);
    }
    let (key, _) = key(&*quoted);
    work.key = key;
    work.missed = 0;
    let Some((flow, _)) = find(scene, work) else {
        return Ok(Reason::InvalidIcmp);
    };
    let conn = flow.copied();
    if !is_current(scene, conn.generation) && work.revalidated == 0 {
        return Err(Stale);
    }
    Ok(if conn.flags & FLAG_BLOCKED != 0 {
        Reason::Blocked
    } else {
        Reason::Related
    })
}
