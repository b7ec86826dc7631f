//! Many interfaces at once.

use std::{fmt::Write as _, fs, time::Duration};

use hep_tests::{
    daemon::Daemon,
    eventually,
    link::Link,
    namespace::Namespace,
    packet,
    policy::{endpoint, policy},
    topology::OUTSIDE_MAC,
};

/// Enough that waiting for all CPUs after each link would take many seconds.
const COUNT: usize = 200;
/// The kernel's switch that the daemon sets meanwhile.
const SWITCH: &str = "/sys/kernel/rcu_expedited";
/// How long whatever was set may take to be put back.
const PATIENCE: Duration = Duration::from_secs(30);

/// Value of the switch; empty where the kernel has none.
fn switch() -> String {
    let text = fs::read_to_string(SWITCH).unwrap_or_default();
    text.trim().to_owned()
}

#[track_caller]
fn switch_becomes(value: &str, when: &str) {
    let is_back = eventually(PATIENCE, || switch() == value);
    assert!(is_back, "{when}: {SWITCH} is {}", switch());
}

/// Has the switch as it was found, on drop.
struct Found(String);

impl Drop for Found {
    fn drop(&mut self) {
        drop(fs::write(SWITCH, &self.0));
    }
}

/// A host with many interfaces, and the namespace at their other ends.
fn host() -> (Namespace, Namespace) {
    let (host, far) = (Namespace::new("many"), Namespace::new("far"));
    let mut links = String::new();
    for number in 0..COUNT {
        writeln!(
            links,
            "link add d{number} type veth peer name d{number} netns {}",
            far.name()
        )
        .expect("a string takes everything");
    }
    host.ip(&links);
    for namespace in [&host, &far] {
        let up: Vec<String> = (0..COUNT).map(|it| format!("link set d{it} up")).collect();
        namespace.ip(&up.join("\n"));
    }
    (host, far)
}

/// Has each interface let in one datagram of each family; what each has counted of them.
fn let_in(daemon: &Daemon, far: &Namespace) -> Vec<u64> {
    for number in 0..COUNT {
        let link = Link::open(far, &format!("d{number}"));
        // To everybody, so that no interface needs an address.
        for (from, to) in [("192.0.2.1", "255.255.255.255"), ("fe80::1", "ff02::1")] {
            let [from, to] = [from, to].map(|text| text.parse().expect("a literal address"));
            let frame = packet::udp(from, to).dport(5000);
            link.send(&frame.ethernet(OUTSIDE_MAC, [0xff; 6]).frame());
        }
    }
    let shown = daemon.show("counters");
    let counts = shown.as_array().expect("a list");
    let allowed = counts
        .iter()
        .filter(|count| count["reason"] == "policy_allow");
    allowed
        .filter_map(|count| count["packets"].as_u64())
        .collect()
}

/// Interfaces whose sides both have their programs.
fn attached(daemon: &Daemon) -> usize {
    let status = daemon.status();
    let interfaces = status["interfaces"].as_array().expect("a list");
    let has_both = |hooks: &serde_json::Value| {
        ["ingress", "egress"].iter().all(|side| {
            let hook = hooks[side].as_str();
            hook.is_some_and(|hook| hook != "missing")
        })
    };
    interfaces
        .iter()
        .filter(|interface| has_both(&interface["hooks"]))
        .count()
}

/// Both sides of 200 interfaces under one `*` (EV-012) get their programs, and lose them by `hep
/// down`; how the kernel waits is as it was before, also after a daemon that was killed meanwhile.
#[test]
fn two_hundred_interfaces_are_attached_and_the_kernel_is_left_as_it_was() {
    let found = Found(switch());
    let (host, far) = host();
    let resources = [
        endpoint("all", "interfaceName: '*'"),
        policy("all", "types: [Ingress], ingress: [{action: Allow}]"),
    ];
    let mut daemon = Daemon::start(&host, &resources);
    assert_eq!(attached(&daemon), COUNT);
    switch_becomes(&found.0, "attached");
    // Not all have a place in the first piece of counters (EV-263).
    assert_eq!(let_in(&daemon, &far), [2; COUNT]);

    daemon.crash();
    let links = daemon.bpffs().join(format!("v{}", hep_common::ABI_VERSION));
    fs::create_dir(links.join("links/rcu-expedited")).expect("a record can be left");
    let is_writable = fs::write(SWITCH, "1").is_ok();
    let put_back = if is_writable { "0" } else { &found.0 };
    daemon.spawn();
    daemon.wait_for(1);
    switch_becomes(put_back, "started again");
    assert_eq!(attached(&daemon), COUNT);

    daemon.stop();
    let said = daemon.down().exits(0);
    assert_eq!(said.stderr, "");
    let text = format!("{COUNT} interfaces are no longer policed");
    assert_eq!(said.stdout.trim(), text);
    switch_becomes(put_back, "taken down");
}
