//! Failsafe ports (section 7).

use hep_tests::{
    address::Net,
    policy::{eth0, felix, no_failsafe, policy},
    probe::{
        Heard::{Answer, Nothing},
        tcp, udp,
    },
};

use crate::{Ground, ground, judge};

fn deny_all() -> String {
    policy(
        "none",
        "types: [Ingress, Egress], ingress: [{action: Deny}], egress: [{action: Deny}]",
    )
}

/// EV-063 to EV-067: the default lists, in both directions, with their replies, whatever policy
/// says.
#[test]
fn failsafe_ports_survive_a_deny_of_everything() {
    judge(&[eth0(), deny_all()], |net| {
        vec![
            (tcp(net.client, net.host, 22), Answer),
            (tcp(net.client, net.host, 6443), Answer),
            (tcp(net.client, net.host, 23), Nothing),
            (udp(net.client, net.host, 22), Nothing),
            (udp(net.host, net.client, 53), Answer),
            (tcp(net.host, net.client, 2379), Answer),
            (tcp(net.host, net.client, 22), Nothing),
        ]
    });
}

/// EV-064, EV-065: an entry's net is the other end's address.
#[test]
fn failsafe_nets_limit_the_other_end() {
    let entries = |port: u16| -> String {
        Net::both()
            .iter()
            .map(|net| {
                format!(
                    "{{protocol: TCP, port: {port}, net: '{}'}}",
                    net.prefix(net.member)
                )
            })
            .collect::<Vec<_>>()
            .join(", ")
    };
    let felix = felix(&format!(
        "failsafeInboundHostPorts: [{}], failsafeOutboundHostPorts: [{}]",
        entries(2222),
        entries(3333)
    ));
    judge(&[eth0(), deny_all(), felix], |net| {
        vec![
            (tcp(net.member, net.host, 2222), Answer),
            (tcp(net.client, net.host, 2222), Nothing),
            (tcp(net.host, net.member, 3333), Answer),
            (tcp(net.host, net.client, 3333), Nothing),
            (tcp(net.client, net.host, 22), Nothing),
        ]
    });
}

/// EV-074: empty lists leave nothing open.
#[test]
fn empty_failsafe_lists_close_the_failsafe_ports() {
    let mut ground = ground();
    let Ground { site, daemon } = &mut *ground;
    let probes = |heard| Net::both().map(|net| (tcp(net.client, net.host, 22), heard));
    daemon.replace(&[eth0(), deny_all()]);
    site.expect("default lists", &probes(Answer));
    daemon.replace(&[eth0(), deny_all(), no_failsafe()]);
    site.expect("empty lists", &probes(Nothing));
}
