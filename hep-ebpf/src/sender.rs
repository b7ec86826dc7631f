//! Recognises packets that a process of this host sent.
//!
//! A socket may send from an address that is not the host's, and so do the children of an interface
//! (macvlan, macvtap, ipvlan), whose packets bear their sockets too: those of containers are in another
//! network namespace, and that of a macvtap device has no address family.

use aya_ebpf::{Global, bindings::__sk_buff, helpers};
use hep_common::sender::SOCKET_WORDS;

/// Address family of a socket that has none.
const AF_UNSPEC: u32 = 0;

/// Cookie of the namespace whose sockets are this host's; 0 disables the check: see
/// [`hep_common::sender::OWN_NAMESPACE`].
#[expect(unsafe_code, reason = "the loader finds the global by its name")]
#[unsafe(no_mangle)]
static OWN_NAMESPACE: Global<u64> = Global::new(0);
/// Word of a socket that points to its namespace: see [`hep_common::sender::SOCKET_NAMESPACE`].
#[expect(unsafe_code, reason = "the loader finds the global by its name")]
#[unsafe(no_mangle)]
static SOCKET_NAMESPACE: Global<u64> = Global::new(0);
/// Offset of the cookie in a namespace, bytes: see [`hep_common::sender::NAMESPACE_COOKIE`].
#[expect(unsafe_code, reason = "the loader finds the global by its name")]
#[unsafe(no_mangle)]
static NAMESPACE_COOKIE: Global<u64> = Global::new(0);

/// Whether a socket of this network namespace sent the packet.
#[inline(always)]
pub(crate) fn is_own_socket(skb: *mut __sk_buff) -> bool {
    hep_is_own_socket(skb) != 0
}

#[expect(unsafe_code, reason = "an exported symbol makes a function global")]
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn hep_is_own_socket(skb: *mut __sk_buff) -> u32 {
    let own = OWN_NAMESPACE.load();
    if own == 0 {
        return 0;
    }
    u32::from(namespace(skb) == Some(own))
}

/// Cookie of the namespace of a packet's socket.
#[inline(always)]
#[expect(
    unsafe_code,
    reason = "the kernel's structures are read through raw pointers"
)]
fn namespace(skb: *mut __sk_buff) -> Option<u64> {
    // SAFETY: the context is the kernel's own; the kernel has a null check of the socket before reads.
    let socket = unsafe { (*skb).__bindgen_anon_2.sk };
    // SAFETY: as above.
    if socket.is_null() || unsafe { (*socket).family } == AF_UNSPEC {
        return None;
    }
    // The kernel allows no arithmetic on its pointer, so the socket is read from its start.
    // SAFETY: the helper checks the address.
    let words = unsafe { helpers::bpf_probe_read_kernel(socket.cast::<[u64; SOCKET_WORDS]>()) };
    let place = usize::try_from(SOCKET_NAMESPACE.load()).ok()?;
    let namespace = *words.ok()?.get(place)?;
    let cookie = namespace.checked_add(NAMESPACE_COOKIE.load())?;
    // SAFETY: the helper checks the address.
    unsafe { helpers::bpf_probe_read_kernel(cookie as *const u64) }.ok()
}
