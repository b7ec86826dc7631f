//! Attacks by other users of the host: making root write elsewhere, giving commands, planting state, and
//! forging operators' output.

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
        net::UnixStream,
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use hep_tests::{
    daemon::Daemon,
    eventually, hep,
    policy::{Directory, documents, endpoint, eth0},
    probe::PATIENCE,
    program::program,
    topology::Topology,
};
use nix::{sys::stat::Mode, unistd::mkfifo};
use serde_json::Value;

use crate::{client::Client, directory, expect_only, only, path};

const LONG: Duration = Duration::from_secs(60);
/// A user who may do nothing.
const NOBODY: u32 = 65534;

/// Where the sockets are: for orders, and for questions.
fn sockets(daemon: &Daemon) -> [PathBuf; 2] {
    let state = daemon.state_dir();
    ["hep.sock", "hep-read.sock"].map(|name| state.with_file_name(name))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("can be set");
}

/// A directory with a file in it that nobody may touch, and what it looks like.
fn victim() -> (Directory, impl Fn() -> (String, u32, u64, usize)) {
    let victim = Directory::new();
    let secret = victim.write("secret", "secret");
    set_mode(&secret, 0o600);
    let root = victim.path().to_path_buf();
    let look = move || {
        let metadata = fs::metadata(&secret).expect("is there");
        let text = fs::read_to_string(&secret).expect("is there");
        let names = fs::read_dir(&root).expect("is there").count();
        (text, metadata.mode(), metadata.ino(), names)
    };
    (victim, look)
}

/// A policy directory that others can change is refused before the trial; where that is allowed, and
/// where it was root's alone, links that appear during the trial are not written through.
#[test]
fn a_confirmed_policy_is_written_through_no_link() {
    for is_shared in [false, true] {
        let topology = Topology::new();
        let options: &[&str] = match is_shared {
            true => &["--allow-shared-policy-dir"],
            false => &[],
        };
        let daemon = Daemon::start_with(&topology.host, &only(80), options);
        let own = daemon.directory().path().to_path_buf();
        if is_shared {
            chown(&own, Some(NOBODY), None).expect("can be given away");
        }
        let (victim, look) = victim();
        let before = look();
        let new = directory(&only(81));
        fs::create_dir(new.path().join("sub")).expect("can be made");
        fs::write(new.path().join("sub/50-evil.yaml"), "# a comment\n").expect("can be written");
        let mut client = Client::start(&topology, &daemon, &new, LONG);
        // As an earlier version named where it staged files, and as the policy has it.
        symlink(victim.path(), own.join(".hep-install")).expect("can be made");
        symlink(victim.path(), own.join("sub")).expect("can be made");
        let said = daemon.hep(&["confirm"]).exits(5).says("symbolic link");
        let _said = said.says("the trial goes on");
        assert_eq!(look(), before, "shared: {is_shared}");
        expect_only(&topology, "on trial", 81);
        fs::remove_file(own.join("sub")).expect("can be removed");
        let _said = daemon.hep(&["confirm"]).exits(0).says("is confirmed");
        assert_eq!(client.code(), 0, "{}", client.said());
        assert!(own.join("sub/50-evil.yaml").is_file());
        assert_eq!(look(), before, "shared: {is_shared}");
    }
}

/// Refused up front, and again when it changes during the trial.
#[test]
fn a_policy_directory_that_others_can_change_is_refused() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &only(80));
    let own = daemon.directory().path().to_path_buf();
    let new = directory(&only(81));
    let attempt = ["try", "--policy-dir", &path(&new)];
    for (owner, mode) in [(NOBODY, 0o755), (0, 0o775), (0, 0o777)] {
        chown(&own, Some(owner), None).expect("can be given away");
        set_mode(&own, mode);
        let said = daemon.hep(&attempt).exits(5);
        let _said = said.says("--allow-shared-policy-dir");
        chown(&own, Some(0), None).expect("can be taken back");
        set_mode(&own, 0o755);
    }
    expect_only(&topology, "refused", 80);
    let mut client = Client::start(&topology, &daemon, &new, LONG);
    set_mode(&own, 0o777);
    let _said = daemon.hep(&["confirm"]).exits(5).says("mode 777");
    set_mode(&own, 0o755);
    let _said = daemon.hep(&["confirm"]).exits(0).says("is confirmed");
    assert_eq!(client.code(), 0, "{}", client.said());
}

/// Sends a line to a socket; the answer.
fn ask(socket: &Path, line: &str) -> Value {
    let mut stream = UnixStream::connect(socket).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("can be set");
    writeln!(stream, "{line}").expect("can be written");
    let mut answer = String::new();
    let read = BufReader::new(stream).read_line(&mut answer);
    read.expect("there is an answer");
    serde_json::from_str(&answer).expect("it is JSON")
}

/// Orders are root's, whatever the socket's mode; the socket for questions takes none at all, and
/// commands that only read need no other.
#[test]
fn orders_are_taken_from_root_alone_and_questions_apart() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &only(80));
    let [orders, questions] = sockets(&daemon);
    for socket in [&orders, &questions] {
        let metadata = fs::metadata(socket).expect("is there");
        assert_eq!(metadata.mode() & 0o7777, 0o600, "{}", socket.display());
        set_mode(socket, 0o666);
    }
    set_mode(orders.parent().expect("it is in a directory"), 0o755);
    // Where the build stands, others than root may see nothing.
    let shared = tempfile::tempdir().expect("make a directory");
    set_mode(shared.path(), 0o755);
    let binary = shared.path().join("hep");
    fs::copy(hep::binary(), &binary).expect("copy the binary");
    for command in [&["panic"][..], &["monitor"]] {
        let mut stranger = Command::new(&binary);
        stranger.args(daemon.command(command).get_args());
        stranger.uid(NOBODY).gid(NOBODY);
        let said = topology.host.run(|| hep::Output::by(&mut stranger));
        let said = said.says("root alone");
        assert_ne!(said.code, 0, "{said:#?}");
    }
    for order in ["panic", "confirm", "rollback", "resume", "handOver", "try"] {
        let answer = ask(&questions, &format!("{{\"command\":\"{order}\"}}"));
        let failed = answer["failed"].as_str().unwrap_or_default();
        assert!(failed.contains("questions only"), "{answer}");
    }
    assert_eq!(daemon.status()["panic"], Value::Null);
    let answer = ask(&questions, "{\"command\":\"status\"}");
    assert_eq!(answer["status"]["ready"], true, "{answer}");
    fs::remove_file(&orders).expect("is there");
    assert!(daemon.status()["daemon"]["pid"].as_u64() > Some(0));
    let _said = daemon.hep(&["confirm"]).exits(1).says("running hep daemon");
}

/// Files of the state directory decide what is in force: it becomes root's alone, and a journal that is no
/// file of root's neither hangs the daemon nor is followed.
#[test]
fn a_planted_journal_is_neither_waited_for_nor_followed() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &only(80));
    let state = daemon.state_dir();
    let journal = state.join("journal");
    let (victim, look) = victim();
    let before = look();
    for kind in ["fifo", "link", "directory", "stranger's"] {
        daemon.stop();
        set_mode(&state, 0o777);
        let genuine = fs::read(&journal).expect("is there");
        fs::remove_file(&journal).expect("is there");
        match kind {
            "fifo" => mkfifo(&journal, Mode::from_bits_truncate(0o600)).expect("can be made"),
            "link" => symlink(victim.path().join("secret"), &journal).expect("can be made"),
            "directory" => fs::create_dir(&journal).expect("can be made"),
            _ => {
                fs::write(&journal, genuine).expect("can be written");
                chown(&journal, Some(NOBODY), None).expect("can be given away");
            }
        }
        daemon.spawn();
        daemon.wait_for(1);
        expect_only(&topology, kind, 80);
        let mode = fs::metadata(&state).expect("is there").mode();
        assert_eq!(mode & 0o022, 0, "{kind}: {mode:o}");
        let made = fs::symlink_metadata(&journal).expect("is there");
        assert!(made.is_file() && made.uid() == 0, "{kind}");
        assert!(
            daemon.log().contains("made anew from the snapshots"),
            "{kind}"
        );
        assert_eq!(look(), before, "{kind}");
        let _removed = fs::remove_file(journal.with_extension("set-aside"))
            .or_else(|_| fs::remove_dir(journal.with_extension("set-aside")));
    }
}

/// Asserts that a text holds nothing that moves a cursor, reorders a line or begins a forged one.
#[track_caller]
fn is_plain(what: &str, text: &str) {
    let is_odd =
        |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{2028}\u{200f}".contains(c);
    assert!(!text.contains(is_odd), "{what}: {text:?}");
    assert!(
        text.lines().all(|line| !line.starts_with("<0>forged")),
        "{what}: {text}"
    );
}

/// Names of files, resources, keys and interfaces, in logs, status, errors and JSON.
#[test]
fn foreign_names_forge_nothing_that_operators_read() {
    const ODD: &str = "\n<0>forged\u{1b}[2J\u{9b}31m\u{202e}\u{2028}";
    let topology = Topology::new();
    let interface = "e\u{1b}[2J\u{9b}m\u{202e}";
    let made = topology.host.run(|| {
        let mut command = program("ip");
        command.args([
            "link", "add", interface, "type", "veth", "peer", "name", "other",
        ]);
        command.status()
    });
    assert!(made.expect("ip runs").success());
    let daemon = Daemon::start(
        &topology.host,
        &[eth0(), endpoint("all", "interfaceName: '*'")],
    );
    let seen = eventually(PATIENCE, || {
        daemon.show("interfaces").to_string().contains("e\\u001b")
    });
    assert!(seen, "{}", daemon.log());
    let own = daemon.directory().path().to_path_buf();
    let odd = serde_json::to_string(ODD).expect("it is a text");
    let broken = format!(
        "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {{name: {odd}, labels: \
         {{{odd}: {odd}}}}}\nspec: {{{odd}: 1}}\n---\nkind: {odd}\nmetadata: {{name: a}}\n"
    );
    fs::write(own.join(format!("a{}.yaml", ODD.replace('/', ""))), broken).expect("can be written");
    let told = eventually(PATIENCE, || daemon.status()["degraded"] != Value::Null);
    assert!(told, "{}", daemon.log());
    is_plain("log", &daemon.log());
    let new = Directory::new();
    for (name, text) in [
        ("good.yaml", documents(&only(81))),
        ("b\n<0>forged\u{1b}.yaml", "kind: [".into()),
    ] {
        fs::write(new.path().join(name), text).expect("can be written");
    }
    let own = own.to_string_lossy().into_owned();
    for command in [
        &["status"][..],
        &["status", "-o", "json"],
        &["show", "interfaces"],
        &["show", "interfaces", "-o", "json"],
        &["show", "endpoints"],
        &["show", "rules"],
        &["show", "counters"],
        &["history"],
        &["try", "--policy-dir", &path(&new)],
        &["try", "--policy-dir", &format!("/nowhere{ODD}")],
        &["diff", "--policy-dir", &path(&new)],
    ] {
        let said = daemon.hep(command);
        is_plain(&said.command, &said.stdout);
        is_plain(&said.command, &said.stderr);
    }
    for command in [&["validate", &own][..], &["validate", "-o", "json", &own]] {
        let said = hep::run(command).exits(3).says("forged");
        is_plain(&said.command, &said.stdout);
        is_plain(&said.command, &said.stderr);
    }
    let said = hep::run(&["validate", "-o", "json", &own]).json();
    assert!(
        said.to_string().contains("\u{202e}"),
        "JSON keeps its meaning: {said}"
    );
}
