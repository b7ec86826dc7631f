//! Interfaces of workloads (EV-100 to EV-103).

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, Hook},
    packet::{self, ACK, SYN},
    policy::{endpoint, eth0, felix, policy},
};

const IN: Hook = Hook::ingress("cali1");
const OUT: Hook = Hook::egress("cali1");
const FORWARDED: Hook = Hook::forward("eth0", "cali1");

fn wildcard() -> String {
    endpoint("all", "interfaceName: '*'")
}

/// EV-101, EV-103: `defaultEndpointToHostAction` decides about a workload's new flows to the host;
/// everything else passes, and so does the host's own traffic to its workloads (EV-100).
#[test]
fn workload_interfaces_under_a_wildcard_endpoint() {
    let deny = policy(
        "none",
        "applyOnForward: true, types: [Ingress, Egress], \
         ingress: [{action: Deny}], egress: [{action: Deny}]",
    );
    let mut bench = Bench::with(&[wildcard()]);
    for (action, to_host) in [
        ("Drop", Reason::WorkloadDrop),
        ("Accept", Reason::FromWorkload),
        ("Return", Reason::FromWorkload),
    ] {
        let felix = felix(&format!("defaultEndpointToHostAction: {action}"));
        bench.apply(&[wildcard(), deny.clone(), felix]);
        for net in Net::both() {
            let request = packet::tcp(net.host, net.inner).dport(80);
            let answer = request.clone().reversed().flags(SYN | ACK);
            bench.expect(&[
                ("to the host", IN, packet::tcp(net.inner, net.host), to_host),
                (
                    "to others",
                    IN,
                    packet::tcp(net.inner, net.client),
                    Reason::FromWorkload,
                ),
                ("from the host", OUT, request.clone(), Reason::ToWorkload),
                (
                    "from others",
                    FORWARDED,
                    packet::tcp(net.client, net.inner),
                    Reason::ToWorkload,
                ),
            ]);
            bench.expect_sequence(&[
                ("from the host", OUT, request, Reason::ToWorkload),
                ("its answer", IN, answer, Reason::Established),
            ]);
        }
    }
}

/// EV-090, EV-102: pre-DNAT policy of the `*` endpoint covers what comes from workloads.
#[test]
fn pre_dnat_policy_of_the_wildcard_covers_workloads() {
    let pre = policy(
        "p",
        "preDNAT: true, applyOnForward: true, types: [Ingress], ingress: [\
         {action: Allow, protocol: TCP, destination: {ports: [80]}}, \
         {action: Deny, protocol: TCP, destination: {ports: [81]}}]",
    );
    let mut bench = Bench::with(&[wildcard(), pre]);
    for net in Net::both() {
        let tcp = |to, port: u16| packet::tcp(net.inner, to).dport(port);
        bench.expect(&[
            ("allow", IN, tcp(net.host, 80), Reason::PolicyAllow),
            ("deny", IN, tcp(net.host, 81), Reason::PolicyDeny),
            (
                "deny, forwarded",
                IN,
                tcp(net.client, 81),
                Reason::PolicyDeny,
            ),
            ("to the host", IN, tcp(net.host, 82), Reason::WorkloadDrop),
            ("forwarded", IN, tcp(net.client, 82), Reason::FromWorkload),
        ]);
    }
}

/// EV-103, RS-039: without a `*` endpoint nothing is policed there; an endpoint of its name is not
/// bound.
#[test]
fn without_a_wildcard_endpoint_workload_interfaces_are_free() {
    let mut bench = Bench::with(&[eth0(), endpoint("w", "interfaceName: cali1")]);
    for net in Net::both() {
        bench.expect(&[(
            "to the host",
            IN,
            packet::tcp(net.inner, net.host),
            Reason::Unpoliced,
        )]);
    }
}
