//! A policy that would cut an administrator's SSH session is refused, with the rule that would.
//!
//! The SSH server is a shell called `sshd` that holds the server's sockets.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::{fs::symlink, process::CommandExt as _},
    },
    process::{Child, Command},
};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    eventually,
    hep::{Output, binary},
    policy::{Directory, endpoint, eth0, felix, no_failsafe, policy},
    probe::PATIENCE,
    topology::Topology,
};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{directory, path};

/// Where the server listens; no default failsafe has it.
const PORT: u16 = 2022;

/// An SSH server with one session, each held by a process of its own.
struct Sshd {
    server: Child,
    holder: Child,
    session: TcpStream,
    client: TcpStream,
    scratch: TempDir,
}

impl Sshd {
    /// Has `from` logged in at `to`.
    fn new(topology: &Topology, from: IpAddr, to: IpAddr) -> Self {
        Self::at(PORT, topology, from, to)
    }

    fn at(port: u16, topology: &Topology, from: IpAddr, to: IpAddr) -> Self {
        let scratch = tempfile::tempdir().expect("make a directory");
        let to = SocketAddr::new(to, port);
        let listener = topology.host.bind(|| TcpListener::bind(to));
        let client = topology.owner(from).run(|| {
            let domain = socket2::Domain::for_address(to);
            let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
            socket.bind(&SocketAddr::new(from, 0).into())?;
            socket.connect_timeout(&to.into(), PATIENCE)?;
            Ok::<_, std::io::Error>(TcpStream::from(socket))
        });
        let client = client.expect("the server listens");
        let (session, _) = listener.accept().expect("the connection is there");
        symlink("/bin/sh", scratch.path().join("sshd")).expect("make a link");
        let hold = |stdin: OwnedFd| {
            let mut sshd = Command::new(scratch.path().join("sshd"));
            sshd.args(["-c", "sleep 600; :"])
                .stdin(stdin)
                .process_group(0);
            topology.host.run(|| sshd.spawn()).expect("run a shell")
        };
        Self {
            server: hold(OwnedFd::from(listener)),
            holder: hold(OwnedFd::from(session.try_clone().expect("share it"))),
            session,
            client,
            scratch,
        }
    }

    /// `SSH_CONNECTION` of the session.
    fn connection(&self) -> String {
        let peer = self.client.local_addr().expect("it is connected");
        let local = self.client.peer_addr().expect("it is connected");
        let (from, to) = (peer.ip(), local.ip());
        format!("{from} {} {to} {}", peer.port(), local.port())
    }

    /// Runs a command below a process of the server that holds the session; exit code and output.
    fn run(&self, topology: &Topology, daemon: &Daemon, arguments: &[&str]) -> (i32, String) {
        let command = daemon.command(arguments);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let line: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        let output = self.scratch.path().join("output");
        let script = format!(
            "{} </dev/null >{} 2>&1; exit $?",
            line.join(" "),
            output.display()
        );
        let mut shell = Command::new(self.scratch.path().join("sshd"));
        shell
            .args(["-c", &script])
            .env_remove("SSH_CONNECTION")
            .stdin(OwnedFd::from(self.session.try_clone().expect("share it")));
        let status = topology.host.run(|| shell.status()).expect("run a shell");
        let output = fs::read_to_string(output).expect("it was written");
        (status.code().unwrap_or(-1), output)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.holder] {
            let group = Pid::from_raw(i32::try_from(child.id()).expect("process ids fit"));
            killpg(group, Signal::SIGKILL).expect("it runs");
            child.wait().expect("it ends");
        }
    }
}

/// Lets SSH in by this rule, without any failsafe.
fn ssh_by(rule: &str) -> Vec<String> {
    let ssh = policy("ssh", &format!("types: [Ingress], ingress: [{rule}]"));
    vec![eth0(), no_failsafe(), ssh]
}

fn allow_ssh() -> Vec<String> {
    ssh_by("{action: Allow, protocol: TCP, destination: {ports: [2022, 2023]}}")
}

fn deny_client(net: &Net) -> Vec<String> {
    ssh_by(&format!(
        "{{action: Deny, source: {{nets: ['{}']}}}}, {{action: Allow}}",
        net.prefix(net.client)
    ))
}

/// The session that the caller is logged in by refuses (exit 5), whether its environment names it or
/// a process above it holds its socket; session and rule are named; `--force` overrides.
#[test]
fn a_policy_that_cuts_the_callers_session_is_refused() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &allow_ssh());
    for net in Net::both() {
        let sshd = Sshd::new(&topology, net.client, net.host);
        let new = directory(&deny_client(&net));
        let try_it = ["try", "--policy-dir", &path(&new), "--detach"];
        let before = daemon.generation();
        let (code, said) = sshd.run(&topology, &daemon, &try_it);
        assert_eq!(code, 5, "{said}");
        let peer = sshd.client.local_addr().expect("it is connected");
        let file = new.path().join("policy.yaml");
        for text in [
            "your SSH session",
            &peer.to_string(),
            "tier default, GlobalNetworkPolicy/ssh ingress[0] Deny",
            &*file.to_string_lossy(),
        ] {
            assert!(said.contains(text), "{text}: {said}");
        }
        let mut named = daemon.command(&try_it);
        named.env("SSH_CONNECTION", sshd.connection());
        let output = topology.host.run(|| named.output()).expect("run hep");
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("your SSH session"), "{said}");
        assert_eq!(daemon.generation(), before);

        let forced = [&try_it[..], &["--force"]].concat();
        let (code, said) = sshd.run(&topology, &daemon, &forced);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("warning: it would cut"), "{said}");
        let _said = daemon.hep(&["rollback"]).exits(0);
        drop(new);
    }
}

/// Another session only causes a warning if the caller is known, and a refusal if not.
#[test]
fn another_session_refuses_only_if_the_caller_is_unknown() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &allow_ssh());
    let net = Net::both()[0];
    let _other = Sshd::new(&topology, net.client, net.host);
    let new = directory(&deny_client(&net));
    let try_it = ["try", "--policy-dir", &path(&new), "--detach"];
    let _said = daemon
        .hep(&try_it)
        .exits(5)
        .says("the SSH session from 198.51.100.7");
    let own = Sshd::at(PORT + 1, &topology, net.member, net.host);
    let (code, said) = own.run(&topology, &daemon, &try_it);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("would cut the SSH session from 198.51.100.7"),
        "{said}"
    );
}

/// A session that an untracked policy carries needs its way out as well.
#[test]
fn an_untracked_session_needs_both_directions() {
    let topology = Topology::new();
    let daemon = Daemon::start(&topology.host, &allow_ssh());
    let net = Net::both()[1];
    let sshd = Sshd::new(&topology, net.client, net.host);
    let one_way = policy(
        "raw",
        "doNotTrack: true, applyOnForward: true, types: [Ingress, Egress], \
         ingress: [{action: Allow, protocol: TCP}], egress: [{action: Deny, protocol: TCP}]",
    );
    let new = directory(&[allow_ssh(), vec![one_way]].concat());
    let (code, said) = sshd.run(
        &topology,
        &daemon,
        &["try", "--policy-dir", &path(&new), "--detach"],
    );
    assert_eq!(code, 5, "{said}");
    assert!(
        said.contains("cut what is sent to your SSH session"),
        "{said}"
    );
    assert!(
        said.contains("untracked: tier default, GlobalNetworkPolicy/raw egress[0]"),
        "{said}"
    );
}

/// With `keep` the session itself continues, but there would be no way back in.
#[test]
fn with_keep_a_policy_that_lets_nobody_in_again_is_refused() {
    let topology = Topology::new();
    let options = ["--on-policy-change", "keep"];
    let daemon = Daemon::start_with(&topology.host, &allow_ssh(), &options);
    let net = Net::both()[0];
    let sshd = Sshd::new(&topology, net.client, net.host);
    let new = directory(&deny_client(&net));
    let try_it = ["try", "--policy-dir", &path(&new), "--detach"];
    let (code, said) = sshd.run(&topology, &daemon, &try_it);
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("not let in again"), "{said}");
}

/// The preflight also covers a rollback, and following the directory again.
#[test]
fn a_rollback_that_cuts_the_session_is_refused() {
    let topology = Topology::new();
    let net = Net::both()[0];
    let mut daemon = Daemon::start(&topology.host, &deny_client(&net));
    daemon.replace(&allow_ssh());
    let sshd = Sshd::new(&topology, net.client, net.host);
    let (code, said) = sshd.run(&topology, &daemon, &["rollback"]);
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("your SSH session"), "{said}");
    let (code, said) = sshd.run(&topology, &daemon, &["rollback", "--force"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = sshd.run(&topology, &daemon, &["resume"]);
    assert_eq!(code, 0, "{said}");
}

/// RS-150: a server that listens where no inbound failsafe is makes a warning, in status, log and
/// `hep validate`, and
/// one that a failsafe covers does not.
#[test]
fn rs_150_an_ssh_server_without_failsafe_is_told() {
    let topology = Topology::new();
    let net = Net::both()[0];
    let sshd = Sshd::new(&topology, net.client, net.host);
    let any = endpoint(
        "h1-eth0",
        "interfaceName: eth0, profiles: [projectcalico-default-allow]",
    );
    let mut daemon = Daemon::start(&topology.host, std::slice::from_ref(&any));
    let is_told = |daemon: &Daemon| {
        let problems = daemon.status()["problems"].clone();
        let mut problems = problems.as_array().expect("a list").clone().into_iter();
        problems.any(|problem| problem["code"] == "W-SSH-FAILSAFE")
    };
    assert!(is_told(&daemon), "{}", daemon.status());
    let _said = daemon.hep(&["status"]).says("listens on port 2022");
    assert!(
        daemon.log().contains("listens on port 2022"),
        "{}",
        daemon.log()
    );
    let name = fs::read_to_string("/proc/sys/kernel/hostname").expect("a host has a name");
    let here = any.replace(
        "node: h1,",
        &format!("node: {},", name.trim().to_lowercase()),
    );
    let planned = Directory::new();
    planned.write("all.yaml", &here);
    let mut validate = Command::new(binary());
    validate.arg("validate").arg(planned.path());
    let said = topology.host.run(|| Output::by(&mut validate));
    let _said = said.exits(0).says("listens on port 2022");
    let covered = felix("failsafeInboundHostPorts: [{protocol: TCP, port: 2022}]");
    daemon.replace(&[any.clone(), covered]);
    let is_quiet = eventually(PATIENCE, || !is_told(&daemon));
    assert!(is_quiet, "{}", daemon.status());
    drop(sshd);
    daemon.replace(&[any]);
    assert!(!is_told(&daemon), "{}", daemon.status());
}
