//! Scratch state of the packet being judged, for each CPU.

use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};

use crate::context::Scratch;

/// Declares the map of one family, and the function that reaches it.
macro_rules! scratch {
    ($($(#[doc = $doc:literal])+ $name:ident, $get:ident: $address:ty;)+) => {
        $(
            #[btf_map]
            static $name: PerCpuArray<Scratch<$address>, 1> = PerCpuArray::new();

            $(#[doc = $doc])+
            ///
            /// To be called where a program or global function starts: programs do not interrupt each other
            /// on a CPU, so an earlier holder of the reference waits for this caller to return.
            #[inline(always)]
            #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
            pub(crate) fn $get() -> Option<&'static mut Scratch<$address>> {
                // SAFETY: the kernel returned the pointer for an index in range, so it is aligned and
                // live; it is this CPU's copy, TC runs with softirqs off, and only this crate
                // writes it, so that enum fields hold what they may; 0 is such a value.
                $name.get_ptr_mut(0).map(|scratch| unsafe { &mut *scratch })
            }
        )+
    };
}

scratch! {
    /// The IPv4 packet at hand.
    WORK4, scratch4: [u8; 4];
    /// The IPv6 packet at hand.
    WORK6, scratch6: [u8; 16];
}
