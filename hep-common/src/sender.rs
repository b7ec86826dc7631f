//! Names of globals, set by the loader, by which the TC programs recognise packets that a process of this
//! network namespace sent. While they are unset, the loaded programs contain no code for it.

/// The `u64` cookie of the network namespace whose interfaces are policed; 0 disables the check.
pub const OWN_NAMESPACE: &str = "OWN_NAMESPACE";
/// Index of the 64-bit word of `struct sock_common` that is `skc_net`, a pointer to `struct net`: a `u64`,
/// below [`SOCKET_WORDS`].
pub const SOCKET_NAMESPACE: &str = "SOCKET_NAMESPACE";
/// Offset of `net_cookie` in `struct net`, bytes: a `u64`.
pub const NAMESPACE_COOKIE: &str = "NAMESPACE_COOKIE";

/// Words of a socket that the programs read.
pub const SOCKET_WORDS: usize = 8;
