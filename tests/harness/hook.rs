//! Where packets are judged: a program at an interface.

use hep_common::Direction;

/// Where a packet is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook {
    pub(crate) direction: Direction,
    pub(crate) interface: &'static str,
    pub(crate) came_in_by: Option<&'static str>,
}

/// Packets that come in by `eth0`.
pub const INGRESS: Hook = Hook::ingress("eth0");
/// Packets of the host's own that leave by `eth0`.
pub const EGRESS: Hook = Hook::egress("eth0");
/// Packets that come in by `eth1`.
pub const INSIDE_INGRESS: Hook = Hook::ingress("eth1");
/// Packets that came in by `eth1` and leave by `eth0`.
pub const FORWARD_OUT: Hook = Hook::forward("eth1", "eth0");
/// Packets that came in by `eth0` and leave by `eth1`.
pub const FORWARD_IN: Hook = Hook::forward("eth0", "eth1");

impl Hook {
    /// The ingress hook of `interface`.
    #[must_use]
    pub const fn ingress(interface: &'static str) -> Self {
        Self {
            direction: Direction::Ingress,
            interface,
            came_in_by: None,
        }
    }

    /// The egress hook of `interface`, for the host's own packets.
    #[must_use]
    pub const fn egress(interface: &'static str) -> Self {
        Self {
            direction: Direction::Egress,
            interface,
            came_in_by: None,
        }
    }

    /// The egress hook of `leaving`, for packets that came in by `entering`.
    #[must_use]
    pub const fn forward(entering: &'static str, leaving: &'static str) -> Self {
        Self {
            direction: Direction::Egress,
            interface: leaving,
            came_in_by: Some(entering),
        }
    }

    /// The hook as messages name it.
    pub(crate) fn label(self) -> String {
        match self.came_in_by {
            Some(entering) => format!("forwarded {entering} → {}", self.interface),
            None => format!("{:?} {}", self.direction, self.interface),
        }
    }
}
