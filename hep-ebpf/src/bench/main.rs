//! Baselines for `cargo xtask bench`: programs with which the cost of hep's own is compared.
//!
//! Never part of the product; built beside it so that one compiler makes both.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![deny(unsafe_code)]

#[cfg(target_arch = "bpf")]
mod generator;
#[cfg(target_arch = "bpf")]
mod yardstick;

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
