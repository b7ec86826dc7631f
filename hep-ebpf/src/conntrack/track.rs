//! Judges packets by their flows.

use hep_common::{conntrack::JUDGED_FORWARD, counter::Reason, protocol};

use super::{
    known,
    lookup::{Home, Known, find, key},
    outcome::Todo,
};
use crate::{context::PacketContext, ip::Ip, maps::Flows, parse::Packet, scratch::Scratch};

/// Judges a packet by its flow.
///
/// # Errors
///
/// [`Todo`] if there is no flow, or another step must come first.
#[inline(always)]
pub(crate) fn track<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
) -> Result<Reason, Todo> {
    let (key, sender) = key(&scratch.packet);
    scratch.key = key;
    let Some((flow, home)) = find(context, scratch) else {
        // Packets that open a connection do not come here.
        return Err(if scratch.packet.protocol == protocol::TCP {
            Todo::Midstream
        } else {
            Todo::Open
        });
    };
    let known = Known { sender, flow, home };
    match known::judge(context, scratch, &known) {
        Ok(Some(reason)) => Ok(reason),
        Ok(None) => Err(match home {
            Home::Assured => Todo::Replace,
            Home::Unassured => Todo::Open,
        }),
        Err(todo) => Err(todo),
    }
}

/// Whether TC has just admitted a packet at an interface as this host's own, or as an answer to what this
/// host opened from an address that is not its own.
#[inline(always)]
pub(crate) fn is_settled_at_ingress<A: Flows>(packet: &Packet<A>, ifindex: u32) -> bool {
    let (key, sender) = key(packet);
    let Some(flow) = A::assured(&key).or_else(|| A::unassured(&key)) else {
        return false;
    };
    let conn = flow.copied();
    let [ingress, _] = conn.ifindexes;
    if sender == conn.opener() {
        ingress == ifindex && conn.judged & JUDGED_FORWARD == 0
    } else {
        ingress == 0
    }
}
