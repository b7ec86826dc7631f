//! Who is compared, and how each is put in the way.

use std::{io::Write as _, path::Path, process::Stdio};

use anyhow::{Context as _, Result, bail};
use aya::programs::{TcAttachType, tc::SchedClassifierLink};
use hep_tests::{daemon::Daemon, program::program};

use super::{nftables::Form, policy::Policy, testbed::Testbed};
use crate::{fixture::Yardsticks, policy::INTERFACE};

/// The filter that packets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// No one: what a packet costs anyway.
    Nobody,
    Hep,
    /// Another build of hep.
    HepOther,
    /// hep with 10 000 rules, each for a port of its own and any source.
    HepFriendly,
    /// hep with the last ten of those.
    HepFriendlyTen,
    /// nftables, one rule after the other.
    NftLinear,
    /// nftables, what is accepted in one interval set.
    NftSet,
    /// nftables, a chain for each port, found by a verdict map.
    NftMap,
    /// iptables, one rule after the other.
    Iptables,
    /// iptables with what is accepted in a set.
    Ipset,
    /// A TC program that drops everything.
    TcDrop,
}

impl Contender {
    /// For tables and figures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nothing",
            Self::Hep => "hep",
            Self::HepOther => "hep, other build",
            Self::HepFriendly => "hep with all of them",
            Self::HepFriendlyTen => "hep with 10 of them",
            Self::NftLinear => "nftables",
            Self::NftSet => "nftables set",
            Self::NftMap => "nftables map",
            Self::Iptables => "iptables",
            Self::Ipset => "iptables + ipset",
            Self::TcDrop => "TC program that drops",
        }
    }
}

/// Parts of a contender to keep while it filters; the rest goes with the namespace.
#[derive(Default)]
pub(super) struct Held {
    _daemon: Option<Daemon>,
    _link: Option<SchedClassifierLink>,
}

impl Held {
    /// A daemon in the host, with its policy in force.
    fn daemon(testbed: &Testbed, resources: &[String]) -> Self {
        Self::installed(None, testbed, resources)
    }

    /// A daemon in the host, with its policy in force, from this binary if there is one.
    fn installed(binary: Option<&Path>, testbed: &Testbed, resources: &[String]) -> Self {
        let mut daemon = Daemon::prepare(testbed.host(), &[]);
        if let Some(binary) = binary {
            daemon.install(binary);
        }
        daemon.write_all(resources);
        daemon.spawn();
        daemon.wait_for(1);
        Self {
            _daemon: Some(daemon),
            ..Self::default()
        }
    }
}

/// Installs a contender on a testbed, with this policy; `other` is the binary of [`Contender::HepOther`].
///
/// # Errors
///
/// If the kernel or a tool refuses, with its message: a missing module, for example.
pub(super) fn install(
    contender: Contender,
    policy: Policy,
    testbed: &Testbed,
    other: Option<&Path>,
    yardsticks: &mut Yardsticks,
) -> Result<Held> {
    match contender {
        Contender::Nobody => {}
        Contender::Hep => return Ok(Held::daemon(testbed, &policy.resources())),
        Contender::HepOther => return Ok(Held::installed(other, testbed, &policy.resources())),
        Contender::HepFriendly => return Ok(Held::daemon(testbed, &policy.friendly(10_000))),
        Contender::HepFriendlyTen => return Ok(Held::daemon(testbed, &policy.friendly(10))),
        Contender::NftLinear => feed_nft(testbed, &policy.nftables(Form::Rules))?,
        Contender::NftSet => feed_nft(testbed, &policy.nftables(Form::Set))?,
        Contender::NftMap => feed_nft(testbed, &policy.nftables(Form::Map))?,
        Contender::Iptables | Contender::Ipset => {
            let (rules, members) = policy.iptables(contender == Contender::Ipset);
            if let Some(members) = members {
                feed(testbed, "ipset", &["restore"], &members)?;
            }
            let restore = if policy.v6 {
                "ip6tables-legacy-restore"
            } else {
                "iptables-legacy-restore"
            };
            feed(testbed, restore, &[], &rules)?;
        }
        Contender::TcDrop => {
            let program = yardsticks.program_mut("base_drop")?;
            let _entered = testbed.host().enter();
            let link = program.attach(INTERFACE, TcAttachType::Ingress)?;
            return Ok(Held {
                _link: Some(program.take_link(link)?),
                ..Held::default()
            });
        }
    }
    Ok(Held::default())
}

/// Loads a table of nftables.
fn feed_nft(testbed: &Testbed, table: &str) -> Result<()> {
    feed(testbed, "nft", &["-f", "-"], table)
}

/// Runs a tool in the host with this input.
fn feed(testbed: &Testbed, tool: &str, arguments: &[&str], input: &str) -> Result<()> {
    let output = testbed.host().run(|| {
        let mut child = program(tool)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("run {tool}"))?;
        let mut pipe = child.stdin.take().context("a pipe to the tool")?;
        // A tool that gives up early says why; the broken pipe says nothing more.
        drop(pipe.write_all(input.as_bytes()));
        drop(pipe);
        anyhow::Ok(child.wait_with_output()?)
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{tool}: {}",
            said.lines().next().unwrap_or("it failed").trim()
        );
    }
    Ok(())
}
