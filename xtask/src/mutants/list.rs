//! The mistakes.

/// The means that finds a mistake.
#[derive(Clone, Copy)]
pub(super) enum Finder {
    /// The fuzzer, by IPv6 packets alone.
    Ipv6,
    /// The fuzzer, by packets of either family.
    Both,
    /// This test of the suite `verdict`: it takes flows, and the fuzzer judges single packets.
    Test(&'static str),
}

/// A change of the sources that makes a verdict wrong.
pub(super) struct Mistake {
    /// In a few words.
    pub(super) what: &'static str,
    /// The file, from the root of the workspace.
    pub(super) file: &'static str,
    /// A text that occurs once in the file.
    pub(super) right: &'static str,
    /// Its replacement.
    pub(super) wrong: &'static str,
    /// The means that finds it.
    pub(super) finder: Finder,
}

use Finder::{Both, Ipv6, Test};

const fn mistake(
    what: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
    finder: Finder,
) -> Mistake {
    Mistake {
        what,
        file,
        right,
        wrong,
        finder,
    }
}

const LISTS: &str = "hep-userspace/src/compile/lists/flatten.rs";
const CONDITIONS: &str = "hep-userspace/src/compile/lists/conditions.rs";
const EXECUTOR: &str = "hep-ebpf/src/classify/executor.rs";
const WALK: &str = "hep-ebpf/src/classify/walk.rs";
const SERVICE: &str = "hep-ebpf/src/classify/service.rs";
const ADDRESS: &str = "hep-ebpf/src/classify/class.rs";
const STAGES: &str = "hep-ebpf/src/stages.rs";
const ETHERNET: &str = "hep-ebpf/src/parse/ethernet.rs";
const PROGRESS: &str = "hep-common/src/conntrack/progress.rs";
const MIDSTREAM: &str = "hep-ebpf/src/conntrack/midstream.rs";

pub(super) const MISTAKES: [Mistake; 45] = [
    // The programs.
    mistake(
        "unspecified source taken for forwarded",
        "hep-ebpf/src/route/local.rs",
        "packet.dst.is_unspecified() || packet.src.is_unspecified() {",
        "packet.dst.is_unspecified() {",
        Both,
    ),
    mistake(
        "routed neighbour discovery taken for essential",
        STAGES,
        "        && !route::is_routed(context, packet, trace)\n",
        "",
        Ipv6,
    ),
    mistake(
        "DHCP answers that are routed taken for local",
        "hep-ebpf/src/route/local.rs",
        "way_out == interface.ifindex && is_for_dhcp_client(packet)",
        "is_for_dhcp_client(packet)",
        Both,
    ),
    mistake(
        "martians judged by policy",
        STAGES,
        "    if route::is_martian(context, packet) {",
        "    if false {",
        Both,
    ),
    mistake(
        "source and destination port swapped",
        "hep-ebpf/src/parse/transport.rs",
        "packet.src_port = u16::from_be_bytes(header.src_port);\n            packet.dst_port = u16::from_be_bytes(header.dst_port);",
        "packet.dst_port = u16::from_be_bytes(header.src_port);\n            packet.src_port = u16::from_be_bytes(header.dst_port);",
        Both,
    ),
    mistake(
        "destination address taken for the source",
        "hep-ebpf/src/classify/list.rs",
        "known(packet.src.class(slot))",
        "known(packet.dst.class(slot))",
        Both,
    ),
    mistake(
        "ICMP code ignored",
        SERVICE,
        "u32::from(packet.icmp_type) << 8 | u32::from(packet.icmp_code)",
        "u32::from(packet.icmp_type) << 8",
        Both,
    ),
    mistake(
        "protocol of named ports ignored",
        SERVICE,
        "        port,\n        protocol,\n",
        "        port,\n        protocol: protocol::TCP,\n",
        Both,
    ),
    mistake(
        "address classes off by one",
        ADDRESS,
        "        difference\n    } >> 63;",
        "        difference.wrapping_sub(1)\n    } >> 63;",
        Both,
    ),
    mistake(
        "IPv6 address classes off by one in the last 64 bits",
        ADDRESS,
        "((!value | start) & difference)",
        "((!value | start) & difference.wrapping_sub(1))",
        Ipv6,
    ),
    mistake(
        "Pass goes one rule too far",
        EXECUTOR,
        "self.from = target;",
        "self.from = target.wrapping_add(1);",
        Both,
    ),
    mistake(
        "Log skips the next rule",
        EXECUTOR,
        "self.log(rule.slot);\n                }\n                self.from = next;",
        "self.log(rule.slot);\n                }\n                self.from = next.wrapping_add(1);",
        Both,
    ),
    mistake(
        "first rule of a later chunk skipped",
        WALK,
        "self.executor.from = last.wrapping_add(1);",
        "self.executor.from = last.wrapping_add(2);",
        Both,
    ),
    mistake(
        "forwarded packets meet the local list",
        "hep-ebpf/src/conntrack/rules.rs",
        "        lists.forward\n    } else {",
        "        lists.local\n    } else {",
        Both,
    ),
    mistake(
        "untracked egress rules judge forwarded packets",
        STAGES,
        "if forwarded && matches!(context.direction, Direction::Egress) {\n        return Answer::Continue;",
        "if forwarded && matches!(context.direction, Direction::Egress) && context.bytes() == 0 {\n        return Answer::Continue;",
        Both,
    ),
    mistake(
        "failsafes exempt forwarded packets from untracked rules",
        STAGES,
        "if !forwarded && lists.exempt != 0 {",
        "if lists.exempt != 0 {",
        Both,
    ),
    mistake(
        "fragments take the verdict of an earlier packet",
        "hep-ebpf/src/maps/fragments.rs",
        "FRAGMENTS.insert(key.0, verdict, u64::from(BPF_ANY)).is_ok()",
        "FRAGMENTS.insert(key.0, verdict, 1).is_ok()",
        Both,
    ),
    mistake(
        "neighbour discovery believed with any hop limit",
        "hep-ebpf/src/essential.rs",
        "packet.hop_limit == NOT_ROUTED && packet.icmp_code == 0",
        "packet.icmp_code == 0",
        Ipv6,
    ),
    mistake(
        "a FIN picked up like an ACK",
        MIDSTREAM,
        "by_policy: flags == tcp::ACK",
        "by_policy: flags & tcp::ACK != 0",
        Both,
    ),
    mistake(
        "connections taken for this host's without a socket",
        "hep-ebpf/src/conntrack/socket.rs",
        "remote.1, local, states) {",
        "remote.1, local, states) && states == 0 {",
        Both,
    ),
    mistake(
        "the first seconds of an interface never end",
        MIDSTREAM,
        "context.now_ns < maps::grace_until_ns",
        "context.now_ns >= maps::grace_until_ns",
        Both,
    ),
    mistake(
        "more tags than are taken off taken for no IP",
        ETHERNET,
        "Tag::BYTES);\n    }\n    UNREADABLE",
        "Tag::BYTES);\n    }\n    OTHER",
        Both,
    ),
    mistake(
        "a VLAN behind priority tags judged here",
        ETHERNET,
        "if id != 0 && id != own_vlan(interface_flags) && all_taken_off == 0 {",
        "if id != 0 && id != own_vlan(interface_flags) && offset == 14 {",
        Both,
    ),
    mistake(
        "more extension headers than are walked taken for a protocol",
        "hep-ebpf/src/parse/ipv6.rs",
        "return Err(Reason::ExtensionHeaders);",
        "return Ok(upper);",
        Ipv6,
    ),
    mistake(
        "ICMP messages without a flow judged by policy",
        "hep-ebpf/src/conntrack/fresh.rs",
        "let is_valid = icmp::may_come_first(packet) ||",
        "let is_valid = icmp::may_come_first(packet) || context.bytes() != 0 ||",
        Both,
    ),
    mistake(
        "any SCTP chunk opens a flow",
        "hep-ebpf/src/conntrack/sctp.rs",
        "matches!(chunk, INIT | HEARTBEAT)",
        "chunk >= INIT || chunk == HEARTBEAT",
        Both,
    ),
    mistake(
        "UDP-Lite flows known by addresses alone",
        "hep-common/src/lib.rs",
        "DCCP | SCTP | UDPLITE)",
        "DCCP | SCTP)",
        Test("flow_state::ev_150_udp_lite_and_dccp_flows_are_known_by_their_ports"),
    ),
    mistake(
        "echoes make an assured flow",
        PROGRESS,
        "protocol::ICMP | protocol::ICMPV6 => false,",
        "protocol::ICMP | protocol::ICMPV6 => matches!(self.state(), State::Replied),",
        Test("assured::ev_159_others_are_assured_by_time_and_icmp_never"),
    ),
    mistake(
        "two answered datagrams make an assured flow",
        PROGRESS,
        "&& now.least_ns_since(self.event) >= ASSURED_AFTER_NS",
        "&& now.least_ns_since(self.event) < u64::MAX",
        Test("assured::ev_159_others_are_assured_by_time_and_icmp_never"),
    ),
    mistake(
        "any ACK makes an assured connection",
        PROGRESS,
        "is_plain && acknowledges && knows && matches!",
        "is_plain && (acknowledges || knows) && matches!",
        Test("assured::ev_159_tcp_is_assured_by_what_nobody_else_could_have_acknowledged"),
    ),
    mistake(
        "any RST ends a connection",
        PROGRESS,
        "is_known && segment.sequence == pick(self.next, sender)",
        "is_known",
        Test("assured::ev_156_a_blind_reset_ends_no_connection"),
    ),
    // The compiler.
    mistake(
        "notNets taken for nets",
        CONDITIONS,
        "let set = space.set(not_nets);\n            terms.push(Term { set, negated: true });",
        "let set = space.set(not_nets);\n            terms.push(Term { set, negated: false });",
        Both,
    ),
    mistake(
        "notPorts forgotten",
        CONDITIONS,
        "let none_of: Vec<PortRange> = side.not_ports.iter().filter_map(range).collect();",
        "let none_of: Vec<PortRange> = Vec::new();",
        Both,
    ),
    mistake(
        "names in notPorts want a port",
        CONDITIONS,
        "side.not_ports.iter().any(|item| name(item).is_none())",
        "!side.not_ports.is_empty()",
        Both,
    ),
    mistake(
        "nets of the other family ignored, their rule kept",
        CONDITIONS,
        "&& has_nets_of(&rule.source, family)\n        && has_nets_of(&rule.destination, family)",
        "&& (has_nets_of(&rule.source, family) || has_nets_of(&rule.destination, family))",
        Both,
    ),
    mistake(
        "ICMP by name matches in both families",
        CONDITIONS,
        "rule.protocol.and_then(|protocol| protocol.implied_family())",
        "rule.protocol.and_then(|_| None)",
        Both,
    ),
    mistake(
        "notSelector beside a selector forgotten",
        "hep-userspace/src/compile/sets/selected.rs",
        "Self::Within(Arc::new(positive.except(negative)))",
        "{ let _ = negative; Self::Within(positive) }",
        Both,
    ),
    mistake(
        "end of tier ignored",
        LISTS,
        "if let Some(end) = tier.end {",
        "if let Some(end) = tier.end.filter(|end| *end == DefaultAction::Pass) {",
        Both,
    ),
    mistake(
        "untracked tiers end in their default",
        "hep-userspace/src/compile/lists/order.rs",
        "matches!(self, Self::Normal | Self::Forward)",
        "!matches!(self, Self::PreDnat)",
        Both,
    ),
    mistake(
        "equal orders settled by the bare name",
        "hep-userspace/src/compile/lists/order.rs",
        "format!(\"{}//{}\", policy.metadata.identity(), policy.kind.name())",
        "format!(\"{}\\0{}\", policy.metadata.identity(), policy.kind.name())",
        Both,
    ),
    mistake(
        "staged policies enforced",
        LISTS,
        "PolicyKind::Staged(_) => list.staged(&block),",
        "PolicyKind::Staged(_) => list.enforced(&block, phase_reasons(phase), &mut passes),",
        Both,
    ),
    mistake(
        "inbound and outbound failsafes swapped",
        LISTS,
        "Direction::Ingress => (inbound, outbound),\n            Direction::Egress => (outbound, inbound),",
        "Direction::Egress => (inbound, outbound),\n            Direction::Ingress => (outbound, inbound),",
        Both,
    ),
    mistake(
        "replies of failsafes not exempt from untracked rules",
        LISTS,
        "self.failsafe_rules(&mut list, other, direction, family, false);",
        "self.failsafe_rules(&mut list, &other[..0], direction, family, false);",
        Both,
    ),
    mistake(
        "pre-DNAT policies forgotten for forwarded packets",
        LISTS,
        "        let mut list = Builder::default();\n        self.pre_dnat(&mut list, &tiers.pre_dnat,",
        "        let mut list = Builder::default();\n        self.pre_dnat(&mut list, &tiers.pre_dnat[..0],",
        Both,
    ),
    mistake(
        "profiles asked in the order of their names",
        LISTS,
        "for name in endpoint.profiles.iter().filter(|_| !endpoint.closed) {",
        "for name in endpoint.profiles.iter().collect::<std::collections::BTreeSet<_>>() {",
        Both,
    ),
];
