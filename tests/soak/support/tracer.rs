//! Makes system calls of another process fail, as the kernel would.
//!
//! The traced process is the firewall as shipped, which has no hooks for this.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    libc,
    sys::{
        ptrace::{self, Options},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::traffic::StopOnDrop;

/// Names of the commands of bpf(2), by number, as far as they occur.
const COMMANDS: [(u64, &str); 19] = [
    (0, "MAP_CREATE"),
    (1, "MAP_LOOKUP_ELEM"),
    (2, "MAP_UPDATE_ELEM"),
    (3, "MAP_DELETE_ELEM"),
    (4, "MAP_GET_NEXT_KEY"),
    (5, "PROG_LOAD"),
    (6, "OBJ_PIN"),
    (7, "OBJ_GET"),
    (15, "OBJ_GET_INFO_BY_FD"),
    (16, "PROG_QUERY"),
    (18, "BTF_LOAD"),
    (19, "BTF_GET_FD_BY_ID"),
    (22, "MAP_FREEZE"),
    (24, "MAP_LOOKUP_BATCH"),
    (26, "MAP_UPDATE_BATCH"),
    (28, "LINK_CREATE"),
    (29, "LINK_UPDATE"),
    (34, "LINK_DETACH"),
    (35, "PROG_BIND_MAP"),
];

/// Which system calls are counted, and may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Every bpf(2), and every mmap(2) of a map.
    All,
    /// Those that make, replace, pin and look at links.
    Links,
}

/// The system call to fail, and the one that did.
pub(crate) struct Fault {
    calls: Calls,
    /// Number of calls that succeed before one fails; `u64::MAX` while none should fail.
    left: AtomicU64,
    failed: Mutex<Vec<String>>,
}

impl Fault {
    pub(crate) const fn new(calls: Calls) -> Self {
        Self {
            calls,
            left: AtomicU64::new(u64::MAX),
            failed: Mutex::new(Vec::new()),
        }
    }

    /// Has the next call but `after` fail.
    pub(crate) fn arm(&self, after: u64) {
        self.left.store(after, Ordering::SeqCst);
    }

    /// Lets all calls succeed again; returns whether one failed since [`Fault::arm`].
    pub(crate) fn disarm(&self) -> bool {
        self.left.swap(u64::MAX, Ordering::SeqCst) == u64::MAX
    }

    /// Whether the chosen call has failed.
    pub(crate) fn has_struck(&self) -> bool {
        self.left.load(Ordering::SeqCst) == u64::MAX
    }

    /// How many calls failed, by name.
    pub(crate) fn failed(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for name in self.failed.lock().expect("nobody panicked").iter() {
            *counts.entry(name.clone()).or_default() += 1;
        }
        counts
    }

    /// Traces `process` while `work` runs.
    pub(crate) fn during<T>(&self, process: Pid, work: impl FnOnce() -> T) -> T {
        let stop = AtomicBool::new(false);
        let (ready, is_ready) = mpsc::channel();
        thread::scope(|scope| {
            // A tracer is a thread, not a process.
            let tracing = scope.spawn(|| {
                let mut tracer = Tracer::seize(process, self);
                ready.send(()).expect("somebody waits");
                tracer.trace(&stop);
            });
            let end = StopOnDrop(&stop);
            is_ready.recv().expect("the tracer does not panic");
            let result = work();
            drop(end);
            tracing.join().expect("the tracer does not panic");
            result
        })
    }

    /// Counts a call of a thread; returns whether it should fail.
    fn meets(&self, thread: Pid, number: u64, command: u64, fd: u64) -> bool {
        const BPF: u64 = libc::SYS_bpf as u64;
        const MMAP: u64 = libc::SYS_mmap as u64;
        let name = match number {
            BPF => COMMANDS
                .iter()
                .find(|(known, _)| *known == command)
                .map_or_else(|| command.to_string(), |(_, name)| (*name).to_owned()),
            MMAP if is_map(thread, fd) => "mmap".to_owned(),
            _ => return false,
        };
        let is_of_links = ["LINK_", "OBJ_PIN", "OBJ_GET", "PROG_QUERY"]
            .iter()
            .any(|begin| name.starts_with(begin));
        if self.calls == Calls::Links && !is_of_links {
            return false;
        }
        let counted =
            self.left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| match left {
                    u64::MAX => None,
                    0 => Some(u64::MAX),
                    left => Some(left - 1),
                });
        if counted != Ok(0) {
            return false;
        }
        self.failed.lock().expect("nobody panicked").push(name);
        true
    }
}

/// Whether a file descriptor of a thread is that of a map, and not that of a library or of none.
fn is_map(thread: Pid, fd: u64) -> bool {
    let fd = fd & u64::from(u32::MAX);
    fs::read_link(format!("/proc/{thread}/fd/{fd}"))
        .is_ok_and(|target| target.as_os_str() == "anon_inode:bpf-map")
}

struct Tracer<'a> {
    fault: &'a Fault,
    threads: BTreeSet<Pid>,
    /// Threads in a call that should fail.
    failing: BTreeSet<Pid>,
}

impl<'a> Tracer<'a> {
    fn seize(process: Pid, fault: &'a Fault) -> Self {
        let mut tracer = Self {
            fault,
            threads: BTreeSet::new(),
            failing: BTreeSet::new(),
        };
        // Threads that start meanwhile are found in the next round, or by those that start them.
        loop {
            let found: Vec<Pid> = fs::read_dir(format!("/proc/{process}/task"))
                .map(|entries| {
                    entries
                        .flatten()
                        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
                        .map(Pid::from_raw)
                        .filter(|thread| !tracer.threads.contains(thread))
                        .collect()
                })
                .unwrap_or_default();
            if found.is_empty() {
                return tracer;
            }
            for thread in found {
                let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE;
                // One that has ended, or is traced through its parent already.
                if ptrace::seize(thread, options).is_ok() {
                    ptrace::interrupt(thread).ok();
                }
                tracer.threads.insert(thread);
            }
        }
    }

    /// Resumes all threads, call by call, until `stop`.
    fn trace(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            self.wait(false);
        }
        // A thread is let go only while it stands still.
        for thread in &self.threads {
            ptrace::interrupt(*thread).ok();
        }
        while !self.threads.is_empty() {
            self.wait(true);
        }
    }

    /// Handles one stopped thread.
    fn wait(&mut self, is_over: bool) {
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD | WaitPidFlag::WNOHANG;
        let (thread, signal) = match waitpid(None, Some(flags)) {
            Ok(WaitStatus::PtraceSyscall(thread)) => {
                self.at_call(thread);
                (thread, None)
            }
            Ok(WaitStatus::PtraceEvent(thread, _, _)) => {
                self.threads.insert(thread);
                (thread, None)
            }
            Ok(WaitStatus::Stopped(thread, signal)) => (thread, Some(signal)),
            Ok(WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, _, _)) => {
                self.threads.remove(&thread);
                return;
            }
            Err(Errno::ECHILD) => {
                self.threads.clear();
                return;
            }
            _ => return thread::sleep(Duration::from_micros(50)),
        };
        if is_over && !self.failing.contains(&thread) {
            // One that ended meanwhile needs no letting go.
            ptrace::detach(thread, signal).ok();
            self.threads.remove(&thread);
        } else {
            ptrace::syscall(thread, signal).ok();
        }
    }

    /// A thread enters or leaves a system call.
    fn at_call(&mut self, thread: Pid) {
        // A thread that is killed meanwhile has no registers.
        let Ok(mut registers) = ptrace::getregs(thread) else {
            return;
        };
        if self.failing.remove(&thread) {
            registers.rax = (-i64::from(libc::ENOMEM)).cast_unsigned();
        } else if ptrace::syscall_info(thread).is_ok_and(|info| info.op == ENTRY)
            && self
                .fault
                .meets(thread, registers.orig_rax, registers.rdi, registers.r8)
        {
            // No call has this number: the kernel does nothing.
            registers.orig_rax = u64::MAX;
            self.failing.insert(thread);
        } else {
            return;
        }
        ptrace::setregs(thread, registers).ok();
    }
}

/// `PTRACE_SYSCALL_INFO_ENTRY`.
const ENTRY: u8 = libc::PTRACE_SYSCALL_INFO_ENTRY;
