//! Links of every kind, with the host under policy at one end.

use super::{
    judge::{INTERFACE, Judge, resources},
    send::Injector,
};
use crate::{
    daemon::Daemon,
    namespace::Namespace,
    program::program,
    topology::{HOST_INSIDE_MAC, HOST_MAC, INSIDE_MAC},
};

/// A kind of link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Its name.
    pub(super) name: &'static str,
    /// Frames have an Ethernet header.
    pub(super) ethernet: bool,
    setup: Setup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setup {
    /// A tun or tap device.
    Device,
    /// These commands make the host's end, the next ones the far end, where frames are sent by the
    /// interface named last. `WIRE` is a pair of interfaces, `wire` at both ends, with addresses.
    Commands {
        host: &'static str,
        far: &'static str,
        by: &'static str,
    },
    /// The interface is a port of a bridge, which has the host's addresses and a port inside.
    Port,
}

const fn ethernet(name: &'static str, host: &'static str, far: &'static str) -> Kind {
    Kind {
        name,
        ethernet: true,
        setup: Setup::Commands {
            host,
            far,
            by: if far.is_empty() { "wire" } else { INTERFACE },
        },
    }
}

/// Every kind of link that frames can be sent on. What a kernel does not have is passed over.
pub(super) const KINDS: [Kind; 13] = [
    ethernet("veth", "link set wire name test0", ""),
    Kind {
        name: "tun",
        ethernet: false,
        setup: Setup::Device,
    },
    Kind {
        name: "tap",
        ethernet: true,
        setup: Setup::Device,
    },
    ethernet(
        "bridge",
        "link add test0 type bridge\nlink set wire master test0 up",
        "",
    ),
    Kind {
        name: "port",
        ethernet: true,
        setup: Setup::Port,
    },
    ethernet(
        "macvlan",
        "link set wire up\nlink add link wire name test0 type macvlan mode bridge",
        "",
    ),
    ethernet(
        "vxlan",
        "link add test0 type vxlan id 5 local 172.16.0.1 remote 172.16.0.2 dstport 4789 dev wire",
        "link add test0 type vxlan id 5 local 172.16.0.2 remote 172.16.0.1 dstport 4789 dev wire",
    ),
    ethernet(
        "geneve",
        "link add test0 type geneve id 5 remote 172.16.0.2",
        "link add test0 type geneve id 5 remote 172.16.0.1",
    ),
    ethernet(
        "gretap",
        "link add test0 type gretap local 172.16.0.1 remote 172.16.0.2",
        "link add test0 type gretap local 172.16.0.2 remote 172.16.0.1",
    ),
    ethernet(
        "vlan",
        "link add link wire name test0 type vlan id 9",
        "link add link wire name test0 type vlan id 9",
    ),
    ethernet(
        "vlan, tags left in place",
        "link add link wire name test0 type vlan id 9 reorder_hdr off",
        "link add link wire name test0 type vlan id 9",
    ),
    ethernet(
        "bond",
        "link add test0 type bond mode active-backup\nlink set wire down\nlink set wire master test0",
        "",
    ),
    ethernet(
        "team",
        "link add test0 type team\nlink set wire down\nlink set wire master test0",
        "",
    ),
];

/// A host under policy, with judges behind it.
pub(super) struct Fixture {
    /// Where frames go in.
    pub(super) injector: Injector,
    /// Judges on the host and behind it.
    pub(super) judges: [Judge; 2],
    /// The firewall.
    pub(super) daemon: Daemon,
    _far: Namespace,
}

impl Fixture {
    /// Makes a link of a kind; `None` if the kernel has none.
    ///
    /// # Panics
    ///
    /// If anything else fails.
    pub(super) fn new(kind: Kind) -> Option<Self> {
        let host = Namespace::new("host");
        let far = Namespace::new("far");
        let inside = Namespace::new("inside");
        host.ip(&format!(
            "link add wire type veth peer name wire netns {}\n\
             address add 172.16.0.1/30 dev wire\n\
             link add eth1 type veth peer name eth0 netns {}\n\
             link set eth1 address {} up",
            far.name(),
            inside.name(),
            mac(HOST_INSIDE_MAC),
        ));
        far.ip("address add 172.16.0.2/30 dev wire\nlink set wire up");
        let (injector, addressed) = match kind.setup {
            Setup::Device => {
                let device = Injector::device(&host, INTERFACE, kind.ethernet);
                (device, INTERFACE)
            }
            Setup::Port => {
                host.ip("link add br0 type bridge\nlink set br0 up\n\
                         link set eth1 master br0\n\
                         link set wire name test0\nlink set test0 master br0 up");
                (Injector::socket(&far, "wire"), "br0")
            }
            Setup::Commands {
                host: own,
                far: others,
                by,
            } => {
                if !(try_ip(&host, own) && try_ip(&far, others)) {
                    return None;
                }
                if by == INTERFACE {
                    host.ip("link set wire up");
                    far.ip(&format!("link set {INTERFACE} up"));
                }
                (Injector::socket(&far, by), INTERFACE)
            }
        };
        address(&host, &inside, addressed, kind);
        let by_port = kind.setup == Setup::Port;
        let judges = [(&host, addressed), (&inside, "eth0")]
            .map(|(namespace, interface)| Judge::new(namespace, interface, by_port));
        let daemon = Daemon::start(&host, &resources());
        Some(Self {
            injector,
            judges,
            daemon,
            _far: far,
        })
    }
}

/// Gives the host its addresses, at an interface, and those inside theirs.
fn address(host: &Namespace, inside: &Namespace, interface: &str, kind: Kind) {
    if kind.ethernet {
        host.ip(&format!("link set {interface} address {}", mac(HOST_MAC)));
    }
    host.ip(&format!(
        "link set {interface} up\nlink set {INTERFACE} up\n\
         address add 192.0.2.10/24 dev {interface}\n\
         address add 2001:db8::10/64 dev {interface} nodad\n\
         address add 10.0.0.1/24 dev eth1\n\
         address add 2001:db8:10::1/64 dev eth1 nodad\n\
         route add default dev {interface}\nroute add ::/0 dev {interface}\n\
         neighbour replace 10.0.0.5 lladdr {inner} dev eth1 nud permanent\n\
         neighbour replace 2001:db8:10::5 lladdr {inner} dev eth1 nud permanent",
        inner = mac(INSIDE_MAC),
    ));
    inside.ip(&format!(
        "link set eth0 address {} up\naddress add 10.0.0.5/24 dev eth0\n\
         address add 2001:db8:10::5/64 dev eth0 nodad",
        mac(INSIDE_MAC)
    ));
    host.sysctl("net/ipv4/ip_forward", "1");
    host.sysctl("net/ipv6/conf/all/forwarding", "1");
    for family in ["iptables", "ip6tables"] {
        // Bridged frames would be shown to the judge's hooks as routed ones are.
        let key = format!("net/bridge/bridge-nf-call-{family}");
        if host.run(|| std::path::Path::new("/proc/sys").join(&key).exists()) {
            host.sysctl(&key, "0");
        }
    }
}

/// Whether `ip` supports the kind of link that commands make.
fn try_ip(namespace: &Namespace, commands: &str) -> bool {
    commands.lines().all(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        if words[1] != "add" {
            namespace.ip(line);
            return true;
        }
        namespace.run(|| {
            let mut ip = program("ip");
            ip.args(&words).output().expect("run ip").status.success()
        })
    })
}

/// An Ethernet address as `ip` writes it.
fn mac(address: crate::packet::Mac) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}
