//! Queries about a frame, which the kernel answers from its own tables.

use aya_ebpf::bindings::{
    bpf_fib_lookup, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1,
    bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2,
};

use super::hook::Frame;

/// A frame at a hook whose helpers look up routes and sockets.
pub(crate) trait Query: Frame {
    /// Looks a route up; fills in the outgoing interface. Returns a `BPF_FIB_LKUP_RET_…` number, or a
    /// negative error.
    fn fib_lookup(&self, question: &mut FibQuestion) -> i64;

    /// State, as the kernel's number, of the TCP socket that would receive a segment of `tuple`: a
    /// connection's own, or else one that listens. 0 if there is none.
    fn tcp_socket_state(&self, tuple: Tuple) -> u32;

    /// Whether a socket of this network namespace sent the packet.
    fn is_of_own_socket(&self) -> bool;
}

/// Argument and result of a route look-up: a `bpf_fib_lookup`, whose unused fields at the end are whole words
/// here.
#[repr(C)]
pub(crate) struct FibQuestion {
    /// `AF_INET` or `AF_INET6`.
    pub(crate) family: u8,
    /// IANA protocol number.
    pub(crate) protocol: u8,
    /// Network byte order.
    pub(crate) sport: u16,
    /// Network byte order.
    pub(crate) dport: u16,
    /// Packet length to check against the route's MTU, bytes; 0: none.
    pub(crate) length: u16,
    /// Index of the interface where the packet arrived; in the result, of the one where it leaves.
    pub(crate) ifindex: u32,
    /// IPv4: type of service, IPv6: flow information in network byte order.
    pub(crate) flow: u32,
    /// Source, network byte order.
    pub(crate) src: [u32; 4],
    /// Destination, network byte order.
    pub(crate) dst: [u32; 4],
    /// Zeros.
    pub(crate) rest: [u32; 4],
}

const _: () = {
    assert!(size_of::<FibQuestion>() == size_of::<bpf_fib_lookup>());
    assert!(align_of::<FibQuestion>() == align_of::<bpf_fib_lookup>());
};

/// Ports and addresses of a connection, network byte order: the remote end first.
pub(crate) enum Tuple {
    /// IPv4.
    V4(bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1),
    /// IPv6.
    V6(bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2),
}
