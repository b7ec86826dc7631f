//! Others on the same machine and on the same hook.

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::{endpoint, eth0, eth0_default_allow, policy},
    probe::{
        Heard::{Answer, Nothing},
        tcp,
    },
    topology::Topology,
};

use crate::pass_freely;

fn allow(ports: &str) -> String {
    policy(
        "web",
        &format!(
            "types: [Ingress], ingress: [{{action: Allow, protocol: TCP, \
             destination: {{ports: [{ports}]}}}}]"
        ),
    )
}

/// Two daemons in two namespaces have their own policy, flows and generations.
#[test]
fn daemons_in_two_namespaces_do_not_disturb_each_other() {
    let topology = Topology::new();
    let mut first = Daemon::start(&topology.host, &[eth0(), allow("80")]);
    let second = Daemon::start(
        &topology.outside,
        &[
            eth0(),
            allow("81"),
            policy("out", "types: [Egress], egress: [{action: Allow}]"),
        ],
    );
    for net in Net::both() {
        topology.expect(
            "each its own",
            &[
                (tcp(net.client, net.host, 80), Answer),
                (tcp(net.client, net.host, 81), Nothing),
                (tcp(net.inner, net.client, 81), Answer),
                (tcp(net.inner, net.client, 80), Nothing),
            ],
        );
    }
    assert_eq!(second.generation(), 1);
    first.replace(&[eth0(), allow("82")]);
    assert_eq!(second.generation(), 1);
    drop(first);
    for net in Net::both() {
        topology.expect(
            "one is gone",
            &[
                (tcp(net.inner, net.client, 81), Answer),
                (tcp(net.inner, net.client, 80), Nothing),
                (tcp(net.client, net.host, 84), Answer),
            ],
        );
    }
}

/// EV-003: an accept is "no opinion": a program of somebody else that follows on the hook, here a
/// second instance's, still decides.
#[test]
fn programs_that_follow_on_the_hook_still_run_after_an_accept() {
    let topology = Topology::new();
    let probes: Vec<_> = Net::each(|net| {
        [
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 81), Nothing),
            (tcp(net.client, net.host, 82), Nothing),
        ]
    });
    pass_freely(&topology, &probes);
    let _first = Daemon::start(&topology.host, &[eth0(), allow("80, 81")]);
    let _second = Daemon::start(&topology.host, &[eth0(), allow("80, 82")]);
    topology.expect("both must accept", &probes);
}

/// EV-003: netfilter still runs after an accept.
#[test]
fn netfilter_still_runs_after_an_accept() {
    let topology = Topology::new();
    let probes: Vec<_> = Net::each(|net| {
        [
            (tcp(net.client, net.host, 80), Answer),
            (tcp(net.client, net.host, 81), Nothing),
        ]
    });
    pass_freely(&topology, &probes);
    let _daemon = Daemon::start(&topology.host, &[eth0_default_allow()]);
    topology.host.command(
        "nft",
        &["add table inet t; \
           add chain inet t in { type filter hook input priority 0; }; \
           add rule inet t in tcp dport 81 drop"],
    );
    topology.expect("netfilter drops what the daemon accepts", &probes);
}

/// EV-017, EV-113: a link without Ethernet headers is policed in both directions.
#[test]
fn a_tun_device_is_policed() {
    use hep_tests::{
        probe::{PATIENCE, SILENCE},
        tun::{self, Tun},
    };
    let topology = Topology::new();
    let tun = Tun::new(&topology.host, "tun0");
    let answered = |identifier: u16, wanted: bool| {
        let limit = if wanted { PATIENCE } else { SILENCE };
        for ends in tun::ENDS {
            let heard = tun.is_answered(ends, identifier, limit);
            assert_eq!(heard, wanted, "{ends:?}, identifier {identifier}");
        }
    };
    answered(1, true);
    let tun0 = endpoint("tun0", "interfaceName: tun0");
    let mut daemon = Daemon::start(&topology.host, std::slice::from_ref(&tun0));
    answered(2, false);
    let ping = policy(
        "ping",
        "types: [Ingress], ingress: [{action: Allow, protocol: ICMP, icmp: {type: 8}}, \
         {action: Allow, protocol: ICMPv6, icmp: {type: 128}}]",
    );
    daemon.replace(&[tun0, ping]);
    answered(3, true);
}
