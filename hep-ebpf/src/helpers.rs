//! Calls of kernel helpers that are no map's, behind safe functions.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{
        BPF_F_CURRENT_NETNS, bpf_fib_lookup, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1,
        bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2,
    },
    helpers,
    programs::TcContext,
};

/// Coarse monotonic clock, nanoseconds: ticks every few milliseconds and costs next to nothing.
#[inline(always)]
#[expect(unsafe_code, reason = "a helper is called")]
pub(crate) fn now_ns() -> u64 {
    // SAFETY: the helper takes no arguments.
    unsafe { helpers::generated::bpf_ktime_get_coarse_ns() }
}

/// Hides the origin of a value from the compiler.
///
/// The compiler drops a bounds check that it can prove needless; the kernel then refuses the
/// program, because it does not see the proof.
#[inline(always)]
#[expect(unsafe_code, reason = "an assembly block is opaque to the compiler")]
pub(crate) fn opaque(mut value: usize) -> usize {
    // SAFETY: a register is moved to itself. (Without any instruction two lines of source would start
    // at one place, which the kernel refuses.)
    unsafe {
        core::arch::asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack, preserves_flags));
    }
    value
}

/// All bits set if a number, taken as signed, is negative, else none.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "all these types have 64 bits here, and only the sign matters"
)]
pub(crate) fn sign(number: u64) -> u64 {
    // Opaque, before the shift and behind it, or the compiler makes a branch of it.
    let number = opaque(number as usize) as i64;
    opaque((number >> 63) as usize) as u64
}

/// The lower half of a word.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "that is what is asked for")]
pub(crate) const fn low(word: u64) -> u32 {
    word as u32
}

/// Erases the bounds that the verifier has derived for a number: it does not notice that `any`, whose value
/// it cannot bound, cancels out.
///
/// The verifier examines a loop's iterations one by one, unless the bounds of the numbers in it are the same
/// in each.
#[inline(always)]
#[expect(unsafe_code, reason = "an assembly block is opaque to the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "both are halves of words")]
pub(crate) fn forgotten(value: u32, any: u32) -> u32 {
    let mut value = u64::from(value);
    // SAFETY: only registers are changed.
    unsafe {
        core::arch::asm!(
            "{0} ^= {1}",
            "{0} ^= {1}",
            inout(reg) value,
            in(reg) u64::from(any),
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    value as u32
}

/// Zero, for adjacent fields of words: a constant would be written by a loop over bytes (measured: 3.5 ns for
/// four words).
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "it is zero")]
pub(crate) fn zero() -> u32 {
    opaque(0) as u32
}

/// Turns a global function's pointer argument back into the caller's shared reference. Never null; the
/// verifier insists on the check.
///
/// # Safety
///
/// The pointer is null, or was a shared reference that is valid for as long as `'a`.
#[inline(always)]
#[expect(unsafe_code, reason = "pointers become references")]
pub(crate) unsafe fn handed<'a, T>(pointer: *const T) -> Option<&'a T> {
    // SAFETY: a pointer that was a reference is aligned and valid.
    unsafe {
        core::hint::assert_unchecked(pointer.is_aligned());
        pointer.as_ref()
    }
}

/// Turns a global function's pointer argument back into the caller's exclusive reference. Never null; the
/// verifier insists on the check.
///
/// # Safety
///
/// The pointer is null, or was an exclusive reference that is valid and used by nobody else for as
/// long as `'a`.
#[inline(always)]
#[expect(unsafe_code, reason = "pointers become references")]
pub(crate) unsafe fn handed_mut<'a, T>(pointer: *mut T) -> Option<&'a mut T> {
    // SAFETY: a pointer that was a reference is aligned and valid, and this one is exclusive.
    unsafe {
        core::hint::assert_unchecked(pointer.is_aligned());
        pointer.as_mut()
    }
}

/// Calls `step` until it returns a value other than 0, at most `limit` times.
#[inline(always)]
#[expect(unsafe_code, reason = "a helper is called")]
pub(crate) fn repeat<C>(limit: u32, step: extern "C" fn(u64, &mut C) -> i64, context: &mut C) {
    // SAFETY: the kernel calls `step` with a number and the context it was given, before the helper
    // returns; a reference is passed like a pointer.
    unsafe {
        helpers::generated::bpf_loop(
            limit,
            step as *mut core::ffi::c_void,
            core::ptr::from_mut(context).cast(),
            0,
        );
    }
}

/// Argument and result of a routing look-up: a `bpf_fib_lookup` whose last fields, which are not used, are
/// whole words.
#[repr(C)]
pub(crate) struct FibQuestion {
    /// Address family of the socket interface.
    pub(crate) family: u8,
    /// Protocol.
    pub(crate) protocol: u8,
    /// Network byte order.
    pub(crate) sport: u16,
    /// Network byte order.
    pub(crate) dport: u16,
    /// 0: no check whether a packet fits.
    pub(crate) length: u16,
    /// The interface that has the packet; in the result, the one that it leaves by.
    pub(crate) ifindex: u32,
    /// IPv4: type of service, IPv6: flow information in network byte order.
    pub(crate) flow: u32,
    /// Source, network byte order.
    pub(crate) src: [u32; 4],
    /// Destination, network byte order.
    pub(crate) dst: [u32; 4],
    /// Zeros.
    pub(crate) rest: [u32; 4],
}

const _: () = {
    assert!(size_of::<FibQuestion>() == size_of::<bpf_fib_lookup>());
    assert!(align_of::<FibQuestion>() == align_of::<bpf_fib_lookup>());
};

/// Looks a route up in the kernel's tables; fills in the outgoing interface. Returns a `BPF_FIB_LKUP_RET_…`
/// number, or a negative error.
#[inline(always)]
#[expect(unsafe_code, reason = "a helper is called")]
pub(crate) fn fib_lookup(ctx: &TcContext, question: &mut FibQuestion) -> i64 {
    let question = core::ptr::from_mut(question).cast::<bpf_fib_lookup>();
    // SAFETY: the context is the kernel's own, and `question` is as long as is said, in integers.
    unsafe {
        helpers::generated::bpf_fib_lookup(ctx.as_ptr(), question, bytes_of::<bpf_fib_lookup>(), 0)
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

/// Ports and addresses of a connection, network byte order: the remote end first.
pub(crate) enum Tuple {
    /// Of IPv4.
    V4(bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1),
    /// Of IPv6.
    V6(bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2),
}

/// State, as the kernel's number, of the TCP socket that would receive a segment of `tuple`: a connection's
/// own, or else one that listens. 0 if there is none.
#[inline(always)]
#[expect(
    unsafe_code,
    reason = "helpers are called, and a socket's field is read"
)]
pub(crate) fn tcp_socket_state(ctx: &TcContext, mut tuple: Tuple) -> u32 {
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
        helpers::generated::bpf_skc_lookup_tcp(
            ctx.as_ptr(),
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
        helpers::generated::bpf_sk_release(socket.cast());
        state
    }
}
