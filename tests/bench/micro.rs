//! `BPF_PROG_TEST_RUN` over the shipped programs: what a packet costs in the program alone.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail};
use aya::programs::{TestRun as _, TestRunOptions};
use hep_common::Direction;
use hep_tests::packet;
use hep_userspace::datapath::Kernel;

use crate::{
    expectation::Figures,
    fixture::{self, IFINDEX, Yardsticks},
    interleave::{self, Effort, Runner},
    policy::{self, Shape},
    table,
};

/// Numbers of rules that new flows are judged by.
const RULES: [usize; 3] = [10, 1_000, 10_000];
/// Rules of one policy whose packets are averaged: spread over the whole list.
const SAMPLES: usize = 8;

/// Measures everything, prints tables, and returns the ratios of medians to the empty program.
pub(crate) fn run(effort: Effort) -> Result<Figures> {
    let yardsticks = Yardsticks::load()?;
    let mut figures = Figures::new();
    for v6 in [false, true] {
        established(&yardsticks, v6, effort, &mut figures)?;
        strays(&yardsticks, v6, effort, &mut figures)?;
        for shape in [Shape::Uniform, Shape::Friendly, Shape::Adversarial] {
            new_flows(&yardsticks, shape, v6, effort, &mut figures)?;
        }
    }
    Ok(figures)
}

/// A packet of a flow whose handshake was seen.
fn established(
    yardsticks: &Yardsticks,
    v6: bool,
    effort: Effort,
    figures: &mut Figures,
) -> Result<()> {
    let kernel = fixture::hep(&policy::resources(Shape::Friendly, 10, v6, "Allow"))?;
    let syn = packet::tcp(address(&policy::source(0, v6))?, own_address(v6))
        .sport(40_000)
        .dport(policy::port(0));
    let syn_ack = syn.clone().reversed().flags(SYN | ACK);
    let ack = syn.clone().flags(ACK);
    fixture::accept(&kernel, Direction::Ingress, &syn.frame())?;
    fixture::accept(&kernel, Direction::Egress, &syn_ack.frame())?;
    fixture::accept(&kernel, Direction::Ingress, &ack.frame())?;

    let frame = ack.frame();
    let reply = ack.reversed().frame();
    let runners = [
        yardstick(yardsticks, "base_empty", &frame)?,
        yardstick(yardsticks, "base_lookup", &frame)?,
        runner(&kernel, "established, ingress", Direction::Ingress, &frame),
        runner(&kernel, "established, egress", Direction::Egress, &reply),
    ];
    report(
        &format!("Established, {}", family(v6)),
        &runners,
        effort,
        v6,
        figures,
    )
}

/// TCP segments without a flow that are dropped, beside a denied SYN: the cost of a flood of them, with a
/// look-up of the host's sockets for each.
fn strays(yardsticks: &Yardsticks, v6: bool, effort: Effort, figures: &mut Figures) -> Result<()> {
    let kernel = fixture::hep(&policy::resources(Shape::Friendly, 10, v6, "Deny"))?;
    let syn = packet::tcp(address(&policy::source(0, v6))?, own_address(v6))
        .sport(40_000)
        .dport(policy::port(0));
    let [ack, fin] = [ACK, FIN | ACK].map(|flags| syn.clone().flags(flags).frame());
    let syn = syn.frame();
    for frame in [&syn, &ack, &fin] {
        if kernel
            .test_run(Direction::Ingress, IFINDEX, 0, frame)?
            .accepted
        {
            bail!("a segment without a flow is accepted");
        }
    }
    let runners = [
        yardstick(yardsticks, "base_empty", &syn)?,
        runner(&kernel, "SYN that a rule denies", Direction::Ingress, &syn),
        runner(
            &kernel,
            "ACK without a flow, denied",
            Direction::Ingress,
            &ack,
        ),
        runner(&kernel, "FIN without a flow", Direction::Ingress, &fin),
    ];
    let title = format!("Segments without a flow, {}", family(v6));
    report(&title, &runners, effort, v6, figures)
}

/// New flows that rules deny, so that nothing is inserted.
fn new_flows(
    yardsticks: &Yardsticks,
    shape: Shape,
    v6: bool,
    effort: Effort,
    figures: &mut Figures,
) -> Result<()> {
    let kernels = RULES
        .iter()
        .map(|rules| {
            let text = policy::resources(shape, *rules, v6, "Deny");
            Ok((*rules, fixture::hep(&text)?))
        })
        .collect::<Result<Vec<(usize, Kernel)>>>()?;
    let mut runners = Vec::new();
    for (rules, kernel) in &kernels {
        for sample in 0..SAMPLES {
            let number = match shape {
                Shape::Adversarial => 0,
                Shape::Uniform | Shape::Friendly => sample * rules / SAMPLES,
            };
            let frame = packet::tcp(address(&policy::source(number, v6))?, own_address(v6))
                .sport(40_000)
                .dport(policy::port(number))
                .frame();
            if kernel
                .test_run(Direction::Ingress, IFINDEX, 0, &frame)?
                .accepted
            {
                bail!("{shape:?}: rule {number} of {rules} does not deny its packet");
            }
            if runners.is_empty() {
                runners.push(yardstick(yardsticks, "base_empty", &frame)?);
                runners.push(yardstick(yardsticks, "base_lookup", &frame)?);
            }
            let name = format!("{shape:?}, {rules} rules");
            runners.push(runner(kernel, &name, Direction::Ingress, &frame));
            if shape == Shape::Adversarial {
                break;
            }
        }
    }
    let title = format!("New flow, denied, {shape:?} rules, {}", family(v6));
    report(&title, &runners, effort, v6, figures)
}

/// Measures, averages what has one name, prints and keeps the ratios.
fn report(
    title: &str,
    runners: &[Runner<'_>],
    effort: Effort,
    v6: bool,
    figures: &mut Figures,
) -> Result<()> {
    let mut costs: Vec<interleave::Cost> = Vec::new();
    let mut counts: Vec<f64> = Vec::new();
    for cost in interleave::measure(runners, effort)? {
        match (costs.last_mut(), counts.last_mut()) {
            (Some(last), Some(count)) if last.name == cost.name => {
                last.minimum_ns += cost.minimum_ns;
                last.median_ns += cost.median_ns;
                *count += 1.0;
            }
            _ => {
                costs.push(cost);
                counts.push(1.0);
            }
        }
    }
    for (cost, count) in costs.iter_mut().zip(counts) {
        cost.minimum_ns /= count;
        cost.median_ns /= count;
    }
    table::print(title, &costs);
    let unit = costs.first().context("nothing was measured")?.median_ns;
    for cost in costs.iter().skip(1) {
        figures.insert(
            format!("{}, {}", cost.name, family(v6)),
            cost.median_ns / unit,
        );
    }
    Ok(())
}

/// TCP flags.
const FIN: u8 = 0x01;
/// TCP flag.
const SYN: u8 = 0x02;
/// TCP flag.
const ACK: u8 = 0x10;

/// The address of the host under measurement.
fn own_address(v6: bool) -> IpAddr {
    let [v4_address, v6_address] = fixture::OWN_ADDRESSES;
    if v6 { v6_address } else { v4_address }
}

fn address(text: &str) -> Result<IpAddr> {
    text.parse().with_context(|| format!("address {text}"))
}

fn family(v6: bool) -> &'static str {
    if v6 { "IPv6" } else { "IPv4" }
}

fn yardstick<'a>(yardsticks: &'a Yardsticks, name: &str, frame: &[u8]) -> Result<Runner<'a>> {
    let program = yardsticks.program(name)?;
    let frame = frame.to_vec();
    Ok(Runner {
        name: name.to_owned(),
        run: Box::new(move |repeat| {
            program.test_run(TestRunOptions {
                data_in: Some(&frame),
                repeat,
                ..TestRunOptions::default()
            })?;
            Ok(())
        }),
    })
}

fn runner<'a>(kernel: &'a Kernel, name: &str, hook: Direction, frame: &[u8]) -> Runner<'a> {
    let frame = frame.to_vec();
    Runner {
        name: name.to_owned(),
        run: Box::new(move |repeat| Ok(kernel.test_repeatedly(hook, IFINDEX, &frame, repeat)?)),
    }
}
