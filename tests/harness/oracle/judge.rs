//! The other judge: nftables behind hep, with the same policy in its own language.

use std::io::Write as _;

use serde_json::Value;

use super::frames::{FIRST_DENIED_ID, TCP_PORT, UDP_PORT};
use crate::{
    namespace::Namespace,
    policy::{endpoint, no_failsafe, policy},
};

/// The interface under test, in every namespace that has it.
pub(super) const INTERFACE: &str = "test0";

/// hep's policy: accepts these inbound packets, local or forwarded, and denies all others.
pub(super) fn resources() -> Vec<String> {
    vec![
        no_failsafe(),
        endpoint("under-test", &format!("interfaceName: {INTERFACE}")),
        policy(
            "some",
            &format!(
                "applyOnForward: true, types: [Ingress, Egress], egress: [], ingress: [\
                 {{action: Allow, protocol: UDP, destination: {{ports: [{UDP_PORT}]}}}}, \
                 {{action: Allow, protocol: TCP, destination: {{ports: [{TCP_PORT}]}}}}, \
                 {{action: Allow, protocol: ICMP, icmp: {{type: 8}}}}, \
                 {{action: Allow, protocol: ICMPv6, icmp: {{type: 128}}}}]"
            ),
        ),
    ]
}

/// The same for nftables: what returns from `judge` is allowed by the policy, or needs none (EV-172,
/// EV-179); the rest has got past. Neighbour discovery that goes back by the interface it came from meets
/// policy only there, behind the hook that counts here; and what layer 2 carried from a port to the bridge
/// (`by_port`) meets none where that routes it.
fn rules(interface: &str, by_port: bool) -> String {
    let routed = "icmpv6 type 133-136 ip6 hoplimit 254";
    let carried = if by_port {
        format!("{routed} return")
    } else {
        String::new()
    };
    let (v4_id, v6_id) = (FIRST_DENIED_ID, u32::from(FIRST_DENIED_ID) << 16);
    format!(
        "table inet oracle {{
  counter past {{ }}
  counter seen {{ }}
  set past4 {{ type ipv4_addr . ipv4_addr . inet_proto; flags dynamic; size {MOST_ENDS}; }}
  set past6 {{ type ipv6_addr . ipv6_addr . inet_proto; flags dynamic; size {MOST_ENDS}; }}
  set ports {{ type inet_proto . inet_service . inet_service; flags dynamic; size {MOST_ENDS}; }}
  chain past {{
    counter name past
    update @past4 {{ ip saddr . ip daddr . meta l4proto }}
    update @past6 {{ ip6 saddr . ip6 daddr . meta l4proto }}
    update @ports {{ meta l4proto . th sport . th dport }}
  }}
  chain judge {{
    counter name seen
    meta l4proto udp udp dport {UDP_PORT} return
    meta l4proto tcp tcp dport {TCP_PORT} return
    meta nfproto ipv4 meta l4proto icmp icmp type 8 return
    meta nfproto ipv6 meta l4proto 58 icmpv6 type 128 return
    ip frag-off & 0x1fff != 0 ip id < {v4_id} return
    exthdr frag exists frag frag-off != 0 frag id < {v6_id} return
    exthdr frag exists frag more-fragments 1 goto past
    icmpv6 type {{ 133, 135, 136 }} icmpv6 code 0 ip6 hoplimit 255 return
    icmpv6 type 134 icmpv6 code 0 ip6 hoplimit 255 ip6 saddr fe80::/10 return
    icmpv6 type {{ 130, 131, 132, 143 }} ip6 hoplimit 1 ip6 saddr fe80::/10 return
    icmpv6 type {{ 130, 131, 132, 143 }} ip6 hoplimit 1 ip6 saddr :: return
    {carried}
    jump past
  }}
  chain prerouting {{
    type filter hook prerouting priority -450
    iifname {interface} jump judge
  }}
  chain input {{
    type filter hook input priority 0
    iifname {interface} jump judge
    iifname {interface} drop
  }}
  chain forward {{
    type filter hook forward priority 0
    iifname {interface} oifname {interface} {routed} accept
    iifname {interface} jump judge
  }}
}}
"
    )
}

/// Most packets that got past of which a judge keeps the ends.
const MOST_ENDS: u32 = 64;

/// A judge in one namespace.
pub(super) struct Judge {
    namespace: Namespace,
}

/// Counts of a judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Packets, once per hook that they reached.
    pub(super) seen: u64,
    /// Those that policy denies.
    pub(super) past: u64,
}

impl Judge {
    /// Judges what comes in by an interface, or by a port of that bridge (`by_port`).
    ///
    /// # Panics
    ///
    /// If nftables refuses.
    pub(super) fn new(namespace: &Namespace, interface: &str, by_port: bool) -> Self {
        let mut file = tempfile::NamedTempFile::new().expect("make a file of rules");
        file.write_all(rules(interface, by_port).as_bytes())
            .expect("write the rules");
        let path = file.path().to_string_lossy().into_owned();
        namespace.command("nft", &["-f", &path]);
        Self {
            namespace: namespace.clone(),
        }
    }

    /// Everything counted since the last call.
    ///
    /// # Panics
    ///
    /// If nftables prints anything but counters.
    pub(super) fn take(&self) -> Count {
        let text = self.namespace.command(
            "nft",
            &["-j", "reset", "counters", "table", "inet", "oracle"],
        );
        let answer: Value = serde_json::from_str(&text).expect("nft -j prints JSON");
        let packets = |name: &str| {
            let entries = answer["nftables"].as_array()?;
            let counter = entries
                .iter()
                .map(|entry| &entry["counter"])
                .find(|counter| counter["name"] == name)?;
            counter["packets"].as_u64()
        };
        Count {
            seen: packets("seen").expect("the counter of what was seen"),
            past: packets("past").expect("the counter of what got past"),
        }
    }

    /// Addresses, protocols and ports of packets that got past, as nftables prints them.
    pub(super) fn ends(&self) -> String {
        let sets = ["past4", "past6", "ports"].map(|set| {
            let listed = self
                .namespace
                .command("nft", &["list", "set", "inet", "oracle", set]);
            let elements = listed.split_once("elements = ");
            elements.map(|(_, elements)| {
                elements
                    .trim_matches(['{', '}', '\n', '\t', ' '])
                    .to_owned()
            })
        });
        sets.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
