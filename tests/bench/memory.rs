//! Memory that the kernel uses for hep, by its own numbers.

use anyhow::{Context as _, Result, ensure};
use aya::maps::{HashMap, Map, MapData};
use hep_common::{
    ABI_VERSION,
    conntrack::{Conn, ConnKey4, ConnKey6, leg},
    protocol,
    tick::Tick,
};
use hep_tests::{daemon::Daemon, policy::felix};
use hep_userspace::datapath::monotonic_ns;

use crate::{
    expectation::Figures,
    fixture, interrupt, kernel_maps,
    live::{Accepted, Policy, Way},
};

/// Bytes in a megabyte.
const MEGABYTE: f64 = 1e6;

/// Lower bound of hep's use at rest, bytes (spec EV-263).
const LEAST_AT_REST: u64 = 16_000_000;
/// Hosts whose memory decides how large the tables of flows are, GiB.
const HOSTS: [u64; 3] = [1, 8, 64];

/// Flows that an administrator configures.
const FLOWS: u32 = 512_000;

/// Loads policies, prints what their tables, the tables of flows, and all of it at rest take, and adds it
/// to `figures`.
pub(crate) fn run(quick: bool, figures: &mut Figures) -> Result<()> {
    let members: &[usize] = if quick {
        &[100_000]
    } else {
        &[100_000, 1_000_000]
    };
    println!("\nMemory of the kernel's maps (bytes_memlock)");
    println!("{:<44}{:>10}   largest tables, MB", "", "MB");
    for v6 in [false, true] {
        let mut policies = vec![("10000 uniform rules".to_owned(), Accepted::Rules(10_000))];
        for count in members {
            policies.push((format!("set of {count}"), Accepted::Members(*count)));
        }
        for (name, accepted) in policies {
            interrupt::check()?;
            let policy = Policy {
                accepted,
                ..rules(0, v6)
            };
            let family = if v6 { "IPv6" } else { "IPv4" };
            weigh(&format!("{name}, {family}"), policy, figures)?;
        }
        interrupt::check()?;
        fill(v6, figures)?;
    }
    rest(figures)
}

/// The policy of `count` uniform rules.
const fn rules(count: usize, v6: bool) -> Policy {
    Policy {
        accepted: Accepted::Rules(count),
        v6,
        way: Way::In,
        tracked: true,
    }
}

/// Weighs everything at rest under ten rules, as hosts of several sizes have it.
fn rest(figures: &mut Figures) -> Result<()> {
    println!(
        "\nAll of hep's memory in the kernel at rest, ten rules: maps, inner maps, programs\n{:<44}{:>10}   may be, MB",
        "", "MB"
    );
    for gibibytes in HOSTS {
        interrupt::check()?;
        let host = fixture::host("memory");
        let memory = gibibytes << 30;
        let daemon = Daemon::start_with(
            &host,
            &rules(10, false).resources(),
            &["--memory-total", &memory.to_string()],
        );
        let bytes = kernel_maps::all_bytes(&daemon)?;
        let limit = LEAST_AT_REST.max(memory / 100);
        let name = format!("at rest, 10 rules, host of {gibibytes} GiB");
        println!(
            "{name:<44}{:>10.1}   {:.1}",
            megabytes(bytes),
            megabytes(limit)
        );
        figures.insert(
            format!("{name}, against 16 MB or 1 %"),
            megabytes(bytes) / megabytes(limit),
        );
    }
    Ok(())
}

/// Fills a table of as many flows as an administrator configured, and measures its memory.
fn fill(v6: bool, figures: &mut Figures) -> Result<()> {
    let host = fixture::host("memory");
    let mut resources = rules(10, v6).resources();
    resources.retain(|resource| !resource.contains("FelixConfiguration"));
    resources.push(felix(&format!("bpfMapSizeConntrack: {FLOWS}")));
    let daemon = Daemon::start_with(&host, &resources, &["--memory-total", "1"]);
    let (table, family) = if v6 {
        ("ASSURED_TCP6", "IPv6")
    } else {
        ("ASSURED_TCP4", "IPv4")
    };
    let pins = daemon.bpffs().join(format!("v{ABI_VERSION}"));
    let mut map = Map::from_map_data(MapData::from_pin(pins.join(table))?)?;
    let flow = Conn {
        protocol: protocol::TCP,
        legs: [leg::SEEN | leg::SYN | leg::ACK; 2],
        last_seen: Tick::at(monotonic_ns()),
        ..Conn::default()
    };
    let numbers = (0..FLOWS).map(u32::to_be_bytes);
    let filled = if v6 {
        let mut map: HashMap<_, ConnKey6, Conn> = HashMap::try_from(&mut map)?;
        let mut key = ConnKey6::default();
        numbers.into_iter().try_for_each(|[a, b, c, d]| {
            key.addr_a[..4].copy_from_slice(&[a, b, c, d]);
            map.insert(key, flow, 0)
        })
    } else {
        let mut map: HashMap<_, ConnKey4, Conn> = HashMap::try_from(&mut map)?;
        let mut key = ConnKey4::default();
        numbers.into_iter().try_for_each(|number| {
            key.addr_a = number;
            map.insert(key, flow, 0)
        })
    };
    filled.with_context(|| format!("put {FLOWS} flows into {table}"))?;
    let weighed = kernel_maps::of(&daemon)?;
    let weighed = weighed.get(table).context("no table of flows")?;
    ensure!(
        weighed.entries >= u64::from(FLOWS),
        "{table} has room for {} flows",
        weighed.entries
    );
    let name = format!("{FLOWS} flows, {family}");
    println!("{name:<44}{:>10.1}", megabytes(weighed.bytes));
    figures.insert(format!("{name}, MB"), megabytes(weighed.bytes));
    Ok(())
}

/// Loads one policy and weighs its tables.
fn weigh(name: &str, policy: Policy, figures: &mut Figures) -> Result<()> {
    let host = fixture::host("memory");
    let daemon = Daemon::start(&host, &policy.resources());
    let maps = kernel_maps::of(&daemon)?;

    let mut tables: Vec<_> = maps.iter().filter(|(_, map)| map.is_table).collect();
    tables.sort_by_key(|(_, map)| std::cmp::Reverse(map.bytes));
    let all: u64 = tables.iter().map(|(_, map)| map.bytes).sum();
    let largest: Vec<String> = tables
        .iter()
        .take(3)
        .map(|(name, map)| format!("{name} {:.1}", megabytes(map.bytes)))
        .collect();
    println!(
        "{name:<44}{:>10.1}   {}",
        megabytes(all),
        largest.join(", ")
    );
    figures.insert(format!("{name}, MB"), megabytes(all));
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "memory stays far below 2^53 bytes"
)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / MEGABYTE
}
