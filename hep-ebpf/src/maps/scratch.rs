//! Scratch state of the packet being judged, for each CPU.

use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};

use crate::{address::Address, scratch::Scratch};

/// Addresses whose family has scratch state.
pub(crate) trait Work: Address {
    /// The scratch state of the packet at hand.
    ///
    /// To be called where a program or global function starts: programs do not interrupt each other on a CPU,
    /// so an earlier holder of the reference waits for this caller to return.
    fn scratch() -> Option<&'static mut Scratch<Self>>;
}

/// Declares the map of one family.
macro_rules! scratch {
    ($($name:ident: $address:ty;)+) => {
        $(
            #[btf_map]
            static $name: PerCpuArray<Scratch<$address>, 1> = PerCpuArray::new();

            impl Work for $address {
                #[inline(always)]
                #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
                fn scratch() -> Option<&'static mut Scratch<$address>> {
                    // SAFETY: the kernel returned the pointer for an index in range, so it is aligned and
                    // live; it is this CPU's copy, TC runs with softirqs off, and only this crate
                    // writes it, so that enum fields hold what they may; 0 is such a value. (Unless the
                    // compiler is told of the alignment, it loads addresses byte by byte.)
                    $name.get_ptr_mut(0).map(|scratch| unsafe {
                        core::hint::assert_unchecked(scratch.is_aligned());
                        &mut *scratch
                    })
                }
            }
        )+
    };
}

scratch! {
    WORK4: [u8; 4];
    WORK6: [u8; 16];
}
