//! The shipped binary, run as an operator would run it.

use std::{
    ffi::OsString,
    fs,
    fs::File,
    io::ErrorKind,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{
    namespace::{self, HOST},
    probe::{Hook, Probe},
};
use crate::command;

/// The demo's own place for everything that is not a namespace.
const DIRECTORY: &str = "/run/hep-demo";
/// Where the instance pins its maps and links.
const BPFFS: &str = "/sys/fs/bpf/hep-demo";
/// The node whose HostEndpoints the examples describe.
const NODE: &str = "web-1";
/// How long the daemon may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// The source port that is explained; no rule of the examples looks at it.
const SOURCE_PORT: u16 = 40000;

/// An instance of hep, with its directories.
pub(crate) struct Firewall {
    binary: PathBuf,
    daemon: Option<Child>,
}

/// Expected verdict of the policy on a probe.
pub(crate) struct Opinion {
    pub(crate) allows: bool,
    /// The rule and its place, or the default that applied.
    pub(crate) because: String,
}

impl Firewall {
    /// Makes the directories and copies the example policies.
    ///
    /// # Errors
    ///
    /// If a directory cannot be made or an example not be copied.
    pub(crate) fn prepare(binary: PathBuf, examples: &Path) -> Result<Self> {
        let firewall = Self {
            binary,
            daemon: None,
        };
        let policies = firewall.policy_directory();
        fs::create_dir_all(&policies).with_context(|| format!("make {}", policies.display()))?;
        for entry in
            fs::read_dir(examples).with_context(|| format!("read {}", examples.display()))?
        {
            let path = entry?.path();
            if let Some(name) = path
                .file_name()
                .filter(|_| path.extension() == Some("yaml".as_ref()))
            {
                fs::copy(&path, policies.join(name))
                    .with_context(|| format!("copy {}", path.display()))?;
            }
        }
        Ok(firewall)
    }

    /// Where the policies are.
    pub(crate) fn policy_directory(&self) -> PathBuf {
        Path::new(DIRECTORY).join("policy")
    }

    /// Puts a policy file in place, as a whole, as an editor does. The moment is returned.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn write_policy(&self, name: &str, text: &str) -> Result<Instant> {
        let path = self.policy_directory().join(name);
        let draft = path.with_file_name(format!(".{name}.draft"));
        fs::write(&draft, text).with_context(|| format!("write {}", draft.display()))?;
        fs::rename(&draft, &path).with_context(|| format!("write {}", path.display()))?;
        Ok(Instant::now())
    }

    /// Reads a policy file.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn read_policy(&self, name: &str) -> Result<String> {
        let path = self.policy_directory().join(name);
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    }

    /// Removes a policy file.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub(crate) fn remove_policy(&self, name: &str) -> Result<Instant> {
        let path = self.policy_directory().join(name);
        fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        Ok(Instant::now())
    }

    /// Starts the daemon in the host's namespace and waits until it reports that it is ready.
    ///
    /// # Errors
    ///
    /// If it does not start, or is not ready in time; its log is printed then.
    pub(crate) fn start(&mut self) -> Result<Duration> {
        let notify = Path::new(DIRECTORY).join("notify.sock");
        let ready = UnixDatagram::bind(&notify).context("listen for the daemon's readiness")?;
        ready.set_read_timeout(Some(Duration::from_millis(100)))?;
        let log = File::create(log_file()).context("make the daemon's log file")?;
        let mut command = Command::new(&self.binary);
        command
            .arg("run")
            .arg("--policy-dir")
            .arg(self.policy_directory())
            .args(["--node", NODE])
            .args(instance())
            .env("NOTIFY_SOCKET", &notify)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let begun = Instant::now();
        let text = command::display(&command);
        println!("$ ip netns exec {HOST} {text}");
        let daemon = namespace::inside(HOST, || {
            command.spawn().with_context(|| format!("run `{text}`"))
        })?;
        let daemon = self.daemon.insert(daemon);
        while begun.elapsed() < PATIENCE {
            super::interruption()?;
            if let Some(status) = daemon.try_wait()? {
                bail!("the daemon ended with {status}:\n{}", log_text());
            }
            let mut message = [0; 512];
            match ready.recv(&mut message) {
                Ok(length) => {
                    let message = String::from_utf8_lossy(&message[..length]);
                    if message.lines().any(|line| line == "READY=1") {
                        return Ok(begun.elapsed());
                    }
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(anyhow!(error).context("wait for the daemon")),
            }
        }
        bail!(
            "the daemon is not ready after {PATIENCE:?}:\n{}",
            log_text()
        );
    }

    /// Asks `hep explain` about every hook that the probe passes; the first that denies it counts,
    /// or else the last.
    ///
    /// # Errors
    ///
    /// If `hep explain` fails.
    pub(crate) fn explain(&self, probe: &Probe) -> Result<Opinion> {
        let mut opinion = None;
        for hook in probe.hooks {
            let found = self.explain_at(probe, hook)?;
            let denies = !found.allows;
            opinion = Some(found);
            if denies {
                break;
            }
        }
        opinion.with_context(|| format!("{probe} passes no hook"))
    }

    fn explain_at(&self, probe: &Probe, hook: &Hook) -> Result<Opinion> {
        let mut command = Command::new(&self.binary);
        command
            .args(["explain", "--output", "json", "--policy-dir"])
            .arg(self.policy_directory())
            .args(["--node", NODE, "--interface", hook.interface])
            .args([
                "--direction",
                hook.direction,
                "--protocol",
                probe.protocol(),
            ]);
        match probe.service() {
            Some(service) => {
                let source = std::net::SocketAddr::new(probe.source, SOURCE_PORT);
                command.arg("--src").arg(source.to_string());
                command.arg("--dst").arg(service.to_string());
            }
            None => {
                command.arg("--src").arg(probe.source.to_string());
                command.arg("--dst").arg(probe.destination.to_string());
            }
        }
        if probe.is_forwarded() {
            command.arg("--forwarded");
        }
        let output = run_inside(&mut command)?;
        let said: Value = serde_json::from_slice(&output.stdout).with_context(|| {
            let complaint = String::from_utf8_lossy(&output.stderr);
            format!("`{}` said no JSON: {complaint}", command::display(&command))
        })?;
        Ok(Opinion {
            allows: said["verdict"] == "allow",
            because: because(&said),
        })
    }

    /// Runs a subcommand in the host's namespace, in plain sight.
    ///
    /// # Errors
    ///
    /// If it cannot be run.
    pub(crate) fn show(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.binary);
        command.args(arguments).args(instance());
        println!("$ hep {}", arguments.join(" "));
        let output = run_inside(&mut command)?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Ends the daemon, which leaves the policy in force.
    fn stop(&mut self) {
        let Some(mut daemon) = self.daemon.take() else {
            return;
        };
        let process = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw);
        // It may have ended already.
        process.map(|process| kill_process(process, Signal::TERM).ok());
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if !matches!(daemon.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        eprintln!("xtask: the daemon did not end in {PATIENCE:?} and is killed");
        drop(daemon.kill());
        drop(daemon.wait());
    }
}

impl Drop for Firewall {
    fn drop(&mut self) {
        self.stop();
        if namespace::remaining().contains(&HOST) {
            let mut down = Command::new(&self.binary);
            down.arg("down").args(instance());
            match run_inside(&mut down) {
                Ok(output) if output.status.success() => {}
                Ok(output) => {
                    eprint!(
                        "xtask: hep down: {}",
                        String::from_utf8_lossy(&output.stderr)
                    );
                }
                Err(problem) => eprintln!("xtask: {problem:#}"),
            }
        }
        remove_directory();
    }
}

/// Removes the demo's directory, if it is there.
pub(crate) fn remove_directory() {
    match fs::remove_dir_all(DIRECTORY) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            eprintln!("xtask: remove {DIRECTORY}: {error}");
        }
        _ => {}
    }
}

/// Files and directories of the demo that still exist.
pub(crate) fn remaining() -> Vec<String> {
    [DIRECTORY, BPFFS]
        .into_iter()
        .filter(|path| Path::new(path).exists())
        .map(str::to_owned)
        .chain(
            namespace::remaining()
                .into_iter()
                .map(|name| format!("namespace {name}")),
        )
        .collect()
}

/// The daemon's log.
pub(crate) fn log_text() -> String {
    fs::read_to_string(log_file()).unwrap_or_default()
}

fn log_file() -> PathBuf {
    Path::new(DIRECTORY).join("hep.log")
}

/// The options that name the instance.
fn instance() -> Vec<OsString> {
    let within = |name: &str| Path::new(DIRECTORY).join(name).into_os_string();
    vec![
        "--bpffs".into(),
        BPFFS.into(),
        "--socket".into(),
        within("hep.sock"),
        "--state-dir".into(),
        within("state"),
    ]
}

fn run_inside(command: &mut Command) -> Result<Output> {
    let text = command::display(command);
    namespace::inside(HOST, || {
        command.output().with_context(|| format!("run `{text}`"))
    })
}

/// The rule that decided, with its place, or the default that applied without one.
fn because(said: &Value) -> String {
    let text = |field: &str| said[field].as_str().unwrap_or_default();
    let file = Path::new(text("file"))
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    match said["line"].as_u64() {
        Some(line) if line > 0 => {
            let (_kind, policy) = text("policy").split_once('/').unwrap_or_default();
            format!("{policy} {} ({file}:{line})", text("rule"))
        }
        // What stands behind the colon explains it at length.
        _ => match text("default").split(':').next() {
            Some(default) if !default.is_empty() => default.to_owned(),
            _ => text("reason").to_owned(),
        },
    }
}
