//! Traffic through the host (EV-230, EV-042, EV-062).

use hep_tests::{
    policy::{endpoint, eth0, policy},
    probe::{
        Heard::{Answer, Nothing},
        ping, tcp, udp,
    },
};

use crate::judge;

/// EV-230: `applyOnForward` adds the policy to forwarded traffic and keeps it for local traffic
/// (EV-099); a direction without such a policy stays open (EV-058, EV-042).
#[test]
fn ev_230_apply_on_forward_polices_forwarded_traffic_in_its_own_direction() {
    let allow = policy(
        "allow-80",
        "applyOnForward: true, types: [Ingress], \
         ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]",
    );
    judge(&[eth0(), allow], |net| {
        vec![
            (tcp(net.client, net.inner, 81), Nothing),
            (tcp(net.client, net.inner, 80), Answer),
            (tcp(net.inner, net.client, 443), Answer),
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 81), Nothing),
        ]
    });
}

/// EV-057, EV-061: a policy without `applyOnForward` does not apply to forwarded traffic.
#[test]
fn forwarded_traffic_is_untouched_by_normal_policy() {
    let none = policy(
        "none",
        "types: [Ingress, Egress], ingress: [{action: Deny}], egress: [{action: Deny}]",
    );
    let inside = endpoint("h1-eth1", "interfaceName: eth1");
    judge(&[eth0(), inside, none], |net| {
        vec![
            (tcp(net.client, net.inner, 80), Answer),
            (udp(net.inner, net.client, 5000), Answer),
            (ping(net.client, net.inner, 3), Answer),
            (tcp(net.client, net.host, 80), Nothing),
            (tcp(net.inner, net.host_inside, 80), Nothing),
        ]
    });
}

/// EV-062: both interfaces judge a forwarded flow, each in its own direction, and replies pass at
/// both (EV-152).
#[test]
fn both_interfaces_must_accept_a_forwarded_flow() {
    let resources = [
        hep_tests::policy::resource(
            "HostEndpoint",
            "out",
            "side: outside",
            "node: h1, interfaceName: eth0",
        ),
        hep_tests::policy::resource(
            "HostEndpoint",
            "in",
            "side: inside",
            "node: h1, interfaceName: eth1",
        ),
        policy(
            "in-from-outside",
            "selector: side == 'outside', applyOnForward: true, types: [Ingress], \
             ingress: [{action: Allow, protocol: TCP, destination: {ports: [80, 81]}}]",
        ),
        policy(
            "out-to-inside",
            "selector: side == 'inside', applyOnForward: true, types: [Egress], \
             egress: [{action: Allow, protocol: TCP, destination: {ports: [80, 82]}}]",
        ),
    ];
    judge(&resources, |net| {
        vec![
            (tcp(net.client, net.inner, 80), Answer),
            (tcp(net.client, net.inner, 81), Nothing),
            (tcp(net.client, net.inner, 82), Nothing),
        ]
    });
}

/// EV-059: tiers that pass let forwarded traffic through; profiles do not apply (EV-042).
#[test]
fn forwarded_traffic_passes_where_every_tier_passes() {
    let resources = [
        eth0(),
        hep_tests::policy::tier("soft", "order: 1, defaultAction: Pass"),
        policy(
            "soft.some",
            "tier: soft, applyOnForward: true, types: [Ingress], \
             ingress: [{action: Deny, protocol: TCP, destination: {ports: [81]}}]",
        ),
    ];
    judge(&resources, |net| {
        vec![
            (tcp(net.client, net.inner, 80), Answer),
            (tcp(net.client, net.inner, 81), Nothing),
            (tcp(net.client, net.host, 80), Nothing),
        ]
    });
}
