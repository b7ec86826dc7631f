//! Direct access to the linear area of a frame.

use core::mem::MaybeUninit;

use super::{hook::Frame, wire::Wire};

/// Reads the linear area directly: quick, and enough for nearly every packet.
#[derive(Clone, Copy)]
pub(crate) struct Direct {
    data: usize,
    end: usize,
}

impl Direct {
    /// A reader of this frame.
    #[inline(always)]
    pub(crate) fn new(frame: &impl Frame) -> Self {
        Self {
            data: frame.data(),
            end: frame.data_end(),
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
