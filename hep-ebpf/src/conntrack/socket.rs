//! Sockets of this host that segments without a flow belong to (spec EV-070, EV-158, EV-264).

use aya_ebpf::bindings::{
    bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2,
};
use hep_common::{Direction, Family};

use super::outcome::Opener;
use crate::{
    address::Address,
    context::PacketContext,
    frame::{Query as _, Tuple},
    parse::Packet,
    route,
};

/// Set of TCP socket states: the handshake is complete, and the connection is not forgotten. (The kernel's
/// TIME-WAIT sockets cover FIN-WAIT-2 as well.)
pub(super) const CONNECTED: u32 = 1 << ESTABLISHED
    | 1 << FIN_WAIT1
    | 1 << FIN_WAIT2
    | 1 << TIME_WAIT
    | 1 << CLOSE_WAIT
    | 1 << LAST_ACK
    | 1 << CLOSING;
/// Set of TCP socket states: the handshake has begun.
pub(super) const CONNECTING: u32 = 1 << SYN_SENT | 1 << SYN_RECV | 1 << NEW_SYN_RECV;
/// Set of TCP socket states: connections are awaited.
const LISTENING: u32 = 1 << LISTEN;

/// Numbers of the kernel's TCP states (include/net/tcp_states.h).
const ESTABLISHED: u32 = 1;
const SYN_SENT: u32 = 2;
const SYN_RECV: u32 = 3;
const FIN_WAIT1: u32 = 4;
const FIN_WAIT2: u32 = 5;
const TIME_WAIT: u32 = 6;
const CLOSE_WAIT: u32 = 8;
const LAST_ACK: u32 = 9;
const LISTEN: u32 = 10;
const CLOSING: u32 = 11;
const NEW_SYN_RECV: u32 = 12;

/// The end that opened the connection that a local segment belongs to; `None` if this host has no socket
/// of one of these states for exactly these addresses and ports.
///
/// The opener follows from the listening ports, as in the daemon's own search: it is the peer if a socket
/// listens on the local port. That takes a second look-up, made only for a segment that has a socket.
#[inline(never)]
pub(super) fn opener<A: Address>(
    context: &PacketContext<'_>,
    packet: &Packet<A>,
    states: u32,
) -> Option<Opener> {
    let (remote, local) = match context.direction {
        Direction::Ingress => ((packet.src, packet.src_port), (packet.dst, packet.dst_port)),
        Direction::Egress => ((packet.dst, packet.dst_port), (packet.src, packet.src_port)),
    };
    let remote_words = route::words(&remote.0);
    if !is_in(context, &remote_words, remote.1, local, states) {
        return None;
    }
    let by_peer = is_in(context, &[0; 4], 0, local, LISTENING);
    Some(match (context.direction, by_peer) {
        (Direction::Ingress, true) | (Direction::Egress, false) => Opener::Sender,
        (Direction::Ingress, false) | (Direction::Egress, true) => Opener::Receiver,
    })
}

/// Whether the socket that would receive a segment of this remote end is in one of these states.
#[inline(always)]
fn is_in<A: Address>(
    context: &PacketContext<'_>,
    remote: &[u32; 4],
    remote_port: u16,
    local: (A, u16),
    states: u32,
) -> bool {
    let destination = route::words(&local.0);
    let (sport, dport) = (remote_port.to_be(), local.1.to_be());
    let tuple = match A::FAMILY {
        Family::V4 => {
            let ([saddr, ..], [daddr, ..]) = (*remote, destination);
            Tuple::V4(bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1 {
                saddr,
                daddr,
                sport,
                dport,
            })
        }
        Family::V6 => Tuple::V6(bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2 {
            saddr: *remote,
            daddr: destination,
            sport,
            dport,
        }),
    };
    let state = context.frame.tcp_socket_state(tuple);
    // The shift is masked, as the kernel's own are.
    states.wrapping_shr(state) & 1 != 0
}
