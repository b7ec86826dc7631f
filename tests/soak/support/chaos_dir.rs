//! A policy directory to which strange things happen, and which states of it count.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use fastrand::Rng;
use hep_tests::policy::{documents, endpoint, felix};
use nix::fcntl::{RenameFlags, renameat2};

use crate::{
    reader::{COUNT, LAST, Open, PORTS},
    states::States,
};

/// Files whose content varies.
const FILES: u8 = 6;
/// A state that lasted this long may count although it was meant to be passed through.
const RESTING: Duration = Duration::from_millis(40);

/// A kind of Calico's that is none: a typing mistake must not become "no policy" (RS-309).
const MISTYPED: &str = "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicys\n";

/// Content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// A policy that opens these ports.
    Opens(Open),
    /// An unreadable file, or no policy.
    Broken,
}

/// The directory, its files, and the states that it has been in.
pub(crate) struct ChaosDir {
    path: PathBuf,
    rng: Rng,
    files: BTreeMap<u8, Content>,
    pub(crate) states: States,
    /// Number of operations, by name.
    pub(crate) done: BTreeMap<&'static str, u64>,
}

/// A way to change the directory.
type Operation = fn(&mut ChaosDir);

const OPERATIONS: [(&str, Operation); 10] = [
    ("written in pieces", ChaosDir::write_in_pieces),
    ("renamed into place", ChaosDir::rename_into_place),
    ("renamed as editors do", ChaosDir::dance),
    ("deleted", ChaosDir::delete),
    ("exchanged", ChaosDir::exchange),
    ("vanished", ChaosDir::vanish),
    ("emptied", ChaosDir::empty),
    ("broken", ChaosDir::break_one),
    ("linked to itself", ChaosDir::link_to_itself),
    ("changed in the past", ChaosDir::change_in_the_past),
];

impl ChaosDir {
    /// Fills an empty directory.
    pub(crate) fn new(path: &Path, seed: u64) -> Self {
        let mut chaos_dir = Self {
            path: path.to_owned(),
            rng: Rng::with_seed(seed),
            files: BTreeMap::new(),
            states: States::default(),
            done: BTreeMap::new(),
        };
        chaos_dir.put("base.yaml", &base());
        for number in 0..FILES {
            let ports = chaos_dir.ports();
            chaos_dir.put(&name(number), &policy(number, ports));
            chaos_dir.files.insert(number, Content::Opens(ports));
        }
        chaos_dir.settled(Instant::now());
        chaos_dir
    }

    /// Does something to the directory.
    pub(crate) fn disturb(&mut self) {
        let (name, operation) = OPERATIONS[self.rng.usize(..OPERATIONS.len())];
        operation(self);
        *self.done.entry(name).or_default() += 1;
    }

    /// Waits up to `milliseconds`.
    pub(crate) fn pause(&mut self, milliseconds: u64) {
        thread::sleep(Duration::from_millis(self.rng.u64(..=milliseconds)));
    }

    /// The ports that the directory opens in its current state; none if it is not valid.
    pub(crate) fn opens(&self) -> Option<Open> {
        self.files
            .values()
            .try_fold(0, |all, content| match content {
                Content::Opens(ports) => Some(all | ports),
                Content::Broken => None,
            })
    }

    /// The directory is in a state that counts, which began after `since`.
    fn settled(&mut self, since: Instant) {
        if let Some(opens) = self.opens() {
            self.states.add(opens, since);
        }
    }

    /// The directory was in a state to be passed through since `since`, without file `missing`.
    fn passed(&mut self, since: Instant, missing: &[u8]) {
        if since.elapsed() < RESTING {
            return;
        }
        let kept: BTreeMap<_, _> = self
            .files
            .iter()
            .filter(|(number, _)| !missing.contains(number))
            .map(|(number, content)| (*number, *content))
            .collect();
        let all = std::mem::replace(&mut self.files, kept);
        self.settled(since);
        self.files = all;
    }

    /// Replaces what is broken by policies.
    pub(crate) fn mend(&mut self) {
        let broken: Vec<u8> = self
            .files
            .iter()
            .filter(|(_, content)| **content == Content::Broken)
            .map(|(number, _)| *number)
            .collect();
        for number in broken {
            let ports = self.ports();
            let since = Instant::now();
            self.put(&name(number), &policy(number, ports));
            self.files.insert(number, Content::Opens(ports));
            self.settled(since);
        }
    }

    fn ports(&mut self) -> Open {
        let mut ports = 0;
        for _ in 0..self.rng.u8(1..5) {
            ports |= 1 << self.rng.u16(..COUNT - 1);
        }
        ports
    }

    fn number(&mut self) -> u8 {
        self.rng.u8(..FILES)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a hidden file and returns where it is.
    fn stage(&self, text: &str) -> PathBuf {
        let staged = self.at(".staged");
        fs::write(&staged, text).expect("write a hidden file");
        staged
    }

    /// Puts a file into place in one step.
    fn put(&self, name: &str, text: &str) {
        fs::rename(self.stage(text), self.at(name)).expect("rename a file into place");
    }

    fn write_in_pieces(&mut self) {
        let (number, ports) = (self.number(), self.ports());
        let path = self.at(&name(number));
        if self.files.get(&number) == Some(&Content::Broken) {
            // A link to itself cannot be opened.
            return self.rename_into_place();
        }
        let text = policy(number, ports);
        let mut file = File::create(path).expect("open a file for writing");
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(self.rng.usize(1..=rest.len()));
            file.write_all(piece).expect("write a piece");
            rest = after;
            self.pause(120);
        }
        let since = Instant::now();
        drop(file);
        self.files.insert(number, Content::Opens(ports));
        self.settled(since);
    }

    fn rename_into_place(&mut self) {
        let (number, ports) = (self.number(), self.ports());
        let since = Instant::now();
        self.put(&name(number), &policy(number, ports));
        self.files.insert(number, Content::Opens(ports));
        self.settled(since);
    }

    /// The file is away for a moment.
    fn dance(&mut self) {
        let (number, ports) = (self.number(), self.ports());
        let staged = self.stage(&policy(number, ports));
        let path = self.at(&name(number));
        let backup = self.at(&format!("{}~", name(number)));
        let since = Instant::now();
        let was_there = fs::rename(&path, &backup).is_ok();
        self.pause(25);
        fs::rename(staged, &path).expect("rename a file into place");
        if was_there {
            self.passed(since, &[number]);
        }
        let since = Instant::now();
        self.files.insert(number, Content::Opens(ports));
        self.settled(since);
        self.pause(10);
        drop(fs::remove_file(backup));
    }

    fn delete(&mut self) {
        let number = self.number();
        let since = Instant::now();
        drop(fs::remove_file(self.at(&name(number))));
        self.files.remove(&number);
        self.settled(since);
    }

    fn exchange(&mut self) {
        let (number, ports) = (self.number(), self.ports());
        if !self.files.contains_key(&number) {
            return self.rename_into_place();
        }
        let staged = self.stage(&policy(number, ports));
        let since = Instant::now();
        let here = nix::fcntl::AT_FDCWD;
        let path = self.at(&name(number));
        renameat2(here, &staged, here, &path, RenameFlags::RENAME_EXCHANGE).expect("exchange");
        self.files.insert(number, Content::Opens(ports));
        self.settled(since);
        fs::remove_file(staged).expect("remove the former file");
    }

    fn vanish(&mut self) {
        let away = self.path.with_extension("away");
        fs::rename(&self.path, &away).expect("rename the directory");
        self.pause(400);
        let since = Instant::now();
        fs::rename(&away, &self.path).expect("rename the directory back");
        self.settled(since);
    }

    /// Removes all files at once, and restores them one right after another.
    fn empty(&mut self) {
        let mut entries: Vec<_> = fs::read_dir(&self.path)
            .expect("list the directory")
            .map(|entry| entry.expect("list the directory").path())
            .collect();
        self.rng.shuffle(&mut entries);
        let kept = self.path.with_extension("kept");
        fs::create_dir_all(&kept).expect("make a directory");
        let away = |path: &Path| kept.join(path.file_name().expect("files have names"));
        let start = Instant::now();
        for path in &entries {
            fs::rename(path, away(path)).expect("move a file away");
        }
        self.forgive(start);
        self.pause(400);
        let start = Instant::now();
        for path in &entries {
            fs::rename(away(path), path).expect("move a file back");
        }
        self.forgive(start);
        self.settled(start);
        fs::remove_dir(kept).expect("remove an empty directory");
    }

    /// Adds every part of the files as a state if a busy machine moved them slowly.
    fn forgive(&mut self, start: Instant) {
        if start.elapsed() < RESTING {
            return;
        }
        let files: Vec<u8> = self.files.keys().copied().collect();
        for parts in 0_u32..1 << files.len() {
            let missing: Vec<u8> = files
                .iter()
                .enumerate()
                .filter(|(place, _)| parts >> place & 1 == 1)
                .map(|(_, number)| *number)
                .collect();
            self.passed(start, &missing);
        }
        // Without the endpoint nothing is policed.
        self.states.add(Open::MAX, start);
    }

    fn break_one(&mut self) {
        let number = self.number();
        let texts = ["kind: [", "{}", MISTYPED, "\u{0}\u{1}"];
        let text = texts[self.rng.usize(..texts.len())];
        self.put(&name(number), text);
        self.files.insert(number, Content::Broken);
    }

    fn link_to_itself(&mut self) {
        let number = self.number();
        let link = self.at(".link");
        symlink(name(number), &link).expect("make a link");
        fs::rename(link, self.at(&name(number))).expect("rename a link into place");
        self.files.insert(number, Content::Broken);
    }

    /// A file of the same length whose time is before, or long after, that of the one it replaces:
    /// clocks jump.
    fn change_in_the_past(&mut self) {
        let (number, ports) = (self.number(), self.ports());
        let staged = self.stage(&policy(number, ports));
        let jump = Duration::from_secs(self.rng.u64(1..1_000_000_000));
        let time = if self.rng.bool() {
            SystemTime::UNIX_EPOCH + jump
        } else {
            SystemTime::now() + jump
        };
        File::options()
            .write(true)
            .open(&staged)
            .and_then(|file| file.set_modified(time))
            .expect("set the time of a file");
        let since = Instant::now();
        fs::rename(staged, self.at(&name(number))).expect("rename a file into place");
        self.files.insert(number, Content::Opens(ports));
        self.settled(since);
    }
}

fn name(number: u8) -> String {
    format!("p{number}.yaml")
}

/// The file that is always there.
pub(crate) fn base() -> String {
    documents(&[
        endpoint("h1-eth0", "interfaceName: eth0"),
        felix("failsafeInboundHostPorts: [], failsafeOutboundHostPorts: []"),
        hep_tests::policy::policy(
            "last",
            &format!(
                "types: [Ingress], ingress: [{{action: Allow, protocol: UDP, \
                 destination: {{ports: [{LAST}]}}}}]"
            ),
        ),
    ])
}

/// A policy that opens these ports; cut off at many places it is a policy that opens others, or all.
pub(crate) fn policy(number: u8, ports: Open) -> String {
    let mut text = format!(
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata:\n  name: p{number}\n\
         spec:\n  types:\n  - Ingress\n  ingress:\n  - action: Allow\n    protocol: UDP\n    \
         destination:\n      ports:\n"
    );
    for port in (0..COUNT).filter(|port| ports >> port & 1 == 1) {
        text.push_str(&format!("      - {}\n", PORTS + port));
    }
    text
}
