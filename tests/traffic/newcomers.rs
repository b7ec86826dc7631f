//! Interfaces that come while a policy is in force (EV-018).

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    policy::{NODE, endpoint, felix, policy, profile, resource},
    probe::{
        Heard::{Answer, Nothing},
        PATIENCE, tcp,
    },
    topology::Topology,
};

/// So many policies apply to `*` that a load takes much longer than the thread.
const POLICIES: usize = 400;

fn large() -> impl Iterator<Item = String> {
    (0..POLICIES).map(|number| {
        let port = 10_000 + number;
        policy(
            &format!("policy-{number}"),
            &format!(
                "selector: has(large), types: [Ingress], ingress: [{{action: Allow, protocol: TCP, \
                 destination: {{ports: [{port}]}}}}, {{action: Allow, protocol: UDP, \
                 destination: {{ports: [{port}]}}}}]"
            ),
        )
    })
}

/// Puts the inner machine behind another interface of the host.
fn appear(topology: &Topology, name: &str) {
    topology.host.ip("link del eth1");
    topology.host.ip(&format!(
        "link add {name} up type veth peer name eth0 netns {}",
        topology.inside.name()
    ));
    topology.inside.ip("link set eth0 up");
    for net in Net::both() {
        let (bits, flags) = match net.inner.is_ipv4() {
            true => (24, ""),
            false => (64, " nodad"),
        };
        let host = net.host_inside;
        topology
            .host
            .ip(&format!("address add {host}/{bits} dev {name}{flags}"));
        let inner = net.inner;
        topology
            .inside
            .ip(&format!("address add {inner}/{bits} dev eth0{flags}"));
    }
}

/// EV-018: the right rules are there before any load, whichever way the interface is owned: by `*`, by its
/// name, which no interface had until then, and as a workload's, whose rules are others; by either kind of
/// hook. The next load finds nothing to attach.
#[test]
fn ev_018_an_interface_that_appears_is_policed_before_a_load() {
    let open = profile(
        "open",
        "ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]",
    );
    let all = format!("node: {NODE}, interfaceName: '*'");
    let all = resource("HostEndpoint", "all", "large: 'yes'", &all);
    let named = endpoint("named", "interfaceName: late0, profiles: [open]");
    let cases = [
        ("", "wild0", [Nothing, Nothing]),
        ("bpfAttachType: TC", "wild0", [Nothing, Nothing]),
        ("", "late0", [Answer, Nothing]),
        (
            "defaultEndpointToHostAction: Accept",
            "cali0",
            [Answer, Answer],
        ),
    ];
    for (configuration, name, heard) in cases {
        let topology = Topology::new();
        let mut resources = vec![
            all.clone(),
            named.clone(),
            open.clone(),
            felix(configuration),
        ];
        resources.extend(large());
        let daemon = Daemon::start(&topology.host, &resources);
        let before = daemon.generation();
        appear(&topology, name);
        let is_told = || {
            let log = daemon.log();
            let line = format!("{name} appeared, HostEndpoint ");
            log.contains(&line)
        };
        assert!(eventually(PATIENCE, is_told), "{name}\n{}", daemon.log());
        let probes: Vec<_> = Net::each(|net| {
            let to = |port| tcp(net.inner, net.host_inside, port);
            [(to(80), heard[0]), (to(81), heard[1])]
        });
        topology.expect(name, &probes);
        let is_loaded = || {
            let shown = daemon.show("interfaces");
            let mut shown = shown.as_array().into_iter().flatten();
            daemon.generation() > before && shown.any(|interface| interface["name"] == name)
        };
        assert!(eventually(PATIENCE, is_loaded), "{name}\n{}", daemon.log());
        topology.expect("named by a load", &probes);
        let log = daemon.log();
        assert!(!log.contains("was gone"), "{log}");
    }
}
