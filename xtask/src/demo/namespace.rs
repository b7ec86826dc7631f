//! The demo's network: three namespaces, two cables, addresses and routes.
//!
//! ```text
//! client eth0 ──── eth0 host eth1 ──── eth0 router
//! ```
//!
//! The host routes between the two. The client has several addresses, to be several people.

use std::{fs, fs::File, path::Path, process::Command, thread};

use anyhow::{Context, Result, anyhow, bail};
use rustix::{
    fd::AsFd,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::command;

/// The policed host.
pub(crate) const HOST: &str = "hep-demo-host";
/// Everybody out there.
pub(crate) const CLIENT: &str = "hep-demo-client";
/// The network behind the host.
pub(crate) const ROUTER: &str = "hep-demo-router";
/// All of them.
const ALL: [&str; 3] = [HOST, CLIENT, ROUTER];

/// Arguments of `ip`, one command per line.
const LAYOUT: &str = "
    link add name eth0 netns hep-demo-host type veth peer name eth0 netns hep-demo-client
    link add name eth1 netns hep-demo-host type veth peer name eth0 netns hep-demo-router
    -n hep-demo-host addr add 192.0.2.10/24 dev eth0
    -n hep-demo-host addr add 2001:db8::10/64 dev eth0 nodad
    -n hep-demo-host addr add 10.20.0.1/24 dev eth1
    -n hep-demo-host addr add 2001:db8:20::1/64 dev eth1 nodad
    -n hep-demo-client addr add 192.0.2.77/24 dev eth0
    -n hep-demo-client addr add 198.51.100.5/32 dev eth0
    -n hep-demo-client addr add 198.51.100.9/32 dev eth0
    -n hep-demo-client addr add 198.51.100.53/32 dev eth0
    -n hep-demo-client addr add 203.0.113.66/32 dev eth0
    -n hep-demo-client addr add 2001:db8::77/64 dev eth0 nodad
    -n hep-demo-client addr add 2001:db8:100::5/128 dev eth0 nodad
    -n hep-demo-client addr add 2001:db8:100::9/128 dev eth0 nodad
    -n hep-demo-client addr add 2001:db8:100::53/128 dev eth0 nodad
    -n hep-demo-client addr add 2001:db8:bad::66/128 dev eth0 nodad
    -n hep-demo-router addr add 10.20.0.2/24 dev eth0
    -n hep-demo-router addr add 2001:db8:20::2/64 dev eth0 nodad
    -n hep-demo-host link set lo up
    -n hep-demo-host link set eth0 up
    -n hep-demo-host link set eth1 up
    -n hep-demo-client link set lo up
    -n hep-demo-client link set eth0 up
    -n hep-demo-router link set lo up
    -n hep-demo-router link set eth0 up
    -n hep-demo-host route add default via 192.0.2.77
    -n hep-demo-host -6 route add default via 2001:db8::77
    -n hep-demo-client route add 10.20.0.0/24 via 192.0.2.10
    -n hep-demo-client -6 route add 2001:db8:20::/64 via 2001:db8::10
    -n hep-demo-router route add default via 10.20.0.1
    -n hep-demo-router -6 route add default via 2001:db8:20::1
";

/// Makes the namespaces and everything in them.
///
/// # Errors
///
/// If `ip` refuses a step.
pub(crate) fn create() -> Result<()> {
    for name in ALL {
        ip(&["netns", "add", name])?;
        // Before any interface is there, so that it holds for all of them.
        inside(name, || {
            // Nobody else is on these links: the addresses need no detection of duplicates.
            set("ipv6/conf/default/accept_dad", "0")?;
            set("ipv6/conf/default/dad_transmits", "0")?;
            if name == HOST {
                set("ipv4/conf/all/forwarding", "1")?;
                set("ipv6/conf/all/forwarding", "1")?;
            }
            Ok(())
        })?;
    }
    for line in LAYOUT.lines().filter(|line| !line.trim().is_empty()) {
        ip(&line.split_whitespace().collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Removes the namespaces that are there, and with them everything in them.
pub(crate) fn remove() {
    for name in remaining() {
        if let Err(problem) = ip(&["netns", "delete", name]) {
            eprintln!("xtask: {problem:#}");
        }
    }
}

/// The demo's namespaces that exist.
pub(crate) fn remaining() -> Vec<&'static str> {
    ALL.into_iter().filter(|name| path(name).exists()).collect()
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new("/run/netns").join(name)
}

/// Runs a function on a thread of its own inside a namespace. What it makes there stays there:
/// sockets, and processes.
///
/// # Errors
///
/// If the namespace cannot be entered, or what the function returns.
pub(crate) fn inside<T: Send>(name: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let namespace = File::open(path(name)).with_context(|| format!("open namespace {name}"))?;
    let enter_and_work = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .with_context(|| format!("enter namespace {name}"))?;
        work()
    };
    thread::scope(|scope| scope.spawn(enter_and_work).join())
        .map_err(|_panic| anyhow!("a thread in namespace {name} panicked"))?
}

/// Sets a network parameter of the namespace that the thread is in.
fn set(parameter: &str, value: &str) -> Result<()> {
    let path = Path::new("/proc/sys/net").join(parameter);
    fs::write(&path, value).with_context(|| format!("write {}", path.display()))
}

fn ip(arguments: &[&str]) -> Result<()> {
    let mut ip: Command = command::program("ip");
    let output = ip.args(arguments).output().context("run `ip`")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}`: {}", command::display(&ip), said.trim());
    }
    Ok(())
}
