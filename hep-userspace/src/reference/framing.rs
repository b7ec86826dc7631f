//! The headers before a packet's addresses and ports: VLAN tags and IPv6 extension headers (EV-183, EV-184,
//! EV-258).

use hep_common::counter::Reason;

/// Most VLAN tags that are taken off a frame (EV-184).
pub const MAX_TAGS: usize = 8;
/// Most IPv6 extension headers that are walked, a fragment header included (EV-183).
pub const MAX_EXTENSIONS: usize = 8;

/// A VLAN tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// 802.1ad; else 802.1Q.
    pub is_service: bool,
    /// The VLAN; 0: only a priority.
    pub id: u16,
}

/// An IPv6 extension header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// IANA number.
    pub header: u8,
    /// Type of a routing header.
    pub routing_type: u8,
}

impl Extension {
    /// IANA number of routing headers.
    pub const ROUTING: u8 = 43;
    /// IANA number of authentication headers.
    pub const AUTHENTICATION: u8 = 51;
    /// The numbers that are walked, but for that of fragments (EV-183).
    pub const ALL: [u8; 7] = [0, 60, Self::ROUTING, Self::AUTHENTICATION, 135, 139, 140];
}

/// Everything in front.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Framing {
    /// Tags, the outermost first.
    pub tags: Vec<Tag>,
    /// Extension headers of an IPv6 packet, the outermost first.
    pub extensions: Vec<Extension>,
}

impl Framing {
    /// The verdict that the tags cause by themselves; `None` if they are only removed.
    pub(super) fn link_layer(&self) -> Option<Reason> {
        let mut seen = self.tags.iter().take(MAX_TAGS + 1);
        if seen.any(|tag| tag.id != 0) {
            Some(Reason::Vlan)
        } else if self.tags.len() > MAX_TAGS {
            Some(Reason::LinkHeader)
        } else {
            None
        }
    }

    /// Why the extension headers are not walked to their end.
    pub(super) fn extension_headers(&self, fragmented: bool) -> Option<Reason> {
        let mut walked = self.extensions.iter().take(MAX_EXTENSIONS);
        if walked.any(|header| header.header == Extension::ROUTING && header.routing_type == 0) {
            Some(Reason::RoutingHeader)
        } else if self.extensions.len() + usize::from(fragmented) > MAX_EXTENSIONS {
            Some(Reason::ExtensionHeaders)
        } else {
            None
        }
    }
}
