//! The TC programs of hep: `hep_ingress` and `hep_egress`.
//!
//! Built for `bpfel-unknown-none` by the build script of `hep-userspace`. On any other target this
//! crate is an empty program, so that commands for the whole workspace work.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![deny(unsafe_code)]

#[cfg(target_arch = "bpf")]
mod maps;
#[cfg(target_arch = "bpf")]
mod programs;

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
