//! Frames at TC hooks.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{
        BPF_F_CURRENT_NETNS, bpf_fib_lookup, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1,
        bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2,
    },
    helpers::generated,
    programs::TcContext,
};

use super::{
    hook::Frame,
    load::Load,
    query::{FibQuestion, Query, Tuple},
};
use crate::sender;

impl Load for TcContext {
    #[inline(always)]
    fn bytes(&self) -> u32 {
        self.len()
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "a helper writes through a raw pointer")]
    unsafe fn load(&self, offset: u32, to: *mut u8, len: u32) -> bool {
        // SAFETY: the context is the kernel's own; the caller vouches for the memory.
        unsafe {
            generated::bpf_skb_load_bytes(self.as_ptr().cast_const(), offset, to.cast(), len) == 0
        }
    }
}

#[expect(unsafe_code, reason = "the context is a raw pointer")]
impl Frame for TcContext {
    #[inline(always)]
    fn data(&self) -> usize {
        Self::data(self)
    }

    #[inline(always)]
    fn data_end(&self) -> usize {
        Self::data_end(self)
    }

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
    fn set_mark(&self, mark: u32) {
        Self::set_mark(self, mark);
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

impl Query for TcContext {
    #[inline(always)]
    #[expect(unsafe_code, reason = "a helper is called")]
    fn fib_lookup(&self, question: &mut FibQuestion) -> i64 {
        let question = core::ptr::from_mut(question).cast::<bpf_fib_lookup>();
        // SAFETY: the context is the kernel's own, and `question` is as long as is said, in integers.
        unsafe {
            generated::bpf_fib_lookup(self.as_ptr(), question, bytes_of::<bpf_fib_lookup>(), 0)
        }
    }

    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "helpers are called, and a socket's field is read"
    )]
    fn tcp_socket_state(&self, mut tuple: Tuple) -> u32 {
        let (tuple, bytes) = match &mut tuple {
            Tuple::V4(tuple) => (
                core::ptr::from_mut(tuple).cast(),
                bytes_of::<bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1>(),
            ),
            Tuple::V6(tuple) => (
                core::ptr::from_mut(tuple).cast(),
                bytes_of::<bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2>(),
            ),
        };
        // SAFETY: the context is the kernel's own, and `tuple` is as long as is said.
        let socket = unsafe {
            generated::bpf_skc_lookup_tcp(
                self.as_ptr(),
                tuple,
                bytes.unsigned_abs(),
                BPF_F_CURRENT_NETNS as u64,
                0,
            )
        };
        if socket.is_null() {
            return 0;
        }
        // SAFETY: the socket is not null and held until it is released below, once.
        unsafe {
            let state = (*socket).state;
            generated::bpf_sk_release(socket.cast());
            state
        }
    }

    #[inline(always)]
    fn is_of_own_socket(&self) -> bool {
        sender::is_own_socket(self.skb.skb)
    }
}

/// Size of an argument, as helpers take it.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "arguments are tens of bytes long"
)]
const fn bytes_of<T>() -> i32 {
    size_of::<T>() as i32
}
