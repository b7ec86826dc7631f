//! Frames that nobody would send: every one gets a verdict and nothing else.

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, FORWARD_OUT, Hook, INGRESS, INSIDE_INGRESS},
    packet::{self, Packet},
    policy::{endpoint, eth0, network_set, policy, staged_policy, tier},
};

/// Random and mutated frames, at least; through both programs.
const FRAMES: u32 = 1_000_000;
/// Every length from 0 to this is tried.
const LENGTHS: usize = 200;
/// Seed of the frames; printed when something fails.
const SEED: u64 = 0x6865_7020_7465_7374;

/// All stages have rules, so that a frame that parses meets them all.
fn resources() -> Vec<String> {
    let rules = "{action: Log, protocol: 253}, \
        {action: Pass, protocol: TCP, destination: {ports: ['1:1000']}}, \
        {action: Allow, protocol: UDP, destination: {selector: all(), ports: [53, web]}}, \
        {action: Deny, source: {notSelector: role == 'bad'}}";
    vec![
        eth0(),
        endpoint(
            "h1-eth1",
            "interfaceName: eth1, expectedIPs: [10.0.0.1], \
                  ports: [{name: web, protocol: UDP, port: 80}]",
        ),
        endpoint("tun0", "interfaceName: tun0"),
        endpoint("all", "interfaceName: '*'"),
        network_set(
            "bad",
            "role: bad",
            &["198.51.100.0/24".into(), "2001:db8:c::/48".into()],
        ),
        tier("early", "order: 1, defaultAction: Pass"),
        policy(
            "early.some",
            &format!(
                "tier: early, applyOnForward: true, types: [Ingress, Egress], ingress: [{rules}], egress: [{rules}]"
            ),
        ),
        staged_policy(
            "some",
            &format!("types: [Ingress, Egress], ingress: [{rules}], egress: [{rules}]"),
        ),
        policy(
            "u",
            "doNotTrack: true, applyOnForward: true, types: [Ingress, Egress], \
                ingress: [{action: Allow, protocol: UDP, destination: {ports: [5000]}}], \
                egress: [{action: Allow, protocol: UDP, source: {ports: [5000]}}]",
        ),
        policy(
            "p",
            "preDNAT: true, applyOnForward: true, types: [Ingress], \
                ingress: [{action: Deny, protocol: TCP, destination: {ports: [8080]}}]",
        ),
    ]
}

/// Frames of all kinds, to be cut and damaged.
fn originals() -> Vec<Packet> {
    let padding = [0; 7];
    let mut all = Vec::new();
    for net in Net::both() {
        let (client, host) = (net.client, net.host);
        let error = if client.is_ipv4() { 3 } else { 1 };
        let udp = packet::udp(client, host).payload(160);
        all.extend([
            packet::tcp(client, host).payload(160),
            udp.clone(),
            udp.clone().fragment(0, 64, true),
            udp.clone().fragment(64, 64, false),
            udp.clone().vlan(0),
            packet::sctp(client, host).payload(160),
            packet::echo_request(client, host, 1).payload(160),
            packet::icmp_error(client, error, 0, &udp.clone().reversed(), 150),
            packet::protocol(client, host, 253, 160),
            packet::tcp(client, net.inner).payload(160),
        ]);
        if client.is_ipv4() {
            all.push(udp.options(&[1; 40]));
        } else {
            let deep = (0..9).fold(udp, |packet, _| packet.extension(60, &padding));
            all.push(deep);
        }
    }
    all
}

const HOOKS: [Hook; 6] = [
    INGRESS,
    EGRESS,
    INSIDE_INGRESS,
    FORWARD_OUT,
    Hook::ingress("tun0"),
    Hook::egress("tun0"),
];

/// Whether the test-run call itself refuses a frame before any program runs: less than an Ethernet header,
/// or a frame that claims IP and is shorter than its header.
fn is_refused_by_the_call(error: &str) -> bool {
    error.contains("14 bytes") || error.contains("refuse")
}

/// Every frame cut at every length, at every hook: a verdict with a reason, and no longer prefix of
/// a packet is accepted for a reason that needs what is missing.
#[test]
fn frames_of_every_length_get_a_verdict() {
    let bench = Bench::with(&resources());
    let mut judged = 0_u32;
    for packet in originals() {
        for (hook, frame) in HOOKS.iter().map(|hook| (hook, frame_at(*hook, &packet))) {
            for length in 0..=LENGTHS.min(frame.len()) {
                match bench.run(*hook, &frame[..length]) {
                    Ok((accepted, reason)) => {
                        let reason = reason.expect("reasons are recorded");
                        assert_eq!(accepted, reason.allows(), "{hook:?}, {length} bytes");
                        assert_ne!(reason, Reason::Internal, "{hook:?}, {length} bytes");
                        judged += 1;
                    }
                    Err(error) if is_refused_by_the_call(&error) => assert!(length < 54, "{error}"),
                    Err(error) => panic!("{hook:?}, {length} bytes: {error}"),
                }
            }
        }
    }
    assert!(judged > 10_000, "only {judged} frames were judged");
}

fn frame_at(hook: Hook, packet: &Packet) -> Vec<u8> {
    if hook == Hook::ingress("tun0") || hook == Hook::egress("tun0") {
        packet.datagram()
    } else {
        packet.frame()
    }
}

/// A million random frames, half of them damaged real ones, through both programs as in production.
#[test]
fn a_million_random_frames_get_a_verdict() {
    let bench = Bench::without_reasons(&resources());
    let originals: Vec<Vec<u8>> = originals().iter().map(Packet::frame).collect();
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut judged = 0_u32;
    let mut tried = 0_u32;
    while judged < FRAMES {
        tried += 1;
        assert!(tried < 2 * FRAMES, "the call refuses most frames");
        let frame = next_frame(&mut random, &originals);
        let hook = HOOKS[random.usize(..HOOKS.len())];
        match bench.run(hook, &frame) {
            Ok(_) => judged += 1,
            Err(error) if is_refused_by_the_call(&error) => {}
            Err(error) => {
                panic!("seed {SEED:#x}, frame {tried} at {hook:?}, {frame:02x?}: {error}")
            }
        }
    }
}

fn next_frame(random: &mut fastrand::Rng, originals: &[Vec<u8>]) -> Vec<u8> {
    if random.bool() {
        let mut frame = vec![0; random.usize(14..=LENGTHS)];
        random.fill(&mut frame);
        if random.bool() {
            // Random bytes behind a credible start.
            let (ethertype, version) = *random
                .choice(&[
                    ([0x08, 0x00], 0x45),
                    ([0x86, 0xdd], 0x60),
                    ([0x81, 0x00], 0),
                ])
                .expect("not empty");
            frame[12..14].copy_from_slice(&ethertype);
            if let Some(first) = frame.get_mut(14) {
                *first = version;
            }
        }
        return frame;
    }
    let mut frame = random.choice(originals).expect("not empty").clone();
    for _ in 0..random.usize(0..8) {
        let at = random.usize(..frame.len());
        frame[at] = random.u8(..);
    }
    if random.u8(..) < 64 {
        frame.truncate(random.usize(14..=frame.len()));
    }
    frame
}
