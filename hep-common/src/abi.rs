//! The one macro that lets a type cross the kernel boundary.

/// Asserts that `$type` is `$size` bytes and that its fields, listed in order, add up to that, so
/// that it has no padding; under the `user` feature it then is [`aya::Pod`].
macro_rules! abi {
    ($type:ty, $size:expr, [$($field:ty),+ $(,)?]) => {
        const _: () = {
            assert!(size_of::<$type>() == $size, "size of the ABI type changed");
            assert!(0 $(+ size_of::<$field>())+ == $size, "the ABI type has padding");
        };

        #[cfg(feature = "user")]
        // SAFETY: `$type` is `repr(C)` and `Copy`, the assertions above rule padding out, and its
        // fields are integers or arrays of such, for which every bit pattern is a value.
        unsafe impl aya::Pod for $type {}
    };
}
