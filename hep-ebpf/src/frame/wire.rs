//! Headers as they are in frames.

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
        unsafe impl $crate::frame::Wire for $name {
            const BYTES: u32 = 0 $(+ $bytes)+;
        }
    };
}
pub(crate) use wire;
