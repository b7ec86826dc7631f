//! Log and memory of a daemon's process.

use std::fs;

use anyhow::{Context as _, Result};
use hep_tests::daemon::Daemon;

/// Memory of a process, a number or `self`, in MB: `VmRSS` as it is, `VmHWM` at most until now.
pub(crate) fn megabytes(process: &str, field: &str) -> Result<f64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let kilobytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok())
        .with_context(|| format!("no {field} in {path}"))?;
    Ok(kilobytes * 1.024e-3)
}

/// Memory of a running daemon in MB: `VmRSS` as it is, `VmHWM` at most until now.
pub(crate) fn daemon_megabytes(daemon: &Daemon, field: &str) -> Result<f64> {
    let process = daemon.process().context("the daemon runs")?;
    megabytes(&process.to_string(), field)
}

/// The phases of the daemon's last load and what each took, milliseconds, as it printed them.
pub(crate) fn phases(daemon: &Daemon) -> Result<Vec<(String, f64)>> {
    let log = daemon.log();
    let line = log.lines().rfind(|line| line.contains(" in force: "));
    line.and_then(|line| {
        let phase = |text: &str| {
            let (name, time) = text.trim().split_once(' ')?;
            Some((name.to_owned(), time.strip_suffix(" ms")?.parse().ok()?))
        };
        line.rsplit_once("; ")?.1.split(',').map(phase).collect()
    })
    .context("the daemon does not say how long its load took")
}
