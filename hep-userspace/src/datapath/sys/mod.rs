//! System calls that aya does not wrap, array maps as memory, the kernel's own types, and threads.

pub(crate) mod bpf;
pub(crate) mod clock;
pub(crate) mod kernel_types;
pub(crate) mod mmap;
pub(crate) mod netfilter;
pub(crate) mod socket;
pub(crate) mod threads;
pub(crate) mod watch;
