//! A netfilter program's packet, read from the kernel's own structures at offsets that the loader writes into
//! the program ([`Fact`]).

use core::{
    ffi::{c_long, c_void},
    mem::{MaybeUninit, offset_of},
};

use aya_ebpf::{
    bindings::bpf_dynptr,
    helpers::generated::{bpf_dynptr_read, bpf_probe_read_kernel},
};
use hep_common::{Family, counter::Reason, fact::Fact, protocol};

use crate::{address::Address, frame::Load, parse::Packet};

/// `struct bpf_nf_ctx`.
#[repr(C)]
pub(super) struct Hook {
    state: *const c_void,
    skb: *const c_void,
}

/// The packet at hand.
pub(super) struct Context {
    state: *const c_void,
    skb: *const c_void,
}

/// Role of a packet in its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Of the opener, and nobody has answered yet.
    New,
    /// Of the opener.
    Established,
    /// Of the other end.
    Answer,
}

/// A `struct nf_conn`.
#[derive(Clone, Copy)]
pub(super) struct Connection(usize);

/// The bits of `_nfct` that are no part of the pointer: `enum ip_conntrack_info`.
const INFO: usize = 7;
/// `IP_CT_ESTABLISHED`.
const ESTABLISHED: usize = 0;
/// `IP_CT_ESTABLISHED_REPLY`, the first of those that the other end's packets have.
const FIRST_REPLY: usize = 3;

/// The value that the loader has written in place of a mark.
#[inline(always)]
#[expect(unsafe_code, reason = "a mark is an instruction")]
pub(super) fn fact<const MARK: i32>() -> usize {
    let fact: usize;
    // SAFETY: a number is moved to a register.
    unsafe {
        core::arch::asm!("{0} = {1}", out(reg) fact, const MARK, options(pure, nomem, nostack));
    }
    fact
}

/// Reads a field of a kernel structure, at the offset that the loader writes in place of a mark.
macro_rules! field {
    ($pointer:expr, $fact:expr, $type:ty) => {
        // SAFETY: the kernel vouches for its pointer, refuses a program that reads beyond the structure's
        // fields, and returns zeros where memory is gone.
        unsafe {
            $pointer
                .byte_add(fact::<{ $fact.mark() }>())
                .cast::<$type>()
                .read_volatile()
        }
    };
}

#[expect(
    unsafe_code,
    reason = "the kernel's structures are reached through raw pointers"
)]
impl Context {
    /// The context of a program.
    #[inline(always)]
    pub(super) fn new(hook: *const Hook) -> Self {
        // SAFETY: the kernel passes a context that lives as long as the program runs.
        unsafe {
            Self {
                state: (&raw const (*hook).state).read_volatile(),
                skb: (&raw const (*hook).skb).read_volatile(),
            }
        }
    }

    /// Length of the packet, bytes, without a link-layer header.
    #[inline(always)]
    pub(super) fn bytes(&self) -> u32 {
        field!(self.skb, Fact::SkbLength, u32)
    }

    /// Index of the interface by which IP received the packet.
    #[inline(always)]
    pub(super) fn received_by(&self) -> u32 {
        field!(self.skb, Fact::SkbControl, u32)
    }

    /// Index of the hook's input interface.
    #[inline(always)]
    pub(super) fn device(&self) -> u32 {
        let device = field!(self.state, Fact::StateDevice, *const c_void);
        field!(device, Fact::DeviceIndex, u32)
    }

    /// The packet's connection, if the kernel tracks it and the loader found the layout of connections.
    #[inline(always)]
    pub(super) fn connection(&self) -> Option<(Connection, Phase)> {
        let word = field!(self.skb, Fact::SkbConnection, usize);
        if word & !INFO == 0 || fact::<{ Fact::ConnectionTuples.mark() }>() == 0 {
            return None;
        }
        let phase = match word & INFO {
            ESTABLISHED => Phase::Established,
            info if info >= FIRST_REPLY => Phase::Answer,
            _ => Phase::New,
        };
        Some((Connection(word & !INFO), phase))
    }

    /// The packet's bytes, which begin with its IP header; `place` is for them alone.
    ///
    /// # Errors
    ///
    /// Why the packet is to be dropped.
    #[inline(always)]
    pub(super) fn open(&self, place: &mut MaybeUninit<bpf_dynptr>) -> Result<Bytes, Reason> {
        let result: c_long;
        // SAFETY: the loader makes this a call of `bpf_dynptr_from_skb`, which takes the skb, no flags,
        // and room for a dynptr, and changes no registers but these.
        unsafe {
            core::arch::asm!(
                "call {mark}",
                mark = const Fact::DynptrFromSkb.mark(),
                inlateout("r1") self.skb => _,
                inlateout("r2") 0_u64 => _,
                inlateout("r3") place.as_mut_ptr() => _,
                lateout("r0") result,
                lateout("r4") _,
                lateout("r5") _,
            );
        }
        if result != 0 {
            return Err(Reason::Internal);
        }
        Ok(Bytes {
            skb: self.skb,
            dynptr: place.as_ptr(),
        })
    }
}

/// The bytes of a packet, wherever they are.
///
/// No [`Frame`](crate::frame::Frame): the kernel gives netfilter programs no direct access to packets, and
/// there is no link layer here.
pub(super) struct Bytes {
    skb: *const c_void,
    dynptr: *const bpf_dynptr,
}

impl Bytes {
    /// The packet's destination address.
    ///
    /// # Errors
    ///
    /// [`Reason::Truncated`] if the packet ends before that.
    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "a helper fills memory that was not written before"
    )]
    pub(super) fn destination<A: Address>(&self) -> Result<A, Reason> {
        let offset = match A::FAMILY {
            Family::V4 => 16,
            Family::V6 => 24,
        };
        let mut address = MaybeUninit::<A>::uninit();
        // SAFETY: `address` has room for the bytes, every pattern of which is an address; it is complete if
        // they were loaded.
        unsafe {
            if !self.load(offset, address.as_mut_ptr().cast(), A::BYTES) {
                return Err(Reason::Truncated);
            }
            Ok(address.assume_init())
        }
    }
}

impl Load for Bytes {
    #[inline(always)]
    #[expect(unsafe_code, reason = "the kernel's structure is read")]
    fn bytes(&self) -> u32 {
        field!(self.skb, Fact::SkbLength, u32)
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "a helper writes through a raw pointer")]
    unsafe fn load(&self, offset: u32, to: *mut u8, len: u32) -> bool {
        // SAFETY: the dynptr is of this packet; the caller vouches for the memory.
        unsafe { bpf_dynptr_read(to.cast(), len, self.dynptr, offset, 0) == 0 }
    }
}

impl Connection {
    /// Whether `is_one` accepts the destination of the opener's packets as received; `false` also if it
    /// cannot be read.
    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "a helper fills memory that was not written before"
    )]
    pub(super) fn goes_to<A: Address>(self, is_one: impl FnOnce(&A) -> bool) -> bool {
        let mut address = MaybeUninit::<A>::uninit();
        let offset = fact::<{ Fact::ConnectionTuples.mark() }>();
        let offset = offset.wrapping_add(offset_of!(TupleHash, dst));
        let place = self.0.wrapping_add(offset) as *const c_void;
        // SAFETY: the helper writes that many bytes, for which there is room, and every bit pattern is an
        // address; or it says that it did not.
        unsafe {
            bpf_probe_read_kernel(address.as_mut_ptr().cast(), A::BYTES, place) == 0
                && is_one(address.assume_init_ref())
        }
    }
}

/// `struct nf_conntrack_tuple_hash`.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct TupleHash {
    node: [u64; 2],
    src: [u8; 16],
    src_port: [u8; 2],
    family: u16,
    dst: [u8; 16],
    dst_port: [u8; 2],
    protocol: u8,
    direction: u8,
}

/// The tuples of a connection that the kernel tracks: the opener's packets as received, and the answers as
/// received, whose source is the translated destination.
#[repr(C)]
pub(super) struct Tracked([TupleHash; 2]);

impl Tracked {
    const BYTES: u32 = 2 * 56;

    /// Reads it into a place; `None` if that cannot be done.
    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "a helper fills memory that was not written before"
    )]
    pub(super) fn read(connection: Connection, into: &mut MaybeUninit<Self>) -> Option<&Self> {
        let offset = fact::<{ Fact::ConnectionTuples.mark() }>();
        let from = connection.0.wrapping_add(offset) as *const c_void;
        // SAFETY: the helper writes that many bytes, for which there is room, and every bit pattern is
        // numbers; or it says that it did not.
        unsafe {
            if bpf_probe_read_kernel(into.as_mut_ptr().cast(), Self::BYTES, from) != 0 {
                return None;
            }
            Some(into.assume_init_ref())
        }
    }

    /// The opener's packets as they were received.
    #[inline(always)]
    pub(super) fn as_received<A: Address>(&self) -> Packet<A> {
        let [opener, _] = &self.0;
        packet(opener, A::of_union(opener.dst), opener.dst_port)
    }

    /// The opener's packets with their destination translated.
    #[inline(always)]
    pub(super) fn as_translated<A: Address>(&self) -> Packet<A> {
        let [opener, answers] = &self.0;
        let port = match opener.protocol {
            // There are the message's type and code, which nothing translates.
            protocol::ICMP | protocol::ICMPV6 => opener.dst_port,
            _ => answers.src_port,
        };
        packet(opener, A::of_union(answers.src), port)
    }
}

const _: () = assert!(size_of::<Tracked>() == Tracked::BYTES as usize);

/// An opener's packet to a destination.
#[inline(always)]
fn packet<A: Address>(opener: &TupleHash, dst: A, port: [u8; 2]) -> Packet<A> {
    let mut packet = Packet::bare(A::of_union(opener.src), dst, opener.protocol);
    match opener.protocol {
        number if protocol::is_keyed_by_ports(number) => {
            packet.src_port = u16::from_be_bytes(opener.src_port);
            packet.dst_port = u16::from_be_bytes(port);
        }
        protocol::ICMP | protocol::ICMPV6 => [packet.icmp_type, packet.icmp_code] = port,
        _ => {}
    }
    packet
}
