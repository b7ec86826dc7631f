//! One policy in the language of each contender.

use std::{fmt::Write as _, net::IpAddr};

use hep_tests::policy::NODE;

use super::testbed::{INSIDE, Way};
use crate::policy::{INTERFACE, member, network, port, source};

/// Most rules in one resource (RS-051).
const RULES_PER_POLICY: usize = 1000;
/// The port that members of a set are accepted at.
const SET_PORT: u16 = 1000;

/// The packets that are accepted; all others are denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// Rule *i* accepts datagrams from one network to one port of its own.
    Rules(usize),
    /// Datagrams from this many members of a set.
    Members(usize),
}

/// A policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) accepted: Accepted,
    pub(crate) v6: bool,
    pub(crate) way: Way,
    /// Packets of existing flows pass before the rules; without it, each packet is judged by them.
    pub(crate) tracked: bool,
}

impl Policy {
    /// The port that the last rule accepts.
    pub(crate) fn last_port(self) -> u16 {
        match self.accepted {
            Accepted::Rules(count) => port(count.saturating_sub(1)),
            Accepted::Members(_) => SET_PORT,
        }
    }

    /// An address that the last rule accepts, or member `number` of the set; not every member is one
    /// that a packet may come from.
    pub(crate) fn source(self, number: usize) -> Option<IpAddr> {
        let text = match self.accepted {
            Accepted::Rules(count) => source(count.saturating_sub(1), self.v6),
            Accepted::Members(_) => member(number, self.v6),
        };
        let address = text.split('/').next()?.parse::<IpAddr>().ok()?;
        (!address.is_loopback() && !self.is_own_network(address)).then_some(address)
    }

    fn is_own_network(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => matches!(v4.octets(), [127, ..] | [192, 0, 2, _] | [198, 51, 100, _]),
            IpAddr::V6(_) => false,
        }
    }

    /// The resources of hep.
    pub(crate) fn resources(self) -> Vec<String> {
        match self.accepted {
            Accepted::Rules(count) => {
                let rules = (0..count).map(|number| {
                    format!(
                        "  - {{action: Allow, protocol: UDP, source: {{nets: ['{}']}}, \
                         destination: {{ports: [{}]}}}}\n",
                        network(number, self.v6),
                        port(number)
                    )
                });
                self.with_rules(&rules.collect::<Vec<_>>())
            }
            Accepted::Members(count) => {
                let rule = "  - {action: Allow, protocol: UDP, source: {selector: set == 'big'}}\n";
                let mut resources = self.with_rules(&[rule.to_owned()]);
                resources.push(set(count, self.v6));
                resources
            }
        }
    }

    /// Resources with `count` friendly rules, each for a port of its own and any source. The last is for
    /// [`Self::last_port`], however many there are.
    pub(super) fn friendly(self, count: u16) -> Vec<String> {
        let rules = (0..count).rev().map(|before| {
            let port = self.last_port().saturating_sub(before);
            format!("  - {{action: Allow, protocol: UDP, destination: {{ports: [{port}]}}}}\n")
        });
        self.with_rules(&rules.collect::<Vec<_>>())
    }

    /// The endpoint and these rules for it.
    fn with_rules(self, rules: &[String]) -> Vec<String> {
        let (interface, direction) = match self.way {
            Way::In => (INTERFACE, "Ingress"),
            Way::Through => (INSIDE, "Egress"),
        };
        let mut resources = vec![
            format!(
                "apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {{name: bench}}\n\
                 spec: {{node: {NODE}, interfaceName: {interface}}}\n"
            ),
            hep_tests::policy::no_failsafe(),
        ];
        for (number, rules) in rules.chunks(RULES_PER_POLICY).enumerate() {
            resources.push(format!(
                "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\n\
                 metadata: {{name: rules-{number}}}\nspec:\n  order: {number}\n\
                 \x20 types: [{direction}]\n  doNotTrack: {}\n  applyOnForward: {}\n  {}:\n{}",
                !self.tracked,
                !self.tracked || self.way == Way::Through,
                direction.to_lowercase(),
                rules.concat()
            ));
        }
        resources
    }

    /// Input of `iptables-restore`, and that of `ipset restore` if the accepted is in a set.
    pub(crate) fn iptables(self, sets: bool) -> (String, Option<String>) {
        let family = if self.v6 { "inet6" } else { "inet" };
        let (chain, interface) = match self.way {
            Way::In => ("INPUT", String::new()),
            Way::Through => ("FORWARD", format!("-A FORWARD ! -o {INSIDE} -j ACCEPT\n")),
        };
        let known = if self.tracked {
            format!("-A {chain} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n")
        } else {
            String::new()
        };
        let mut text = format!("*filter\n:{chain} DROP\n{interface}{known}");
        let mut members = None;
        match self.accepted {
            Accepted::Rules(count) if sets => {
                let entries = (0..count)
                    .map(|number| format!("{},udp:{}", network(number, self.v6), port(number)));
                members = Some(ipset("hash:net,port", family, count, entries));
                let _infallible = writeln!(
                    text,
                    "-A {chain} -p udp -m set --match-set accepted src,dst -j ACCEPT"
                );
            }
            Accepted::Rules(count) => {
                for number in 0..count {
                    let _infallible = writeln!(
                        text,
                        "-A {chain} -s {} -p udp --dport {} -j ACCEPT",
                        network(number, self.v6),
                        port(number)
                    );
                }
            }
            Accepted::Members(count) => {
                let entries = (0..count).map(|number| member(number, self.v6));
                members = Some(ipset("hash:net", family, count, entries));
                let _infallible = writeln!(
                    text,
                    "-A {chain} -p udp -m set --match-set accepted src -j ACCEPT"
                );
            }
        }
        text.push_str("COMMIT\n");
        (text, members)
    }
}

/// A network set of hep.
fn set(members: usize, v6: bool) -> String {
    let mut text = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\n\
                    metadata: {name: big, labels: {set: big}}\nspec:\n  nets:\n"
        .to_owned();
    for number in 0..members {
        let _infallible = writeln!(text, "  - {}", member(number, v6));
    }
    text
}

/// Input of `ipset restore`.
fn ipset(kind: &str, family: &str, count: usize, entries: impl Iterator<Item = String>) -> String {
    let mut text = format!(
        "create accepted {kind} family {family} maxelem {}\n",
        count.max(1024)
    );
    for entry in entries {
        let _infallible = writeln!(text, "add -exist accepted {entry}");
    }
    text
}
