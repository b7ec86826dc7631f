//! Calls of kernel helpers that need neither a map nor a frame, and hints to the compiler and the verifier.

use aya_ebpf::helpers;

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

/// A key on the stack, where the kernel allows aligned access only, while the compiler copies
/// addresses in large words.
#[repr(C, align(8))]
pub(crate) struct Aligned<T>(pub(crate) T);
