//! Fragments, which one family of this host may meet whole and the other may not.

use hep_tests::{
    address::Net,
    daemon::Daemon,
    policy::eth0,
    probe::{
        Heard::{Answer, Nothing},
        udp,
    },
};

use super::{nft_family, topology, wait_for, web};

/// EV-260: what was the host's own at ingress is not judged again, not even fragments, which the kernel
/// puts together later where it does not track connections of their family.
#[test]
fn ev_260_fragments_for_the_host_pass_where_the_other_family_is_translated() {
    let topology = topology();
    let probes = Net::each(|net| {
        let fragmented = |from, to, port| udp(from, to, port).payload(4000);
        [
            (fragmented(net.client, net.host, 443), Answer),
            (fragmented(net.client, net.host, 81), Nothing),
            (fragmented(net.host, net.peer, 53), Answer),
        ]
    });
    let daemon = Daemon::start(&topology.host, &[eth0(), web()]);
    topology.expect("nothing translates", &probes);
    for net in Net::both() {
        let ip = nft_family(&net);
        let chain = "{ type nat hook postrouting priority srcnat; }";
        let table = format!("add table {ip} nat; add chain {ip} nat post {chain};");
        topology.host.command("nft", &[&table]);
        if !wait_for(&daemon, "attached") {
            return;
        }
        topology.expect(ip, &probes);
        topology
            .host
            .command("nft", &[&format!("delete table {ip} nat")]);
        wait_for(&daemon, "not-needed");
    }
}
