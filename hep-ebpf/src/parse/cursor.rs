//! The only place that reads bytes of a frame.

use core::mem::MaybeUninit;

use aya_ebpf::{EbpfContext as _, helpers::generated::bpf_skb_load_bytes, programs::TcContext};
use hep_common::counter::Reason;

/// Metadata that the kernel keeps beside a frame's bytes.
pub(crate) trait Metadata {
    /// The VLAN tag that the kernel took out of the frame; 0: none.
    fn vlan_control(&self) -> u32;
    /// The EtherType, host byte order.
    fn ether_type(&self) -> u16;
    /// The mark.
    fn mark(&self) -> u32;
    /// The interface of the hook.
    fn ifindex(&self) -> u32;
    /// The interface the frame was received on; 0: this host made it.
    fn ingress_ifindex(&self) -> u32;
    /// Whose link-layer address the frame has, `PACKET_…` of `linux/if_packet.h`.
    fn pkt_type(&self) -> u32;
}

#[expect(unsafe_code, reason = "the context is a raw pointer")]
impl Metadata for TcContext {
    #[inline(always)]
    fn vlan_control(&self) -> u32 {
        // SAFETY: the kernel passes a context that lives as long as the program runs, and rewrites
        // reads of its fields. Those before 6.2 may leave an old tag where there is none.
        unsafe {
            let control = (*self.skb.skb).vlan_tci;
            if control == 0 || (*self.skb.skb).vlan_present == 0 {
                0
            } else {
                control
            }
        }
    }

    #[inline(always)]
    fn ether_type(&self) -> u16 {
        // SAFETY: as in `vlan_control`.
        let big_endian = unsafe { (*self.skb.skb).protocol };
        u16::from_be((big_endian & 0xffff) as u16)
    }

    #[inline(always)]
    fn mark(&self) -> u32 {
        // SAFETY: as in `vlan_control`.
        unsafe { (*self.skb.skb).mark }
    }

    #[inline(always)]
    fn ifindex(&self) -> u32 {
        // SAFETY: as in `vlan_control`.
        unsafe { (*self.skb.skb).ifindex }
    }

    #[inline(always)]
    fn ingress_ifindex(&self) -> u32 {
        // SAFETY: as in `vlan_control`.
        unsafe { (*self.skb.skb).ingress_ifindex }
    }

    #[inline(always)]
    fn pkt_type(&self) -> u32 {
        // SAFETY: as in `vlan_control`.
        unsafe { (*self.skb.skb).pkt_type }
    }
}

/// A header laid out as in a frame, in memory that the verifier lets be read in words of any size.
///
/// # Safety
///
/// The type is `repr(C)`, and its first `BYTES` bytes are byte arrays without padding between them;
/// there are no other fields.
#[expect(unsafe_code, reason = "frame bytes become headers by this promise")]
pub(crate) unsafe trait Wire: Copy {
    /// Length of the header.
    const BYTES: u32;
}

/// Declares headers: structures of byte arrays.
macro_rules! wire {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident {
        $($field:ident: $bytes:literal,)+
    }) => {
        $(#[$attribute])*
        #[repr(C, align(8))]
        #[derive(Clone, Copy)]
        $visibility struct $name {
            $(pub(crate) $field: [u8; $bytes],)+
        }

        #[expect(unsafe_code, reason = "the macro admits nothing but byte arrays")]
        // SAFETY: `repr(C)`, and every field is a byte array; `BYTES` is the sum of their lengths.
        unsafe impl $crate::parse::cursor::Wire for $name {
            const BYTES: u32 = 0 $(+ $bytes)+;
        }
    };
}
pub(super) use wire;

/// Reads the linear area directly: quick, and enough for nearly every packet.
#[derive(Clone, Copy)]
pub(crate) struct Direct {
    data: usize,
    end: usize,
}

impl Direct {
    /// A reader of this frame.
    #[inline(always)]
    pub(crate) fn new(ctx: &TcContext) -> Self {
        Self {
            data: ctx.data(),
            end: ctx.data_end(),
        }
    }
}

/// Longest header: that of IPv6. All have an even number of bytes.
const LONGEST: u32 = 40;

/// Copies the word at an offset of a header, if the header has it.
///
/// The load is written as an instruction, which takes any address, its offset included; the compiler
/// would load a word that is not aligned byte by byte.
macro_rules! copy_word {
    ($header:ident, $from:ident, $to:ident, $size:literal, $word:ty, $offset:expr) => {
        if const { size_of::<$word>() + ($offset) <= $header::BYTES as usize } {
            let word: $word;
            core::arch::asm!(
                concat!("{word} = *(", $size, " *)({from} + {offset})"),
                word = out(reg) word,
                from = in(reg) $from,
                offset = const $offset,
                options(pure, readonly, nostack, preserves_flags)
            );
            $to.add($offset).cast::<$word>().write(word);
        }
    };
}

/// Copies the word behind all wider ones, if the header's length includes one.
macro_rules! copy_rest {
    ($header:ident, $from:ident, $to:ident, $size:literal, $word:ty) => {
        if $header::BYTES as usize & size_of::<$word>() != 0 {
            copy_word!(
                $header,
                $from,
                $to,
                $size,
                $word,
                const { $header::BYTES as usize & !(2 * size_of::<$word>() - 1) }
            );
        }
    };
}

impl Direct {
    /// Copies the header at `offset`; `None` if it is not in the linear area.
    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "the linear area is reached through raw pointers"
    )]
    pub(crate) fn read<T: Wire>(&self, offset: u32) -> Option<T> {
        let start = self.data.wrapping_add(offset as usize);
        if start.wrapping_add(T::BYTES as usize) > self.end {
            return None;
        }
        let mut header = MaybeUninit::<T>::uninit();
        let to = header.as_mut_ptr().cast::<u8>();
        // Conditions that the compiler knows the outcome of; a loop it would not unroll.
        // SAFETY: the bytes lie between `data` and `data_end`, which the kernel keeps in place while
        // no helper changes the frame. `header` is aligned for the widest word and has room for all
        // the bytes, and is complete with them.
        unsafe {
            const { assert!(T::BYTES <= LONGEST) };
            copy_word!(T, start, to, "u64", u64, 0);
            copy_word!(T, start, to, "u64", u64, 8);
            copy_word!(T, start, to, "u64", u64, 16);
            copy_word!(T, start, to, "u64", u64, 24);
            copy_word!(T, start, to, "u64", u64, 32);
            copy_rest!(T, start, to, "u32", u32);
            copy_rest!(T, start, to, "u16", u16);
            Some(header.assume_init())
        }
    }
}

/// Reads headers wherever their bytes are (spec EV-186).
pub(crate) trait Read {
    /// Copies the header at `offset`.
    ///
    /// # Errors
    ///
    /// [`Reason::Truncated`] if the packet ends before the header does.
    fn read<T: Wire>(&self, offset: u32) -> Result<T, Reason>;
}

/// Reads through the helper that TC programs have.
pub(crate) struct Loader<'a> {
    ctx: &'a TcContext,
}

impl<'a> Loader<'a> {
    /// A reader of this frame.
    #[inline(always)]
    pub(crate) const fn new(ctx: &'a TcContext) -> Self {
        Self { ctx }
    }
}

impl Read for Loader<'_> {
    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "a helper fills memory that was not written before"
    )]
    fn read<T: Wire>(&self, offset: u32) -> Result<T, Reason> {
        let mut header = MaybeUninit::<T>::uninit();
        // SAFETY: the context is the kernel's own, and `header` has room for the bytes.
        let result = unsafe {
            bpf_skb_load_bytes(
                self.ctx.as_ptr().cast_const(),
                offset,
                header.as_mut_ptr().cast(),
                T::BYTES,
            )
        };
        if result != 0 {
            return Err(Reason::Truncated);
        }
        // SAFETY: the helper has written all of the header.
        Ok(unsafe { header.assume_init() })
    }
}
