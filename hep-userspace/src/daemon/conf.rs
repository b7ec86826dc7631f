//! The kernel's per-interface settings for received packets: `net.ipv4.conf` and `net.ipv6.conf`.

use std::fs;

use rtnetlink::packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, LinkAttribute, LinkMessage,
};

use crate::model::Conf;

/// Reads the settings under `all`, which netlink's list of links does not contain.
pub(super) fn of_all() -> Conf {
    let is_set = |path: &str| {
        let text = fs::read_to_string(format!("/proc/sys/net/{path}"));
        // Without IPv6 the file does not exist.
        text.is_ok_and(|text| text.trim() != "0")
    };
    Conf {
        // IPv4 forwarding is set by each interface alone.
        forwards_v4: false,
        forwards_v6: is_set("ipv6/conf/all/forwarding"),
        accepts_local: is_set("ipv4/conf/all/accept_local"),
        routes_localnet: is_set("ipv4/conf/all/route_localnet"),
        is_forced_v6: false,
    }
}

/// The settings of one interface, combined with those of `all` interfaces.
pub(super) fn of(link: &LinkMessage, all: Conf) -> Conf {
    let mut conf = all;
    let families = link.attributes.iter().filter_map(|attribute| {
        if let LinkAttribute::AfSpecUnspec(families) = attribute {
            return Some(families);
        }
        None
    });
    for family in families.flatten() {
        if let AfSpecUnspec::Inet(settings) = family {
            for setting in settings {
                if let AfSpecInet::DevConf(set) = setting {
                    conf.forwards_v4 |= set.forwarding != 0;
                    conf.accepts_local |= set.accept_local != 0;
                    conf.routes_localnet |= set.route_localnet != 0;
                }
            }
        }
        if let AfSpecUnspec::Inet6(settings) = family {
            for setting in settings {
                if let AfSpecInet6::DevConf(set) = setting {
                    conf.is_forced_v6 = set.force_forwarding != 0;
                }
            }
        }
    }
    conf
}
