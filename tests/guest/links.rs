//! Interfaces on top of others: VLANs, bonds, VRFs.

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::endpoint,
    probe::{
        Heard::{Answer, Nothing},
        tcp,
    },
    topology::Topology,
};

use crate::{attached, policed};

/// Gives the host's second interface's addresses to `host`, and the inside machine's to `inside`.
pub(crate) fn move_addresses(topology: &Topology, host: &str, inside: &str) {
    topology.host.ip("address flush dev eth1");
    topology.inside.ip("address flush dev eth0");
    for net in Net::both() {
        let bits = if net.host.is_ipv4() { 24 } else { 64 };
        topology.host.ip(&format!(
            "address replace {}/{bits} dev {host}",
            net.host_inside
        ));
        topology.inside.ip(&format!(
            "address replace {}/{bits} dev {inside}\nroute replace default via {}",
            net.inner, net.host_inside
        ));
    }
}

fn with_vlan() -> Topology {
    let topology = Topology::new();
    topology
        .host
        .ip("link add link eth1 name eth1.7 type vlan id 7\nlink set eth1.7 up");
    topology
        .inside
        .ip("link add link eth0 name eth0.7 type vlan id 7\nlink set eth0.7 up");
    move_addresses(&topology, "eth1.7", "eth0.7");
    topology
}

#[test]
fn a_vlan_sub_interface_is_policed() {
    let topology = with_vlan();
    let daemon = policed(&topology, "eth1.7");
    assert_eq!(attached(&daemon), ["eth1.7"]);
}

/// EV-184: an endpoint at the parent leaves tagged traffic to the sub-interface, whether the tag is
/// in the frame or the kernel has moved it beside; that nobody polices that one is a warning.
#[test]
fn ev_184_the_parent_of_a_vlan_leaves_tagged_traffic_alone() {
    let topology = with_vlan();
    let daemon = Daemon::start(&topology.host, &[endpoint("parent", "interfaceName: eth1")]);
    let tagged = Net::both().map(|net| tcp(net.inner, net.host_inside, 80));
    topology.expect_all("only the parent has an endpoint", Answer, &tagged);
    assert_eq!(attached(&daemon), ["eth1"]);
    let problems = daemon.status()["problems"].to_string();
    assert!(
        problems.contains("W-VLAN") && problems.contains("eth1.7"),
        "{problems}"
    );
}

fn with_bond() -> Topology {
    let topology = Topology::new();
    topology
        .host
        .ip("link add bond0 type bond mode active-backup miimon 100\n\
         link set eth1 down\nlink set eth1 master bond0\nlink set bond0 up");
    move_addresses(&topology, "bond0", "eth0");
    topology
}

/// EV-016: `*` polices the bond and leaves its members alone.
#[test]
fn ev_016_a_wildcard_endpoint_polices_the_bond_and_not_its_member() {
    let topology = with_bond();
    let daemon = policed(&topology, "*");
    assert_eq!(attached(&daemon), ["bond0", "eth0"]);
}

/// EV-016: a member that an endpoint names is policed itself.
#[test]
fn ev_016_a_named_member_of_a_bond_is_policed() {
    let topology = with_bond();
    let daemon = policed(&topology, "eth1");
    assert_eq!(attached(&daemon), ["eth1"]);
}

/// EV-016: the members of a VRF are what `*` polices, since the host is reached through them.
#[test]
fn ev_016_a_wildcard_endpoint_polices_members_of_a_vrf() {
    let topology = Topology::new();
    topology
        .host
        .ip("link add vrf7 type vrf table 7\nlink set vrf7 up\nlink set eth1 master vrf7");
    // Servers without a VRF of their own hear of what comes in through one.
    topology.host.sysctl("net/ipv4/tcp_l3mdev_accept", "1");
    move_addresses(&topology, "eth1", "eth0");
    let probes = |heard| Net::both().map(|net| (tcp(net.inner, net.host_inside, 80), heard));
    topology.expect("no daemon", &probes(Answer));
    let daemon = Daemon::start(&topology.host, &[endpoint("all", "interfaceName: '*'")]);
    topology.expect("default deny", &probes(Nothing));
    let names = attached(&daemon);
    assert!(names.contains(&"eth1".to_owned()), "{names:?}");
}
