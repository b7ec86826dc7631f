//! Globals by which the programs recognise packets that a process of this network namespace sent (spec
//! EV-261).

use hep_common::sender::{NAMESPACE_COOKIE, OWN_NAMESPACE, SOCKET_NAMESPACE, SOCKET_WORDS};

use crate::datapath::sys::{kernel_types::KernelTypes, socket};

/// Size of a word of a socket.
const WORD_BYTES: u64 = 8;

/// Values of the programs' globals; zeros, which disable the check, if the kernel does not describe its
/// types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    cookie: u64,
    namespace_word: u64,
    cookie_at: u64,
}

impl Sender {
    /// Reads the values from the kernel, for this process's namespace.
    pub(crate) fn find() -> Self {
        Self::in_types().unwrap_or_else(|| {
            log::info!(
                "the kernel does not describe its sockets: what this host sends from an address that is \
                 not its own counts as forwarded"
            );
            Self::default()
        })
    }

    fn in_types() -> Option<Self> {
        let types = KernelTypes::read().ok()?;
        let namespace_at = u64::from(types.offset("sock_common", "skc_net")?);
        let word = namespace_at / WORD_BYTES;
        let is_read = namespace_at % WORD_BYTES == 0 && word < SOCKET_WORDS as u64;
        Some(Self {
            cookie: socket::namespace_cookie().ok()?,
            namespace_word: is_read.then_some(word)?,
            cookie_at: types.offset("net", "net_cookie")?.into(),
        })
    }

    /// The globals by their names.
    pub(crate) const fn globals(&self) -> [(&'static str, &u64); 3] {
        [
            (OWN_NAMESPACE, &self.cookie),
            (SOCKET_NAMESPACE, &self.namespace_word),
            (NAMESPACE_COOKIE, &self.cookie_at),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_tells() {
        let sender = Sender::find();
        assert_ne!(sender.cookie, 0);
        assert_ne!(sender.namespace_word, 0);
        assert_ne!(sender.cookie_at, 0);
    }
}
