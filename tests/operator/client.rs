//! `hep try` as a process that can be signalled, killed, and given a terminal.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

use hep_tests::{
    daemon::Daemon, eventually, policy::Directory, probe::PATIENCE, program::program,
    topology::Topology,
};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::path;

/// A running `hep try`; killed on drop.
pub(crate) struct Client {
    child: Child,
    scratch: TempDir,
}

impl Client {
    /// Starts it and waits until its policy is in force.
    #[track_caller]
    pub(crate) fn start(
        topology: &Topology,
        daemon: &Daemon,
        directory: &Directory,
        timeout: Duration,
    ) -> Self {
        let client = Self::spawn(topology, |_| command(daemon, directory, timeout));
        client.wait_for_trial(daemon);
        client
    }

    /// Starts it with a terminal and a session of its own, and waits until its policy is in force.
    #[track_caller]
    pub(crate) fn start_on_terminal(
        topology: &Topology,
        daemon: &Daemon,
        directory: &Directory,
        timeout: Duration,
    ) -> Self {
        let client = Self::spawn(topology, |_| {
            let command = command(daemon, directory, timeout);
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            let line: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
            let mut script = program("script");
            script.args(["-q", "-e", "-c", &line.join(" "), "/dev/null"]);
            script
        });
        client.wait_for_trial(daemon);
        client
    }

    fn spawn(topology: &Topology, command: impl FnOnce(&TempDir) -> Command + Send) -> Self {
        let scratch = tempfile::tempdir().expect("make a directory");
        let said = File::create(scratch.path().join("said")).expect("make a file");
        let copy = said.try_clone().expect("share a file");
        let mut command = command(&scratch);
        command
            .env_remove("SSH_CONNECTION")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(said)
            .stderr(copy);
        let child = topology.host.run(|| command.spawn()).expect("run hep try");
        Self { child, scratch }
    }

    #[track_caller]
    fn wait_for_trial(&self, daemon: &Daemon) {
        let begun = eventually(PATIENCE * 4, || {
            daemon.status()["trial"]["generation"].as_u64() > Some(0)
        });
        assert!(begun, "{}\n{}", self.said(), daemon.log());
    }

    /// Its output.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("said")).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it runs");
    }

    /// Kills it with everything in its process group, as the end of a session does.
    pub(crate) fn kill_session(&mut self) {
        killpg(self.pid(), Signal::SIGKILL).expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Types a line.
    pub(crate) fn write(&mut self, text: &str) {
        use std::io::Write as _;
        let stdin = self.child.stdin.as_mut().expect("it is a pipe");
        stdin.write_all(text.as_bytes()).expect("it is read");
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("process ids fit"))
    }

    /// Waits for its end; its exit code.
    #[track_caller]
    pub(crate) fn code(&mut self) -> i32 {
        let mut status = None;
        let ended = eventually(PATIENCE * 6, || {
            status = self.child.try_wait().expect("ask for its status");
            status.is_some()
        });
        assert!(ended, "it goes on: {}", self.said());
        status.and_then(|status| status.code()).unwrap_or(-1)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(daemon: &Daemon, directory: &Directory, timeout: Duration) -> Command {
    let timeout = format!("{}s", timeout.as_secs());
    daemon.command(&[
        "try",
        "--policy-dir",
        &path(directory),
        "--timeout",
        &timeout,
    ])
}

/// Remaining time of the trial, from `hep status`.
pub(crate) fn left(daemon: &Daemon) -> Duration {
    let status = daemon.status();
    let left = status["trial"]["leftMs"].as_u64();
    Duration::from_millis(left.unwrap_or_else(|| panic!("no trial: {status}")))
}
