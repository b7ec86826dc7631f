//! The daemon as shipped, in a namespace, with directories of its own.

mod changes;

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    eventually,
    hep::{Output, binary},
    namespace::Namespace,
    policy::{Directory, NODE},
    program::program,
};

/// How long a generation may take to come into force in a debug build on a busy machine, which may itself
/// be emulated. It distinguishes hanging from loading, and claims nothing.
const LOAD_LIMIT: Duration = Duration::from_secs(300);
/// How long the daemon may take to end, on such a machine.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// Where the kernel's BPF file system belongs.
const BPFFS: &str = "/sys/fs/bpf";

/// A running daemon; stopped on drop, and everything of it taken off the host.
#[derive(Debug)]
pub struct Daemon {
    namespace: Namespace,
    directory: Directory,
    scratch: TempDir,
    bpffs: PathBuf,
    options: Vec<String>,
    binary: PathBuf,
    child: Option<Child>,
}

impl Daemon {
    /// Starts it on these resources and waits until they are in force.
    ///
    /// # Panics
    ///
    /// If that does not happen in time; the message holds what the daemon printed.
    #[track_caller]
    #[must_use]
    pub fn start(namespace: &Namespace, resources: &[String]) -> Self {
        Self::start_with(namespace, resources, &[])
    }

    /// Starts it on these resources, with further options of `hep run`, and waits until they are in force.
    ///
    /// # Panics
    ///
    /// If that does not happen in time; the message holds what the daemon printed.
    #[track_caller]
    #[must_use]
    pub fn start_with(namespace: &Namespace, resources: &[String], options: &[&str]) -> Self {
        let mut daemon = Self::prepare(namespace, options);
        daemon.write_all(resources);
        daemon.spawn();
        daemon.wait_for(1);
        daemon
    }

    /// Makes the directories; nothing runs yet.
    ///
    /// # Panics
    ///
    /// If the file system refuses.
    #[must_use]
    pub fn prepare(namespace: &Namespace, options: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        mount_bpffs();
        let scratch = tempfile::Builder::new()
            .prefix("hep-run-")
            .tempdir()
            .expect("make a state directory");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let bpffs = Path::new(BPFFS).join(format!("heptest-{}-{number}", std::process::id()));
        Self {
            namespace: namespace.clone(),
            directory: Directory::new(),
            scratch,
            bpffs,
            options: options.iter().map(ToString::to_string).collect(),
            binary: binary().to_owned(),
            child: None,
        }
    }

    /// The policy directory.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Where its maps and links are pinned.
    #[must_use]
    pub fn bpffs(&self) -> &Path {
        &self.bpffs
    }

    /// Where it runs.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Removes what is pinned, as a reboot does; the state stays.
    ///
    /// # Panics
    ///
    /// If it cannot be removed.
    pub fn unpin(&self) {
        std::fs::remove_dir_all(&self.bpffs).expect("remove what is pinned");
    }

    /// Has the next [`Daemon::spawn`], and commands from now on, run another build.
    pub fn install(&mut self, binary: &Path) {
        self.binary = binary.to_owned();
    }

    /// The process, while it runs.
    #[must_use]
    pub fn process(&self) -> Option<Pid> {
        let id = self.child.as_ref()?.id();
        Some(Pid::from_raw(i32::try_from(id).expect("process ids fit")))
    }

    /// Has everything from now on happen in another namespace.
    pub fn move_to(&mut self, namespace: &Namespace) {
        self.namespace = namespace.clone();
    }

    /// Where it keeps what was decided.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.scratch.path().join("state")
    }

    /// A command on this instance, to be run as the caller likes.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).args(self.instance());
        command
    }

    /// Runs `hep run`.
    ///
    /// # Panics
    ///
    /// If it cannot be run, or runs already.
    pub fn spawn(&mut self) {
        self.spawn_as(&["--node", NODE]);
    }

    /// Runs `hep run` with these options in place of the node's name.
    ///
    /// # Panics
    ///
    /// If it cannot be run, or runs already.
    pub fn spawn_as(&mut self, options: &[&str]) {
        let mut command = Command::new(&self.binary);
        command.args(self.run_arguments()).args(options);
        self.start_process(command);
    }

    /// Runs `hep run` without a node's name, on a host of this name.
    ///
    /// # Panics
    ///
    /// If it cannot be run, or runs already.
    pub fn spawn_called(&mut self, host_name: &str) {
        let mut command = program("unshare");
        command
            .args(["--uts", "sh", "-c", "hostname \"$0\" && exec \"$@\""])
            .arg(host_name)
            .arg(&self.binary)
            .args(self.run_arguments());
        self.start_process(command);
    }

    /// Gives the host of a daemon that [`Daemon::spawn_called`] runs another name.
    ///
    /// # Panics
    ///
    /// If none runs.
    pub fn call(&self, host_name: &str) {
        let process = self.process().expect("it runs");
        let uts = format!("--uts=/proc/{process}/ns/uts");
        let mut command = program("nsenter");
        drop(Output::by(command.args([&uts, "hostname", host_name])).exits(0));
    }

    fn run_arguments(&self) -> Vec<String> {
        let directory = self.directory.path().to_string_lossy().into_owned();
        let mut arguments = vec!["run".to_owned(), "--policy-dir".to_owned(), directory];
        arguments.extend(self.instance());
        arguments.extend(self.options.iter().cloned());
        arguments
    }

    fn start_process(&mut self, mut command: Command) {
        assert!(self.child.is_none(), "the daemon runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("open the log");
        let copy = log.try_clone().expect("share the log");
        command.stdin(Stdio::null()).stdout(log).stderr(copy);
        let child = self.namespace.run(|| command.spawn());
        self.child = Some(child.unwrap_or_else(|e| panic!("run {command:?}: {e}")));
    }

    /// The options that name this instance to every command.
    #[must_use]
    pub fn instance(&self) -> Vec<String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![
            "--bpffs".into(),
            text(&self.bpffs),
            "--socket".into(),
            text(&self.scratch.path().join("hep.sock")),
            "--state-dir".into(),
            text(&self.state_dir()),
        ]
    }

    /// Everything that it printed.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.scratch.path().join("log")
    }

    /// Runs a command on this instance.
    #[must_use]
    pub fn hep(&self, arguments: &[&str]) -> Output {
        self.namespace
            .run(|| Output::by(&mut self.command(arguments)))
    }

    /// `hep status -o json`.
    ///
    /// # Panics
    ///
    /// If the command fails.
    #[track_caller]
    #[must_use]
    pub fn status(&self) -> Value {
        self.hep(&["status", "-o", "json"]).document("status")
    }

    /// The items of `hep show WHAT -o json`.
    ///
    /// # Panics
    ///
    /// If the command fails.
    #[track_caller]
    #[must_use]
    pub fn show(&self, what: &str) -> Value {
        self.hep(&["show", what, "-o", "json"]).items(what)
    }

    /// Number of the generation in force; 0 if there is none.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.status_if_any()["generation"].as_u64().unwrap_or(0)
    }

    fn status_if_any(&self) -> Value {
        let said = self.hep(&["status", "-o", "json"]);
        serde_json::from_str(&said.stdout).unwrap_or_default()
    }

    /// Asks the daemon to stop and waits for its end; enforcement stays.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn stop(&mut self) {
        self.end(Signal::SIGTERM);
    }

    /// Kills the daemon as a crash does.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn crash(&mut self) {
        self.end(Signal::SIGKILL);
    }

    fn end(&mut self, signal: Signal) {
        let process = self.process();
        let (Some(mut child), Some(process)) = (self.child.take(), process) else {
            return;
        };
        if kill(process, signal).is_ok() {
            let ended = eventually(STOP_LIMIT, || {
                child.try_wait().is_ok_and(|status| status.is_some())
            });
            if !ended {
                eprintln!("the daemon ignores {signal}; it printed:\n{}", self.log());
                drop(child.kill());
            }
        }
        match child.wait() {
            // Whoever traced it has waited for it already.
            Err(error) if error.raw_os_error() == Some(Errno::ECHILD as i32) => {}
            ended => drop(ended.expect("wait for the daemon")),
        }
    }

    /// `hep down`.
    #[must_use]
    pub fn down(&self) -> Output {
        self.hep(&["down"])
    }
}

/// The file that holds what [`Daemon::start`] and [`Daemon::replace`] are given.
const ALL: &str = "all.yaml";

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon printed:\n{}", shorten(&self.log()));
            eprintln!("counters: {}", self.hep(&["show", "counters"]).stdout);
        }
        self.end(Signal::SIGTERM);
        let said = self.down();
        if said.code != 0 && self.bpffs.exists() {
            eprintln!("hep down: {said:#?}");
            drop(std::fs::remove_dir_all(&self.bpffs));
        }
    }
}

/// The first and last lines of a long text.
fn shorten(text: &str) -> String {
    const LINES: usize = 30;
    let lines: Vec<_> = text.lines().collect();
    if lines.len() <= 2 * LINES {
        return text.to_owned();
    }
    let (head, tail) = (&lines[..LINES], &lines[lines.len() - LINES..]);
    format!("{}\n[…]\n{}", head.join("\n"), tail.join("\n"))
}

/// Mounts the BPF file system where every distribution has it, once for all tests.
fn mount_bpffs() {
    static MOUNT: Once = Once::new();
    MOUNT.call_once(|| {
        let mounts = std::fs::read_to_string("/proc/mounts").expect("read /proc/mounts");
        if !mounts
            .lines()
            .any(|line| line.split(' ').nth(1) == Some(BPFFS))
        {
            let said = Output::by(program("mount").args(["-t", "bpf", "bpf", BPFFS]));
            assert_eq!(
                said.code, 0,
                "mount the BPF file system (needs root): {said:#?}"
            );
        }
    });
}
