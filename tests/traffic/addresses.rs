//! Addresses and forwarding that change under flows (EV-152, EV-259), with and without forwarding.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    thread::sleep,
    time::{Duration, Instant},
};

use hep_tests::{
    daemon::Daemon,
    policy::{eth0, policy},
    receiver::Receiver,
    topology::Topology,
};

/// From a netlink notification until flows are judged again.
const SETTLED: Duration = Duration::from_millis(200);
/// Port that no policy allows.
const DENIED: u16 = 5001;

fn web() -> String {
    policy(
        "web",
        "types: [Ingress, Egress], ingress: [{action: Allow, protocol: TCP, \
         destination: {ports: [443]}}]",
    )
}

/// An address that is added to the host and removed again, and one of another machine outside.
fn floating() -> [(IpAddr, IpAddr, u8); 2] {
    let of = |text: &str| text.parse().expect("a literal address");
    [
        (of("192.0.2.201"), of("192.0.2.1"), 32),
        (of("2001:db8::201"), of("2001:db8::1"), 128),
    ]
}

/// Sends datagrams to `to` for `time`; whether the receiver got any of them.
fn hears(sender: &UdpSocket, to: SocketAddr, receiver: &Receiver, time: Duration) -> bool {
    let end = Instant::now() + time;
    let mut heard = false;
    while Instant::now() < end {
        // Without a neighbour to send to there is an error.
        drop(sender.send_to(b"x", to));
        heard |= receiver
            .receive(Duration::from_millis(20), |_| true)
            .is_some();
    }
    heard
}

/// EV-259, EV-152: a forwarded flow is local from the moment its destination is added to the host, and
/// forwarded again when that is removed; in both families.
#[test]
fn ev_259_an_address_that_comes_makes_its_flows_local() {
    for (address, peer, bits) in floating() {
        let topology = Topology::new();
        topology.pin_neighbours();
        topology.outside.ip(&format!(
            "neighbour replace {address} lladdr 02:00:00:00:00:10 dev eth0 nud permanent"
        ));
        let receiver = Receiver::udp(&topology.host, address, DENIED);
        let sender = topology.outside.bind(|| UdpSocket::bind((peer, 6000)));
        let to = SocketAddr::new(address, DENIED);
        let come = format!("address add {address}/{bits} dev eth0 nodad");
        let come = if address.is_ipv4() {
            come.replace(" nodad", "")
        } else {
            come
        };
        topology.host.ip(&come);
        let long = Duration::from_millis(500);
        assert!(hears(&sender, to, &receiver, long), "without policy");
        topology
            .host
            .ip(&format!("address del {address}/{bits} dev eth0"));

        let daemon = Daemon::start(&topology.host, &[eth0(), web()]);
        assert!(!hears(&sender, to, &receiver, long), "forwarded, to nobody");
        let flows = daemon.show("conntrack").to_string();
        assert!(flows.contains(&address.to_string()), "{flows}");
        topology.host.ip(&come);
        hears(&sender, to, &receiver, SETTLED);
        assert!(!hears(&sender, to, &receiver, 4 * long), "{}", daemon.log());
        let counted = daemon.show("counters").to_string();
        assert!(counted.contains("blocked"), "{counted}");
        drop(daemon);
        sleep(SETTLED);
        assert!(hears(&sender, to, &receiver, long), "policy is off");
    }
}
