//! What the kernel keeps for hep, by its own numbers.

use anyhow::{Context as _, Result};
use hep_tests::daemon::Daemon;

use crate::{
    bed,
    expectation::Figures,
    interrupt, kernel_maps,
    live::{Accepted, Policy, Way},
};

/// Bytes in a megabyte.
const MEGABYTE: f64 = 1e6;

/// Loads policies, prints what their tables and the tables of flows take, and adds it to `figures`.
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
                v6,
                way: Way::In,
                tracked: true,
            };
            let family = if v6 { "IPv6" } else { "IPv4" };
            weigh(&format!("{name}, {family}"), policy, figures)?;
        }
    }
    Ok(())
}

/// Loads one policy and weighs its tables, and those of flows.
fn weigh(name: &str, policy: Policy, figures: &mut Figures) -> Result<()> {
    let host = bed::host("memory");
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

    let (table, family) = if policy.v6 {
        ("ASSURED_TCP6", "IPv6")
    } else {
        ("ASSURED_TCP4", "IPv4")
    };
    let flows = maps.get(table).context("no table of flows")?;
    let name = format!("{} flows, {family}", flows.entries);
    if figures
        .insert(format!("{name}, MB"), megabytes(flows.bytes))
        .is_none()
    {
        println!("{name:<44}{:>10.1}", megabytes(flows.bytes));
    }
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "memory stays far below 2^53 bytes"
)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / MEGABYTE
}
