//! A guest under qemu: another kernel, this machine's files, and one script to run.
//!
//! The guest's root is this machine's, read-only, with RAM over it: the guest's writes vanish with it. It
//! has no network. Its processor is emulated, so that this works wherever qemu does.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::kernel::Kernel;
use crate::command;

/// Where packages put the daemon that shares files with guests.
const SHARING: [&str; 2] = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"];

/// An emulated processor that boots fast; tests must not need more (AVX, for one).
const PROCESSOR: &str = "Nehalem,+rdrand";

/// Memory of the guest, which also holds what it writes.
const MEMORY: &str = "2048M";

/// Shares the root file system read-only; `$1` virtiofsd, `$2` mount point, `$3` socket. It runs in
/// a mount namespace of its own, so the mount ends with it.
const SHARE: &str = r#"
mount --bind / "$2" && mount -o remount,bind,ro "$2" &&
exec "$1" --socket-path="$3" -o source="$2" -o cache=always"#;

/// The guest's first process: the steps before and after the script, once the root is mounted.
const BOOT: &str = r#"#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
mkdir -p /dev/net /dev/pts /dev/shm /lib/modules
test -e /dev/net/tun || mknod /dev/net/tun c 10 200
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/lock /run/netns
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup
ln -s "$hepmodules" "/lib/modules/$(uname -r)"
ip link set lo up
stty -F /dev/ttyS1 raw -echo
setsid sh "$heprun/script.sh" </dev/null >/dev/ttyS1 2>&1
echo "status $?" >/dev/ttyS2
busybox poweroff -f
"#;

/// How a guest ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The script's exit status.
    Status(i32),
    /// It did not end in time.
    TimedOut,
    /// The guest ended without telling a status; the end of its console.
    Died(String),
}

/// Runs `script` in a guest, calling `line` for each line that it prints.
///
/// # Errors
///
/// If the guest cannot be started.
pub(crate) fn run(
    kernel: &Kernel,
    directory: &Path,
    script: &str,
    limit: Duration,
    mut line: impl FnMut(&str),
) -> Result<End> {
    let here = Scratch::new(directory.join(format!("run-{}", std::process::id())))?;
    if fs::metadata(&here.0)?.dev() != fs::metadata("/")?.dev() {
        bail!(
            "{} is not on the file system of /, the one that guests see",
            directory.display()
        );
    }
    fs::write(here.0.join("script.sh"), script)?;
    fs::write(here.0.join("boot.sh"), BOOT)?;
    let share = Running::start(share(&here.0)?)?;
    wait_for(&here.0.join("socket"))?;
    let mut qemu = Running::start(machine(kernel, &here.0)?)?;
    let pipe = qemu.0.stdout.take().context("qemu has no output")?;
    let (sender, lines) = mpsc::channel();
    let reader = thread::spawn(move || {
        for bytes in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + limit;
    let is_late = loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(text) => line(text.trim_end_matches('\r')),
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => break true,
        }
    };
    if is_late {
        return Ok(End::TimedOut);
    }
    qemu.0.wait().context("wait for qemu")?;
    // It ends with the pipe.
    drop(reader.join());
    drop(share);
    let status = fs::read_to_string(here.0.join("status")).unwrap_or_default();
    Ok(match status_in(&status) {
        Some(status) => End::Status(status),
        None => End::Died(last_words(&here.0)),
    })
}

/// The exit status in what the guest wrote to its third serial line.
fn status_in(text: &str) -> Option<i32> {
    text.lines()
        .find_map(|line| line.strip_prefix("status ")?.trim().parse().ok())
}

/// The end of the console, and qemu's messages.
fn last_words(directory: &Path) -> String {
    const LINES: usize = 30;
    let read = |name| fs::read_to_string(directory.join(name)).unwrap_or_default();
    let console = read("console");
    let lines: Vec<&str> = console.lines().collect();
    let tail = lines[lines.len().saturating_sub(LINES)..].join("\n");
    format!("{tail}\n{}", read("qemu.log"))
}

/// The command that shares the root.
fn share(directory: &Path) -> Result<Command> {
    let daemon = SHARING
        .iter()
        .find(|path| Path::new(path).exists())
        .context("no virtiofsd, which Debian 12 has in qemu-system-common")?;
    let root = directory.join("root");
    fs::create_dir(&root)?;
    let log = File::create(directory.join("share.log"))?;
    let mut command = command::program("unshare");
    command
        .args(["--mount", "--propagation", "private"])
        .args(["sh", "-c", SHARE, "share", daemon])
        .arg(root)
        .arg(directory.join("socket"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(command)
}

/// The command that is the machine. Serial lines: the console, what the script prints (our pipe),
/// and its status.
fn machine(kernel: &Kernel, directory: &Path) -> Result<Command> {
    let at = |name: &str| directory.join(name).display().to_string();
    let memory = format!("memory-backend-memfd,id=ram,size={MEMORY},share=on");
    let append = format!(
        "console=ttyS0 8250.nr_uarts=3 quiet loglevel=4 panic=-1 oops=panic cryptomgr.notests \
         random.trust_cpu=on nokaslr mitigations=off heprun={} hepmodules={}",
        directory.display(),
        kernel.modules.display(),
    );
    let mut command = command::program("qemu-system-x86_64");
    command
        .args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ])
        .args([
            "-machine",
            "q35,memory-backend=ram",
            "-m",
            MEMORY,
            "-object",
            &memory,
        ])
        .args(["-accel", "tcg,thread=multi,tb-size=256", "-cpu", PROCESSOR])
        .args(["-chardev", &format!("socket,id=host,path={}", at("socket"))])
        .args(["-device", "vhost-user-fs-pci,chardev=host,tag=host"])
        .args(["-serial", &format!("file:{}", at("console"))])
        .args(["-serial", "stdio"])
        .args(["-serial", &format!("file:{}", at("status"))])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(&kernel.initramfs)
        .args(["-append", &append])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(directory.join("qemu.log"))?);
    Ok(command)
}

/// Waits for the socket of the sharing daemon.
fn wait_for(socket: &Path) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(10);
    let deadline = Instant::now() + LIMIT;
    while !socket.exists() {
        if Instant::now() > deadline {
            let log = fs::read_to_string(socket.with_file_name("share.log")).unwrap_or_default();
            bail!("virtiofsd does not start: {log}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A process that ends with its owner.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Result<Self> {
        let child = command.spawn();
        Ok(Self(child.with_context(|| {
            format!("run {}", command.get_program().to_string_lossy())
        })?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is what we want.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A directory of this run's own, removed with everything in it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes the directory.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("xtask: {}: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::status_in;

    #[test]
    fn a_guest_that_tells_no_status_has_died() {
        assert_eq!(status_in("status 0\r\n"), Some(0));
        assert_eq!(status_in("status 101\n"), Some(101));
        assert_eq!(status_in(""), None);
        assert_eq!(status_in("status \n"), None);
    }
}
