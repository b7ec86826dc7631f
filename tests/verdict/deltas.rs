//! One address more or less in a long set: written beside what is in force (EV-190).

use hep_common::counter::Reason;
use hep_tests::{
    bench::{Bench, INGRESS},
    packet,
    policy::{eth0, network_set, no_failsafe, policy},
};

/// Members of each family in the long set: the middle stage of IPv6 is cut by forks.
const LONG: u32 = 3000;

fn resources(more: &[&str]) -> Vec<String> {
    let v4 = (0..LONG).map(|n| format!("10.{}.{}.{}/32", n % 7, n / 200, n % 200));
    let v6 = (0..LONG).map(|n| format!("2001:db8:{:x}:{n:x}::7/128", n % 3));
    let nets: Vec<String> = v4
        .chain(v6)
        .chain(more.iter().map(|net| (*net).to_owned()))
        .collect();
    members_pass(&nets)
}

/// A set of these networks, and a policy that lets its members in by TCP.
pub(crate) fn members_pass(nets: &[String]) -> Vec<String> {
    vec![
        eth0(),
        no_failsafe(),
        policy(
            "members",
            "types: [Ingress], ingress: [{action: Allow, protocol: TCP, \
             source: {selector: \"set == 'long'\"}}]",
        ),
        network_set("long", "set: long", nets),
    ]
}

#[test]
fn a_member_that_joins_or_leaves_changes_the_verdict_on_itself_alone() {
    let rows = [
        ("10.3.9.250/32", "10.3.9.250", "10.3.9.251", "10.3.0.3"),
        (
            "2001:db8:1:1::9/128",
            "2001:db8:1:1::9",
            "2001:db8:1:1::8",
            "2001:db8:1:1::7",
        ),
        (
            "2001:db8:2:fff0::/64",
            "2001:db8:2:fff0::1",
            "2001:db8:2:fff1::1",
            "2001:db8:2:bb7::7",
        ),
        (
            "2001:db8:1:4000::/50",
            "2001:db8:1:4fff::1",
            "2001:db8:1:8000::",
            "2001:db8:0:0::7",
        ),
    ];
    let mut bench = Bench::with(&resources(&[]));
    for (net, joins, stranger, member) in rows {
        let [joins, stranger, member] =
            [joins, stranger, member].map(|address| address.parse().expect("an address"));
        let host = match joins {
            std::net::IpAddr::V4(_) => "192.0.2.10",
            std::net::IpAddr::V6(_) => "2001:db8::10",
        };
        let host = host.parse().expect("an address");
        let check = |bench: &mut Bench, newcomer| {
            bench.forget_flows();
            bench.expect(&[
                (net, INGRESS, packet::tcp(joins, host), newcomer),
                (
                    "a stranger",
                    INGRESS,
                    packet::tcp(stranger, host),
                    Reason::TierDefault,
                ),
                (
                    "a member",
                    INGRESS,
                    packet::tcp(member, host),
                    Reason::PolicyAllow,
                ),
            ]);
        };
        check(&mut bench, Reason::TierDefault);
        bench.apply(&resources(&[net]));
        check(&mut bench, Reason::PolicyAllow);
        bench.apply(&resources(&[]));
        check(&mut bench, Reason::TierDefault);
    }
}
