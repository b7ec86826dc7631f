//! Network namespaces.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Once,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sched::{CloneFlags, setns};

use crate::program::program;

/// Names of all namespaces of this harness start so; the process id and a number follow.
const PREFIX: &str = "heptest-";

/// Where `ip netns` keeps the handles of named namespaces.
const HANDLES: &str = "/run/netns";

/// How long an address may stay taken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A network namespace, removed with everything in it when its last handle is dropped.
#[derive(Clone, Debug)]
pub struct Namespace(Arc<Named>);

#[derive(Debug)]
struct Named {
    name: String,
}

/// Has the current thread in a namespace, and takes it back on drop.
#[derive(Debug)]
pub struct Entered {
    home: File,
}

impl Namespace {
    /// Makes a namespace with `lo` up and without duplicate address detection, router
    /// solicitations, or ICMP rate limits, all of which make tests wait.
    ///
    /// # Panics
    ///
    /// If the namespace cannot be made: this needs root and `ip` of iproute2.
    #[must_use]
    pub fn new(role: &str) -> Self {
        static REAP: Once = Once::new();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        REAP.call_once(remove_leftovers);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}-{role}", std::process::id());
        ip(&["netns", "add", &name]);
        let namespace = Self(Arc::new(Named { name }));
        namespace.ip("link set lo up");
        for (key, value) in [
            ("net/ipv6/conf/all/accept_dad", "0"),
            ("net/ipv6/conf/default/accept_dad", "0"),
            ("net/ipv6/conf/default/router_solicitations", "0"),
            ("net/ipv4/ping_group_range", "0 2147483647"),
            ("net/ipv4/icmp_ratemask", "0"),
            ("net/ipv6/icmp/ratemask", ""),
            ("net/ipv4/ip_nonlocal_bind", "1"),
            ("net/ipv6/ip_nonlocal_bind", "1"),
        ] {
            namespace.sysctl(key, value);
        }
        namespace
    }

    /// The name in `ip netns`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Writes one sysctl; the key has slashes, without `/proc/sys`.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn sysctl(&self, key: &str, value: &str) {
        let path = Path::new("/proc/sys").join(key);
        self.run(|| {
            fs::write(&path, value).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        });
    }

    /// Runs `ip` here: one command a line, as `ip -batch` reads them.
    ///
    /// # Panics
    ///
    /// If a command fails.
    pub fn ip(&self, commands: &str) {
        let mut child = program("ip")
            .args(["-netns", &self.0.name, "-batch", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run ip (package iproute2)");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(format!("{commands}\n").as_bytes())
            .expect("ip reads its commands");
        let output = child.wait_with_output().expect("wait for ip");
        assert!(
            output.status.success(),
            "ip in {}: {}\n{commands}",
            self.0.name,
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Runs a program of [`program`] here to its end and returns what it printed.
    ///
    /// # Panics
    ///
    /// If it cannot be run or fails.
    pub fn command(&self, name: &str, arguments: &[&str]) -> String {
        let output = self
            .run(|| program(name).args(arguments).output())
            .unwrap_or_else(|error| panic!("run {name}: {error}"));
        assert!(
            output.status.success(),
            "{name} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Index of an interface of this namespace.
    ///
    /// # Panics
    ///
    /// If there is none of that name.
    #[must_use]
    pub fn ifindex(&self, interface: &str) -> u32 {
        self.run(|| nix::net::if_::if_nametoindex(interface))
            .unwrap_or_else(|error| panic!("{interface} in {}: {error}", self.0.name))
    }

    /// Runs `work` on a thread in this namespace; sockets and processes made there stay there.
    ///
    /// # Panics
    ///
    /// If `work` does.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.join();
                work()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Opens a socket here, at an address that another one may have had just before.
    ///
    /// # Panics
    ///
    /// If the kernel refuses, or the address stays taken.
    #[track_caller]
    pub fn bind<T: Send>(&self, open: impl FnMut() -> io::Result<T> + Send) -> T {
        self.run(|| once_free(open))
            .unwrap_or_else(|error| panic!("open a socket in {}: {error}", self.0.name))
    }

    /// Takes the current thread into this namespace until the guard is dropped.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    #[must_use]
    pub fn enter(&self) -> Entered {
        let home = File::open("/proc/thread-self/ns/net").expect("own network namespace");
        self.join();
        Entered { home }
    }

    fn join(&self) {
        let handle = self.handle();
        let file = File::open(&handle).unwrap_or_else(|e| panic!("{}: {e}", handle.display()));
        setns(file, CloneFlags::CLONE_NEWNET).expect("enter a network namespace (needs root)");
    }

    fn handle(&self) -> PathBuf {
        Path::new(HANDLES).join(&self.0.name)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        setns(&self.home, CloneFlags::CLONE_NEWNET).expect("return to the first namespace");
    }
}

/// Opens a socket as soon as its address is free. A process that another thread starts holds all
/// sockets of this one until it runs its program, so an address is taken for a moment longer than
/// the socket that had it.
pub(crate) fn once_free<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

fn ip(arguments: &[&str]) {
    let output = program("ip")
        .args(arguments)
        .output()
        .expect("run ip (package iproute2)");
    assert!(
        output.status.success(),
        "ip {arguments:?}: {} (the suites that need a kernel run as root)",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Removes a namespace by name; a missing one is no error.
fn remove(name: &str) {
    let removed = program("ip").args(["netns", "del", name]).output();
    if let Err(error) = removed {
        eprintln!("namespace {name} stays behind: {error}");
    }
}

/// Removes namespaces whose test process was killed before it could.
fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(HANDLES) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next())
        else {
            continue;
        };
        if !Path::new("/proc").join(process).exists() {
            remove(&name);
        }
    }
}
