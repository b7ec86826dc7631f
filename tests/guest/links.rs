//! Interfaces on top of others: VLANs, bonds, VRFs.

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::endpoint,
    probe::{
        Heard::{Answer, Nothing},
        tcp,
    },
    site::Site,
};

use crate::{attached, policed};

/// Gives the host's second interface's addresses to `host`, and the inside machine's to `inside`.
pub(crate) fn move_addresses(site: &Site, host: &str, inside: &str) {
    site.host.ip("address flush dev eth1");
    site.inside.ip("address flush dev eth0");
    for net in Net::both() {
        let bits = if net.host.is_ipv4() { 24 } else { 64 };
        site.host.ip(&format!(
            "address replace {}/{bits} dev {host}",
            net.host_inside
        ));
        site.inside.ip(&format!(
            "address replace {}/{bits} dev {inside}\nroute replace default via {}",
            net.inner, net.host_inside
        ));
    }
}

fn with_vlan() -> Site {
    let site = Site::new();
    site.host
        .ip("link add link eth1 name eth1.7 type vlan id 7\nlink set eth1.7 up");
    site.inside
        .ip("link add link eth0 name eth0.7 type vlan id 7\nlink set eth0.7 up");
    move_addresses(&site, "eth1.7", "eth0.7");
    site
}

#[test]
fn a_vlan_sub_interface_is_policed() {
    let site = with_vlan();
    let daemon = policed(&site, "eth1.7");
    assert_eq!(attached(&daemon), ["eth1.7"]);
}

/// EV-184: an endpoint at the parent leaves tagged traffic to the sub-interface, whether the tag is
/// in the frame or the kernel has moved it beside; that nobody polices that one is a warning.
#[test]
fn ev_184_the_parent_of_a_vlan_leaves_tagged_traffic_alone() {
    let site = with_vlan();
    let daemon = Daemon::start(&site.host, &[endpoint("parent", "interfaceName: eth1")]);
    let tagged = Net::both().map(|net| tcp(net.inner, net.host_inside, 80));
    site.expect_all("only the parent has an endpoint", Answer, &tagged);
    assert_eq!(attached(&daemon), ["eth1"]);
    let problems = daemon.status()["problems"].to_string();
    assert!(
        problems.contains("W-VLAN") && problems.contains("eth1.7"),
        "{problems}"
    );
}

fn with_bond() -> Site {
    let site = Site::new();
    site.host
        .ip("link add bond0 type bond mode active-backup miimon 100\n\
         link set eth1 down\nlink set eth1 master bond0\nlink set bond0 up");
    move_addresses(&site, "bond0", "eth0");
    site
}

/// EV-016: `*` polices the bond and leaves its members alone.
#[test]
fn ev_016_a_wildcard_endpoint_polices_the_bond_and_not_its_member() {
    let site = with_bond();
    let daemon = policed(&site, "*");
    assert_eq!(attached(&daemon), ["bond0", "eth0"]);
}

/// EV-016: a member that an endpoint names is policed itself.
#[test]
fn ev_016_a_named_member_of_a_bond_is_policed() {
    let site = with_bond();
    let daemon = policed(&site, "eth1");
    assert_eq!(attached(&daemon), ["eth1"]);
}

/// EV-016: the members of a VRF are what `*` polices, since the host is reached through them.
#[test]
fn ev_016_a_wildcard_endpoint_polices_members_of_a_vrf() {
    let site = Site::new();
    site.host
        .ip("link add vrf7 type vrf table 7\nlink set vrf7 up\nlink set eth1 master vrf7");
    // Servers without a VRF of their own hear of what comes in through one.
    site.host.sysctl("net/ipv4/tcp_l3mdev_accept", "1");
    move_addresses(&site, "eth1", "eth0");
    let probes = |heard| Net::both().map(|net| (tcp(net.inner, net.host_inside, 80), heard));
    site.expect("no daemon", &probes(Answer));
    let daemon = Daemon::start(&site.host, &[endpoint("all", "interfaceName: '*'")]);
    site.expect("default deny", &probes(Nothing));
    let names = attached(&daemon);
    assert!(names.contains(&"eth1".to_owned()), "{names:?}");
}
