//! A packet of no known flow.

use aya_ebpf::bindings::{
    bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2,
};
use hep_common::{
    Direction, Family,
    conntrack::{Approval, Conn, FLAG_OPENED_BY_A, JUDGED_FORWARD, leg},
    counter::{Note, Reason},
    protocol,
    settings::FLAG_ALLOW_INVALID,
    tick::Tick,
};

use super::{
    by_rules, find, icmp, is_opening,
    known::{self, Syn, said},
};
use crate::{
    address::Address,
    classify::{Answer, classify},
    helpers::{self, Tuple},
    parse::{Packet, tcp},
    route,
    scene::{Route, Scene, Work, opposite},
};

/// What becomes of a packet of no known flow, or of one that opens a connection.
pub(crate) enum Opening {
    /// A verdict, and no flow.
    Verdict(Reason),
    /// It is accepted, and opens a flow: see [`keep`].
    Accept(Reason),
    /// It is accepted as a reply to what this host has sent, on a flow that is not known any more.
    Reply(Reason),
}

/// Judges a packet of no known flow, or one that opens a connection.
#[inline(always)]
pub(crate) fn judge<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> Opening {
    let packet = &work.packet;
    let opening = is_opening(packet.protocol, packet.tcp_flags);
    let midstream = is_midstream(packet);
    if midstream && packet.tcp_flags & tcp::STATE != tcp::ACK && !scene.has(FLAG_ALLOW_INVALID) {
        return Opening::Verdict(Reason::InvalidTcp);
    }
    let forwarded = route::is_forwarded(scene, packet, &mut work.trace);
    if route::checks_reverse_path(scene)
        && !(opening && is_known(scene, work))
        && route::fails_reverse_path(scene, &work.packet)
    {
        return Opening::Verdict(Reason::ReversePath);
    }
    if midstream && !forwarded && is_failsafe_reply(scene, work) {
        return Opening::Reply(Reason::Failsafe);
    }
    let reason = by_rules(scene, work);
    if reason.allows() && !icmp::is_reply(work.packet.protocol, work.packet.icmp_type) {
        Opening::Accept(reason)
    } else {
        Opening::Verdict(reason)
    }
}

/// Whether a packet is of a connection that was opened before.
#[inline(always)]
fn is_midstream<A>(packet: &Packet<A>) -> bool {
    packet.protocol == protocol::TCP && !is_opening(packet.protocol, packet.tcp_flags)
}

/// Remembers the flow that an accepted packet opens, or replies on. The flow takes the place of an
/// established one if `replaces`.
#[inline(always)]
pub(crate) fn keep<A: Address>(
    scene: &Scene<'_>,
    work: &mut Work<A>,
    mut replaces: bool,
    replies: bool,
) {
    let sender = set_key(work);
    let packet = &work.packet;
    let midstream = is_midstream(packet);
    if is_opening(packet.protocol, packet.tcp_flags) {
        match known::take_syn(scene, work, sender) {
            Syn::Taken => return,
            Syn::Opens => {}
            Syn::Reopens => replaces = true,
        }
    }
    let opener = if replies {
        Opener::Receiver
    } else {
        Opener::Sender
    };
    remember(scene, work, opener);
    if replaces {
        A::remove_established(&work.key);
    }
    if midstream {
        scene.note(Note::PickedUp);
    }
}

/// Writes down the key of the packet at hand; which end sent it.
#[inline(never)]
fn set_key<A: Address>(work: &mut Work<A>) -> usize {
    let (key, sender) = super::key(&work.packet);
    work.key = key;
    sender
}

/// Whether the packet at hand belongs to a flow.
#[inline(never)]
fn is_known<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> bool {
    set_key(work);
    find(scene, work).is_some()
}

/// Which end of a flow opened it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opener {
    /// The one that sent the packet at hand.
    Sender,
    /// The other one: the packet is a reply.
    Receiver,
}

/// Stores the flow that `packet` opens, or was picked up from.
#[inline(never)]
fn remember<A: Address>(scene: &Scene<'_>, work: &mut Work<A>, opener: Opener) {
    let Work {
        packet,
        key,
        conn,
        trace,
        ..
    } = work;
    let (_, sender) = super::key(&*packet);
    let opened_by = match opener {
        Opener::Sender => sender,
        Opener::Receiver => 1_usize.wrapping_sub(sender),
    };
    let hook = match opener {
        Opener::Sender => scene.direction,
        Opener::Receiver => opposite(scene.direction),
    };
    let approval = Approval {
        ifindex: scene.interface.ifindex,
        generation: scene.generation,
        slot: trace.slot,
    };
    let approvals = match hook {
        Direction::Ingress => [approval, Approval::default()],
        Direction::Egress => [Approval::default(), approval],
    };
    let judged = match (trace.route, hook) {
        (Route::Forwarded, Direction::Ingress) => JUDGED_FORWARD,
        (Route::Forwarded, Direction::Egress) => JUDGED_FORWARD << 1,
        (Route::Local | Route::Unknown, _) => 0,
    };
    let midstream = is_midstream(&*packet);
    // Of a connection that is picked up, the handshake is taken for complete.
    let complete = if midstream { leg::SYN | leg::ACK } else { 0 };
    let says = said(&*packet) | complete;
    let bytes = u64::from(scene.bytes());
    *conn = Conn {
        legs: if sender == 0 {
            [says, complete]
        } else {
            [complete, says]
        },
        flags: if opened_by == 0 { FLAG_OPENED_BY_A } else { 0 },
        judged,
        icmp_type: packet.icmp_type,
        protocol: packet.protocol,
        classified: [scene.classification(); 2],
        reset: if says & leg::RST != 0 {
            Tick::some_at(scene.now_ns)
        } else {
            Tick::NONE
        },
        last_seen: Tick::at(scene.now_ns),
        approvals,
        packets: if sender == 0 { [1, 0] } else { [0, 1] },
        bytes: if sender == 0 { [bytes, 0] } else { [0, bytes] },
    };
    if !A::insert_half(key, conn) {
        scene.note(Note::FlowNotStored);
    }
}

/// Whether a local packet is a reply to failsafe traffic of the other direction, on a connection that
/// this host has open (spec EV-070 (b)).
#[inline(always)]
fn is_failsafe_reply<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> bool {
    set_answered(work);
    let Work {
        packet,
        other: answered,
        other_trace: trace,
        ..
    } = work;
    let lists = Scene::lists_at::<A>(scene.interface, opposite(scene.direction));
    let answer = classify(scene.slot, lists.local, answered, trace, 0);
    answer == Answer::Verdict(Reason::Failsafe) && has_socket(scene, packet)
}

/// Writes down the packet that the one at hand answers.
#[inline(never)]
fn set_answered<A: Address>(work: &mut Work<A>) {
    let Work {
        packet,
        other: answered,
        ..
    } = work;
    *answered = Packet {
        src_port: packet.dst_port,
        dst_port: packet.src_port,
        ..Packet::bare(packet.dst, packet.src, packet.protocol)
    };
}

/// Whether this host has the connection open that the packet belongs to.
#[inline(never)]
fn has_socket<A: Address>(scene: &Scene<'_>, packet: &Packet<A>) -> bool {
    let (remote, local) = match scene.direction {
        Direction::Ingress => ((packet.src, packet.src_port), (packet.dst, packet.dst_port)),
        Direction::Egress => ((packet.dst, packet.dst_port), (packet.src, packet.src_port)),
    };
    let (source, destination) = (route::words(&remote.0), route::words(&local.0));
    let (sport, dport) = (remote.1.to_be(), local.1.to_be());
    let tuple = match A::FAMILY {
        Family::V4 => {
            let ([saddr, ..], [daddr, ..]) = (source, destination);
            Tuple::V4(bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1 {
                saddr,
                daddr,
                sport,
                dport,
            })
        }
        Family::V6 => Tuple::V6(bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2 {
            saddr: source,
            daddr: destination,
            sport,
            dport,
        }),
    };
    helpers::has_connected_socket(scene.ctx, tuple)
}
