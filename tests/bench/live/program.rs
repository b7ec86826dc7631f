//! The comparisons, in order.

use std::{net::IpAddr, path::Path, time::Duration};

use anyhow::Result;

use super::{
    comparison::{Comparison, Expect, Score, subject},
    contender::Contender,
    generator::Generator,
    policy::{Accepted, Policy},
    testbed::{Flow, Way},
};
use crate::{expectation::Figures, fixture::Yardsticks, interleave::Effort, table};

/// For a look.
const QUICK: Effort = Effort {
    rounds: 5,
    turn: Duration::from_millis(12),
};
/// For figures to keep.
const FULL: Effort = Effort {
    rounds: 9,
    turn: Duration::from_millis(50),
};

/// Who is compared where rules are.
const ALL: [Contender; 6] = [
    Contender::Hep,
    Contender::NftLinear,
    Contender::NftSet,
    Contender::NftMap,
    Contender::Iptables,
    Contender::Ipset,
];
/// The contenders in comparisons by number of rules.
const FRIENDLY: [Contender; 2] = [Contender::HepFriendly, Contender::HepFriendlyTen];
/// The contenders that pass packets of existing flows before the rules.
const TRACKERS: [Contender; 3] = [Contender::Hep, Contender::NftLinear, Contender::Iptables];
/// Who is compared where a set is.
const SETS: [Contender; 3] = [Contender::Hep, Contender::NftSet, Contender::Ipset];
/// Who is compared where everything is denied.
const DROPS: [Contender; 4] = [
    Contender::Hep,
    Contender::TcDrop,
    Contender::NftSet,
    Contender::Ipset,
];

/// New flows of one turn.
const NEW_FLOWS: usize = 20_000;
/// Flows of one exchange.
const EXCHANGES: usize = 100_000;
/// Hosts that flows of one network come from.
const HOSTS: usize = 250;
/// Between the ports of two flows of a host: each turn of new flows takes the next port.
const PORT_STEP: usize = 64;

/// Quantity of a plot's horizontal axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chart {
    Rules,
    Members,
    Flows,
    /// No plot.
    None,
}

/// A comparison that was made.
pub(crate) struct Outcome {
    pub(crate) chart: Chart,
    pub(crate) size: usize,
    pub(crate) v6: bool,
    pub(crate) scores: Vec<Score>,
}

/// A comparison to make.
struct Plan {
    chart: Chart,
    /// Rules, members or flows.
    size: usize,
    /// Also made by a quick run.
    is_quick: bool,
    title: String,
    policy: Policy,
    /// Flows that packets are sent of.
    flows: usize,
    expect: Expect,
    contenders: &'static [Contender],
}

/// Makes all comparisons with `only` in their title, prints them, and adds the ratios of `hep` to
/// each contender to `figures`. Where `hep` takes part, `other` is a build of it that does as well.
pub(crate) fn run(
    quick: bool,
    only: &str,
    other: Option<&Path>,
    yardsticks: &mut Yardsticks,
    figures: &mut Figures,
) -> Result<Vec<Outcome>> {
    let mut generator = Generator::load()?;
    let effort = if quick { QUICK } else { FULL };
    let mut outcomes = Vec::new();
    for v6 in [false, true] {
        for plan in plans(quick, v6) {
            let family = if v6 { "IPv6" } else { "IPv4" };
            let title = format!("{}, {family}", plan.title);
            if !title.contains(only) {
                continue;
            }
            let comparison = Comparison {
                title: &title,
                policy: plan.policy,
                flows: plan.flows(),
                expect: plan.expect,
                contenders: plan.contenders,
                other,
            };
            let scores = comparison.run(&mut generator, yardsticks, effort)?;
            let is_total = plan.expect == Expect::Denied;
            table::print_scores(&format!("End to end: {title}"), &scores, is_total);
            add_ratios(&plan.title, family, is_total, &scores, figures);
            outcomes.push(Outcome {
                chart: plan.chart,
                size: plan.size,
                v6,
                scores,
            });
        }
    }
    add_flatness(&outcomes, figures);
    Ok(outcomes)
}

/// The comparisons of one family.
fn plans(quick: bool, v6: bool) -> Vec<Plan> {
    let policy = |accepted, tracked, way| Policy {
        accepted,
        v6,
        way,
        tracked,
    };
    let mut plans = Vec::new();
    for (count, is_quick) in [(10, !v6), (100, false), (1_000, true), (10_000, !v6)] {
        plans.push(Plan {
            chart: Chart::Rules,
            size: count,
            is_quick,
            title: format!("{count} rules, the last accepts"),
            policy: policy(Accepted::Rules(count), false, Way::In),
            flows: 64,
            expect: Expect::Accepted,
            contenders: &ALL,
        });
    }
    plans.push(Plan {
        chart: Chart::None,
        size: 10_000,
        is_quick: true,
        title: "10000 friendly rules".to_owned(),
        policy: policy(Accepted::Rules(10_000), false, Way::In),
        flows: 64,
        expect: Expect::Accepted,
        contenders: &FRIENDLY,
    });
    for (count, is_quick) in [(1_000, !v6), (100_000, true), (1_000_000, false)] {
        plans.push(Plan {
            chart: Chart::Members,
            size: count,
            is_quick,
            title: format!("set of {count}"),
            policy: policy(Accepted::Members(count), false, Way::In),
            flows: count,
            expect: Expect::Accepted,
            contenders: &SETS,
        });
    }
    for (count, is_quick) in [(1, false), (1_000, true), (100_000, !v6)] {
        plans.push(Plan {
            chart: Chart::Flows,
            size: count,
            is_quick,
            title: format!("established, {count} flows"),
            policy: policy(Accepted::Rules(10), true, Way::In),
            flows: count,
            expect: Expect::Established,
            contenders: &TRACKERS,
        });
    }
    plans.push(Plan {
        chart: Chart::None,
        size: EXCHANGES,
        is_quick: true,
        title: format!("one exchange, {EXCHANGES} flows"),
        policy: policy(Accepted::Rules(10), true, Way::In),
        flows: EXCHANGES,
        expect: Expect::Exchanged,
        contenders: &TRACKERS,
    });
    for (count, is_quick) in [(10, !v6), (1_000, false)] {
        plans.push(Plan {
            chart: Chart::None,
            size: count,
            is_quick,
            title: format!("new flows, {count} rules"),
            policy: policy(Accepted::Rules(count), true, Way::In),
            flows: NEW_FLOWS,
            expect: Expect::New,
            contenders: &TRACKERS,
        });
    }
    plans.push(Plan {
        chart: Chart::None,
        size: 1_000,
        is_quick: !v6,
        title: "denied by default, 1000 rules".to_owned(),
        policy: policy(Accepted::Rules(1_000), true, Way::In),
        flows: 1_000,
        expect: Expect::Denied,
        contenders: &DROPS,
    });
    plans.push(Plan {
        chart: Chart::None,
        size: 1_000,
        is_quick: !v6,
        title: "egress, established, 1000 flows".to_owned(),
        policy: policy(Accepted::Rules(10), true, Way::Through),
        flows: 1_000,
        expect: Expect::Established,
        contenders: &TRACKERS,
    });
    plans.retain(|plan| plan.is_quick || !quick);
    plans
}

impl Plan {
    /// The flows, in random order.
    fn flows(&self) -> Vec<Flow> {
        let mut flows: Vec<Flow> = (0..self.flows)
            .filter_map(|number| {
                let source_port = 1024 + number / HOSTS * PORT_STEP % 60_000;
                Some(Flow {
                    source: self.source(number)?,
                    source_port: u16::try_from(source_port).ok()?,
                    port: self.policy.last_port(),
                })
            })
            .collect();
        fastrand::Rng::with_seed(7).shuffle(&mut flows);
        flows
    }

    /// The source address of flow `number`.
    fn source(&self, number: usize) -> Option<IpAddr> {
        let network = self.policy.source(number)?;
        if matches!(self.policy.accepted, Accepted::Members(_)) {
            return Some(network);
        }
        let host = u8::try_from(1 + number % HOSTS).ok()?;
        Some(match (network, self.expect) {
            (IpAddr::V4(_), Expect::Denied) => IpAddr::from([10, 200, 0, host]),
            (IpAddr::V4(v4), _) => {
                let [a, b, c, _] = v4.octets();
                IpAddr::from([a, b, c, host])
            }
            (IpAddr::V6(v6), expect) => {
                let [a, b, c, ..] = v6.segments();
                let c = if expect == Expect::Denied { 0xffff } else { c };
                IpAddr::from([a, b, c, 0, 0, 0, 0, u16::from(host)])
            }
        })
    }
}

/// The compared cost of a packet: beyond a packet without a filter, or the total of a denied one.
pub(crate) fn compared(score: &Score, is_total: bool) -> f64 {
    if is_total {
        score.cost_ns
    } else {
        score.added_ns
    }
}

/// The ratio of `hep` to each contender.
fn add_ratios(title: &str, family: &str, is_total: bool, scores: &[Score], figures: &mut Figures) {
    let Some(hep) = subject(scores) else {
        return;
    };
    for score in scores {
        if [hep.contender, Contender::Nobody].contains(&score.contender) || score.absent.is_some() {
            continue;
        }
        let ratio = compared(hep, is_total) / compared(score, is_total);
        let name = score.contender.name();
        figures.insert(format!("{title}, against {name}, {family}"), ratio);
        if matches!(score.contender, Contender::NftSet | Contender::NftMap) {
            let best = format!("{title}, against nftables at its best, {family}");
            let best = figures.entry(best).or_insert(ratio);
            *best = best.max(ratio);
        }
    }
}

/// Cost that 10 000 uniform rules add, in multiples of the cost that 10 add.
fn add_flatness(outcomes: &[Outcome], figures: &mut Figures) {
    for v6 in [false, true] {
        let added = |rules: usize| {
            outcomes
                .iter()
                .find(|outcome| {
                    outcome.chart == Chart::Rules && outcome.size == rules && outcome.v6 == v6
                })
                .and_then(|outcome| {
                    outcome
                        .scores
                        .iter()
                        .find(|score| score.contender == Contender::Hep)
                })
                .map(|score| score.added_ns)
        };
        if let (Some(few), Some(many)) = (added(10), added(10_000)) {
            let family = if v6 { "IPv6" } else { "IPv4" };
            figures.insert(
                format!("10000 uniform rules against 10, {family}"),
                many / few,
            );
        }
    }
}
