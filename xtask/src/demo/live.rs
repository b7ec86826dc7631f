//! Changes during traffic: their effect on new connections and an established one.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{
    compare,
    firewall::Firewall,
    happened, interruption,
    namespace::{self, CLIENT},
    probe::{self, Probe},
    probes,
};

/// How often a new connection is tried, and how long one may take.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long a change may take to be noticed.
const PATIENCE: Duration = Duration::from_secs(5);
/// A policy file that denies everything before any other policy applies.
const DENY_ALL: &str = "\
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
  name: security.deny-all
spec:
  tier: security
  order: -1000
  applyOnForward: true
  types: [Ingress, Egress]
  ingress:
    - action: Deny
  egress:
    - action: Deny
";

/// Closes the web server's port in its policy, and opens it again, while connections are made to it and an
/// established one is in use. Returns the number of changes without the expected effect.
///
/// # Errors
///
/// If a file cannot be written or a connection not be tried.
pub(crate) fn change(firewall: &Firewall) -> Result<usize> {
    const FILE: &str = "web.yaml";
    let text = firewall.read_policy(FILE)?;
    let closed = text.replacen("ports: [http, https]", "ports: [https]", 1);
    if closed == text {
        bail!("{FILE} does not open the port `http`");
    }
    let established = Established::open(&probes::WEB_V4)?;
    let mut surprises = 0;

    let changed = firewall.write_policy(FILE, &closed)?;
    println!("{FILE}: `http` is taken out of the allowed ports");
    surprises += report_both("new connections get no answer", false, changed)?;
    let stopped = established.stopped(changed)?;
    surprises += report("the established connection stands still", stopped);

    let changed = firewall.write_policy(FILE, &text)?;
    println!("{FILE}: as it was");
    surprises += report_both("new connections are answered", true, changed)?;

    firewall.write_policy(FILE, &text.replacen("Allow", "Alow", 1))?;
    println!("{FILE}: with a mistake in it");
    thread::sleep(Duration::from_secs(1));
    firewall.show(&["status"])?;
    surprises += expect(&probes::WEB_V4, true)?;
    firewall.write_policy(FILE, &text)?;
    Ok(surprises)
}

/// Denies everything, and shows that the failsafe still lets an administrator in.
///
/// # Errors
///
/// If a file cannot be written or a connection not be tried.
pub(crate) fn deny_all(firewall: &Firewall) -> Result<usize> {
    const FILE: &str = "mistake.yaml";
    let changed = firewall.write_policy(FILE, DENY_ALL)?;
    println!("{FILE}: denies everything");
    let mut surprises = report_both("the web server is gone", false, changed)?;
    println!();
    let probes = [
        probes::WEB_V4,
        probes::WEB_V6,
        probes::SSH_V4,
        probes::SSH_V6,
    ];
    surprises += compare(firewall, &probes)?;
    for probe in [probes::SSH_V4, probes::SSH_V6] {
        surprises += usize::from(!firewall.explain(&probe)?.allows);
    }
    println!();
    let changed = firewall.remove_policy(FILE)?;
    println!("{FILE}: removed");
    surprises += report_both("the web server is back", true, changed)?;
    Ok(surprises)
}

/// Prints one probe's outcome; 1 if it is not the expected one.
fn expect(probe: &Probe, answered: bool) -> Result<usize> {
    let outcome = probe.is_answered()?;
    println!("{probe}: {}", happened(outcome));
    Ok(usize::from(outcome != answered))
}

/// Prints how long something took to be noticed; 1 if it was not.
fn report(what: &str, taken: Option<Duration>) -> usize {
    match taken {
        Some(taken) => println!("  {:>4} ms  {what}", taken.as_millis()),
        None => println!("  NOT in {PATIENCE:?}: {what}"),
    }
    usize::from(taken.is_none())
}

/// [`report`] of what new connections to the web server notice, over both families at once.
fn report_both(what: &str, answered: bool, changed: Instant) -> Result<usize> {
    let families = [("IPv4", probes::WEB_V4), ("IPv6", probes::WEB_V6)];
    let noticed = thread::scope(|scope| {
        families
            .map(|(_name, probe)| scope.spawn(move || noticed(&probe, answered, changed)))
            .map(|thread| match thread.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            })
    });
    let mut surprises = 0;
    for ((name, _probe), taken) in families.into_iter().zip(noticed) {
        surprises += report(&format!("{what} ({name})"), taken?);
    }
    Ok(surprises)
}

/// Tries new connections until one begins that is answered, or is not, as wanted; the time from the
/// change to its beginning.
fn noticed(probe: &Probe, answered: bool, changed: Instant) -> Result<Option<Duration>> {
    let service = probe.service().context("a probe without a port")?;
    while changed.elapsed() < PATIENCE {
        interruption()?;
        let begun = Instant::now();
        let outcome = namespace::inside(probe.from, || {
            probe::connect(probe.source, service, 5 * INTERVAL)
        })?;
        if outcome.is_some() == answered {
            return Ok(Some(begun.duration_since(changed)));
        }
        thread::sleep(INTERVAL);
    }
    Ok(None)
}

/// A connection that sends and receives all the time, and ends when this is dropped.
struct Established {
    stop: Arc<AtomicBool>,
    /// Yields the moment of the first request without an answer.
    worker: Option<thread::JoinHandle<Option<Instant>>>,
}

impl Established {
    fn open(probe: &Probe) -> Result<Self> {
        let service: SocketAddr = probe.service().context("a probe without a port")?;
        let mut connection = namespace::inside(CLIENT, || {
            probe::connect(probe.source, service, probe::PATIENCE)
        })?
        .with_context(|| format!("{probe}: no connection to begin with"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let should_stop = Arc::clone(&stop);
        let worker = thread::spawn(move || {
            while !should_stop.load(Ordering::Relaxed) {
                let asked = Instant::now();
                if !probe::is_echoed(&mut connection) {
                    return Some(asked);
                }
                thread::sleep(INTERVAL);
            }
            None
        });
        Ok(Self {
            stop,
            worker: Some(worker),
        })
    }

    /// The time from the change to the first request without an answer.
    fn stopped(mut self, changed: Instant) -> Result<Option<Duration>> {
        let Some(worker) = self.worker.take() else {
            return Ok(None);
        };
        while !worker.is_finished() && changed.elapsed() < PATIENCE {
            interruption()?;
            thread::sleep(INTERVAL);
        }
        self.stop.store(true, Ordering::Relaxed);
        let moment = worker.join().ok().flatten();
        Ok(moment.map(|moment| moment.saturating_duration_since(changed)))
    }
}

impl Drop for Established {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            // Its outcome is of no interest any more.
            drop(worker.join());
        }
    }
}
