//! System calls that aya does not wrap, array maps as memory, and the kernel's own types.

pub(crate) mod bpf;
pub(crate) mod kernel_types;
pub(crate) mod mmap;
pub(crate) mod netfilter;
pub(crate) mod socket;
pub(crate) mod watch;
