//! By what the TC programs know whether a process of this network namespace sent a packet: names of
//! globals that the loader sets. Without them no instruction of that is in the loaded programs.

/// The `u64` cookie of the network namespace whose interfaces are policed; 0: nothing is asked.
pub const OWN_NAMESPACE: &str = "OWN_NAMESPACE";
/// Which word of `struct sock_common` is `skc_net`, a pointer to `struct net`: a `u64`, below
/// [`SOCKET_WORDS`].
pub const SOCKET_NAMESPACE: &str = "SOCKET_NAMESPACE";
/// Where `net_cookie` is in `struct net`: a `u64`, bytes.
pub const NAMESPACE_COOKIE: &str = "NAMESPACE_COOKIE";

/// Words of a socket that the programs read.
pub const SOCKET_WORDS: usize = 8;
