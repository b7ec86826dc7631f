//! Processes of servers: started, interrupted and ended.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::place::Place;
use crate::{eventually, program::program};

/// How long a server may take to start on a busy machine. It distinguishes hanging from starting.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a server may take to end in order.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Most of a log that a message holds, in bytes from its end.
const MOST_LOG: usize = 4_000;

type Job = Box<dyn FnOnce() + Send>;

/// One server's process, which may be absent; killed on drop.
#[derive(Debug)]
pub(super) struct Process {
    place: Place,
    log: PathBuf,
    child: Option<Child>,
    /// Length of the log when the process was started.
    logged: usize,
}

impl Process {
    /// A process that will run at this place and print into this file.
    pub(super) const fn new(place: Place, log: PathBuf) -> Self {
        Self {
            place,
            log,
            child: None,
            logged: 0,
        }
    }

    /// Runs a command, which the kernel kills as soon as these tests end.
    ///
    /// # Panics
    ///
    /// If it cannot be run, or runs already.
    pub(super) fn start(&mut self, command: &Command) {
        assert!(self.child.is_none(), "{command:?} runs already");
        self.logged = self.log_bytes().len();
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.expect("open the server's log");
        let copy = log.try_clone().expect("share the log");
        let mut bound = program("setpriv");
        bound.args(["--pdeathsig", "KILL", "--"]);
        bound.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            bound.env(key, value.unwrap_or_default());
        }
        bound.stdin(Stdio::null()).stdout(log).stderr(copy);
        let namespace = self.place.namespace().cloned();
        let child = on_lasting_thread(move || {
            let _entered = namespace.as_ref().map(crate::namespace::Namespace::enter);
            bound.spawn()
        });
        self.child = Some(child.unwrap_or_else(|error| panic!("run {command:?}: {error}")));
    }

    /// Waits until the process prints a text that says it serves.
    ///
    /// # Panics
    ///
    /// If it ends before, or takes too long.
    #[track_caller]
    pub(super) fn wait_for(&mut self, text: &str) {
        let logged = self.logged;
        self.wait_until(|process| {
            let log = process.log_bytes();
            String::from_utf8_lossy(log.get(logged..).unwrap_or_default()).contains(text)
        });
    }

    /// Waits until a condition holds.
    ///
    /// # Panics
    ///
    /// If the process ends before, or it takes too long.
    #[track_caller]
    pub(super) fn wait_until(&mut self, mut condition: impl FnMut(&Self) -> bool) {
        let done = eventually(START_LIMIT, || !self.is_running() || condition(self));
        assert!(
            done && self.is_running(),
            "it does not serve:\n{}",
            self.log()
        );
    }

    /// Whether it runs, paused or not.
    pub(super) fn is_running(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Ends it in order.
    pub(super) fn stop(&mut self) {
        self.signal(Signal::SIGCONT);
        self.signal(Signal::SIGTERM);
        eventually(STOP_LIMIT, || !self.is_running());
        self.kill();
    }

    /// Ends it at once, without a chance to write anything.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Halts it: its sockets stay open and silent.
    pub(super) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Has it continue.
    pub(super) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            let id = i32::try_from(child.id()).expect("process ids fit");
            if let Err(errno) = kill(Pid::from_raw(id), signal) {
                // It may have ended by itself.
                assert_eq!(errno, Errno::ESRCH, "{signal} to a server");
            }
        }
    }

    /// The end of what it printed.
    pub(super) fn log(&self) -> String {
        let log = self.log_bytes();
        let begin = log.len().saturating_sub(MOST_LOG);
        String::from_utf8_lossy(log.get(begin..).unwrap_or_default()).into_owned()
    }

    fn log_bytes(&self) -> Vec<u8> {
        fs::read(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs `work` on a thread that lasts as long as this process. The kernel ends children with the thread that
/// started them, and a test's thread ends before a server that several tests share.
fn on_lasting_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    static JOBS: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::spawn(move || jobs.into_iter().for_each(|job| job()));
        Mutex::new(sender)
    });
    let (sender, answer) = mpsc::channel();
    let job: Job = Box::new(move || drop(sender.send(work())));
    let sent = jobs
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send(job);
    assert!(sent.is_ok(), "the lasting thread has ended");
    answer.recv().expect("the work ends")
}
