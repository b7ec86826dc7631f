//! Access to the bytes of a packet, wherever they are.

use core::mem::MaybeUninit;

use hep_common::counter::Reason;

use super::wire::Wire;

/// Bytes of a packet that a helper of its hook copies (spec EV-186).
pub(crate) trait Load {
    /// Number of bytes.
    fn bytes(&self) -> u32;

    /// Copies `len` bytes from `offset` on; returns whether there are that many.
    ///
    /// # Safety
    ///
    /// `to` is valid for writes of `len` bytes. They are written if the result is true.
    #[expect(unsafe_code, reason = "helpers write through raw pointers")]
    unsafe fn load(&self, offset: u32, to: *mut u8, len: u32) -> bool;

    /// Copies the header at `offset`.
    ///
    /// # Errors
    ///
    /// [`Reason::Truncated`] if the packet ends before the header does.
    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "a helper fills memory that was not written before"
    )]
    fn read<T: Wire>(&self, offset: u32) -> Result<T, Reason> {
        let mut header = MaybeUninit::<T>::uninit();
        // SAFETY: `header` has room for the bytes.
        if !unsafe { self.load(offset, header.as_mut_ptr().cast(), T::BYTES) } {
            return Err(Reason::Truncated);
        }
        // SAFETY: all of the header has been written.
        Ok(unsafe { header.assume_init() })
    }
}
