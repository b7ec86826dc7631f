//! A policy directory that changes at random, always valid.

use std::{collections::BTreeMap, fmt::Write as _};

use proptest::prelude::*;

/// Rules that policies and profiles are made of, in flow style.
const RULES: [&str; 14] = [
    "action: Allow, protocol: TCP, destination: {ports: [80, '8000:8010']}",
    "action: Deny, protocol: TCP, source: {nets: [10.0.0.0/8]}",
    "action: Deny, source: {nets: ['2001:db8::/32'], notNets: ['2001:db8:1::/48']}",
    "action: Log, source: {selector: role == 'a'}",
    "action: Allow, source: {selector: role == 'a', notSelector: has(x)}",
    "action: Deny, source: {notSelector: has(role)}",
    "action: Pass, protocol: UDP",
    "action: Pass",
    "action: Allow, protocol: TCP, destination: {ports: [web, 443]}",
    "action: Allow, protocol: UDP, source: {notPorts: [53]}, destination: {notPorts: [dns]}",
    "action: Allow, protocol: ICMPv6, icmp: {type: 128}",
    "action: Deny, ipVersion: 4, notProtocol: TCP",
    "action: Allow, destination: {selector: has(x)}",
    "action: Deny, source: {nets: ['2001:db8:1::/48'], selector: has(role)}",
];
const STAGES: [&str; 4] = [
    "",
    "applyOnForward: true",
    "doNotTrack: true, applyOnForward: true",
    "preDNAT: true, applyOnForward: true",
];
const POLICIES: usize = 4;

/// A policy's file.
#[derive(Clone, Debug, Default)]
struct PolicyFile {
    is_there: bool,
    is_staged: bool,
    comments: usize,
    tier: usize,
    order: usize,
    stage: usize,
    rules: Vec<usize>,
}

/// All files.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    policies: [PolicyFile; POLICIES],
    profile: Vec<usize>,
    log_prefix: usize,
    tier_action: bool,
    failsafes: bool,
    /// Label of the set, and of the endpoint of another node; the latter's name of its port.
    labels: [usize; 3],
    members: Vec<usize>,
    /// Rules of a policy that is always there: with many, no list of packets that it judges is short.
    fillers: usize,
}

/// A change of one file: mostly the file's number, and its new content.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Policy(usize, bool),
    Staged(usize, bool),
    Comments(usize, usize),
    Tier(usize, usize),
    Order(usize, usize),
    Stage(usize, usize),
    Rule(usize, usize, usize),
    Profile(usize),
    LogPrefix(usize),
    TierAction(bool),
    Failsafes(bool),
    Label(usize, usize),
    Member(usize),
}

pub(super) fn some_change() -> impl Strategy<Value = Change> {
    let policy = 0..POLICIES;
    prop_oneof![
        2 => (policy.clone(), any::<bool>()).prop_map(|(at, it)| Change::Policy(at, it)),
        1 => (policy.clone(), any::<bool>()).prop_map(|(at, it)| Change::Staged(at, it)),
        1 => (policy.clone(), 0..3_usize).prop_map(|(at, it)| Change::Comments(at, it)),
        1 => (policy.clone(), 0..3_usize).prop_map(|(at, it)| Change::Tier(at, it)),
        1 => (policy.clone(), 0..3_usize).prop_map(|(at, it)| Change::Order(at, it)),
        1 => (policy.clone(), 0..STAGES.len()).prop_map(|(at, it)| Change::Stage(at, it)),
        6 => (policy, 0..5_usize, 0..=RULES.len()).prop_map(|(at, place, rule)| Change::Rule(at, place, rule)),
        1 => (0..RULES.len()).prop_map(Change::Profile),
        1 => (0..3_usize).prop_map(Change::LogPrefix),
        1 => any::<bool>().prop_map(Change::TierAction),
        1 => any::<bool>().prop_map(Change::Failsafes),
        2 => (0..3_usize, 0..3_usize).prop_map(|(which, label)| Change::Label(which, label)),
        4 => (0..6_usize).prop_map(Change::Member),
    ]
}

fn toggle(all: &mut Vec<usize>, one: usize) {
    match all.iter().position(|known| *known == one) {
        Some(at) => drop(all.remove(at)),
        None => all.push(one),
    }
}

impl Model {
    /// No policy but one of `fillers` rules that decide nothing, and a few that log.
    pub(super) fn with_fillers(fillers: usize) -> Self {
        Self {
            fillers,
            ..Self::default()
        }
    }

    pub(super) fn change(&mut self, change: &Change) {
        let policies = &mut self.policies;
        match *change {
            Change::Policy(at, is_there) => policies[at].is_there = is_there,
            Change::Staged(at, is_staged) => policies[at].is_staged = is_staged,
            Change::Comments(at, comments) => policies[at].comments = comments,
            Change::Tier(at, tier) => policies[at].tier = tier,
            Change::Order(at, order) => policies[at].order = order,
            Change::Stage(at, stage) => policies[at].stage = stage,
            Change::Rule(at, place, rule) => {
                policies[at].is_there = true;
                let rules = &mut policies[at].rules;
                let place = place.min(rules.len());
                if rule == RULES.len() {
                    rules.truncate(place);
                } else if place < rules.len() {
                    rules[place] = rule;
                } else {
                    rules.push(rule);
                }
            }
            Change::Profile(rule) => toggle(&mut self.profile, rule),
            Change::LogPrefix(prefix) => self.log_prefix = prefix,
            Change::TierAction(action) => self.tier_action = action,
            Change::Failsafes(are_there) => self.failsafes = are_there,
            Change::Label(which, label) => self.labels[which] = label,
            Change::Member(member) => toggle(&mut self.members, member),
        }
    }

    /// Texts by name of the file.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::from([
            ("base.yaml".to_owned(), self.base()),
            ("set.yaml".to_owned(), self.set()),
            ("filler.yaml".to_owned(), self.filler()),
        ]);
        for (number, policy) in self.policies.iter().enumerate() {
            if policy.is_there {
                texts.insert(format!("p{number}.yaml"), policy.text(number));
            }
        }
        texts
    }

    fn base(&self) -> String {
        let failsafes = if self.failsafes {
            "{protocol: TCP, port: 22}"
        } else {
            ""
        };
        let prefix = ["", "x-%n", "%t/%k"][self.log_prefix];
        let action = if self.tier_action { "Pass" } else { "Deny" };
        format!(
            "{}{}{}{}{}",
            document(
                "HostEndpoint",
                "e",
                "node: h1, interfaceName: eth0, profiles: [own]"
            ),
            document(
                "FelixConfiguration",
                "default",
                &format!("logPrefix: '{prefix}', failsafeInboundHostPorts: [{failsafes}]")
            ),
            document(
                "Tier",
                "first",
                &format!("order: 1, defaultAction: {action}")
            ),
            document("Tier", "second", "order: 2"),
            document(
                "Profile",
                "own",
                &format!("ingress: [{}]", rules(&self.profile))
            ),
        )
    }

    /// A tier that passes every packet on, and shows which of them the set's selectors match.
    fn filler(&self) -> String {
        let ports = (0..self.fillers).map(|port| {
            let port = 9000 + port;
            format!("{{action: Deny, protocol: TCP, destination: {{ports: [{port}]}}}}")
        });
        let log = ["role == 'a'", "has(x)"]
            .map(|selector| format!("{{action: Log, source: {{selector: {selector}}}}}"));
        let rules: Vec<String> = ports.chain(log).collect();
        let rules = rules.join(", ");
        let spec = format!(
            "tier: filler, order: 0, types: [Ingress, Egress], ingress: [{rules}], egress: [{rules}]"
        );
        document("Tier", "filler", "order: 0, defaultAction: Pass")
            + &document("GlobalNetworkPolicy", "filler.all", &spec)
    }

    fn set(&self) -> String {
        let [of_set, of_endpoint, port] = self.labels;
        let label = |label: usize| ["role: a", "role: b, x: 'y'", "z: none"][label];
        let nets = [
            "10.0.0.5",
            "10.0.0.0/30",
            "192.0.2.7",
            "2001:db8::5",
            "'2001:db8:1::/64'",
            "'::1'",
        ];
        let nets: Vec<&str> = self.members.iter().map(|member| nets[*member]).collect();
        let set = document(
            "GlobalNetworkSet",
            "s",
            &format!("nets: [{}]", nets.join(", ")),
        );
        let port = ["web", "dns", "other"][port];
        let endpoint = document(
            "HostEndpoint",
            "other",
            &format!(
                "node: h2, expectedIPs: [192.0.2.10, '2001:db8::10'], \
                 ports: [{{name: {port}, protocol: TCP, port: 81}}, {{name: dns, protocol: UDP, port: 53}}]"
            ),
        );
        let with_label = |text: String, labels: &str| {
            text.replace("}\nspec", &format!(", labels: {{{labels}}}}}\nspec"))
        };
        with_label(set, label(of_set)) + &with_label(endpoint, label(of_endpoint))
    }
}

impl PolicyFile {
    fn text(&self, number: usize) -> String {
        let kind = if self.is_staged {
            "StagedGlobalNetworkPolicy"
        } else {
            "GlobalNetworkPolicy"
        };
        let tier = ["default", "first", "second"][self.tier];
        let prefix = if self.tier == 0 {
            String::new()
        } else {
            format!("{tier}.")
        };
        let stage = STAGES[self.stage];
        // Pre-DNAT policies have no egress rules, and untracked ones are staged as others are.
        let (egress, types) = if self.stage == 3 {
            (String::new(), "Ingress")
        } else {
            (rules(&self.rules), "Ingress, Egress")
        };
        let mut text = "# moved\n".repeat(self.comments);
        let comma = if stage.is_empty() { "" } else { ", " };
        let _infallible = write!(
            text,
            "{}",
            document(
                kind,
                &format!("{prefix}p{number}"),
                &format!(
                    "tier: {tier}, order: {}, {stage}{comma}types: [{types}], ingress: [{}]{}",
                    self.order,
                    rules(&self.rules),
                    if egress.is_empty() {
                        String::new()
                    } else {
                        format!(", egress: [{egress}]")
                    },
                ),
            )
        );
        text
    }
}

fn rules(numbers: &[usize]) -> String {
    let rules: Vec<String> = numbers
        .iter()
        .map(|number| format!("{{{}}}", RULES[*number]))
        .collect();
    rules.join(", ")
}

pub(super) fn document(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
    )
}
