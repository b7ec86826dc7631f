//! SSH servers of this host and the sessions through them, found by the sockets that they hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, SocketAddr},
};

use hep_common::protocol;

use super::{
    control::Caller,
    sockets::{self, LISTEN, Socket},
};
use crate::{
    model::{FelixConfiguration, Position},
    validate::{Code, Problem, Severity},
};

/// Warns of SSH servers that no failsafe covers, for the network namespace of the calling thread.
#[must_use]
pub(super) fn failsafe_warnings(felix: &FelixConfiguration) -> Vec<Problem> {
    warnings(felix, &Ssh::now().ports)
}

/// Warnings for ports of SSH servers that no failsafe covers (spec RS-150).
pub(super) fn warnings(felix: &FelixConfiguration, ports: &BTreeSet<u16>) -> Vec<Problem> {
    let is_covered = |port: u16| {
        let mut list = felix.failsafe_inbound.iter();
        list.any(|entry| entry.protocol.number == protocol::TCP && entry.port == port)
    };
    let open = ports.iter().filter(|port| !is_covered(**port));
    open.map(|port| Problem {
        severity: Severity::Warning,
        code: Code::SshFailsafe,
        position: Position::built_in(),
        kind: "FelixConfiguration".to_owned(),
        name: "default".to_owned(),
        field: "spec.failsafeInboundHostPorts".to_owned(),
        message: format!(
            "the SSH server of this host listens on port {port}, which no failsafe has"
        ),
        got: None,
        advice: format!("add {{protocol: TCP, port: {port}}}, or a policy may lock you out"),
    })
    .collect()
}

/// Process names of SSH servers; OpenSSH has one of its own for each session since 9.8.
const SERVERS: [&str; 4] = ["sshd", "sshd-session", "sshd-auth", "dropbear"];

/// A connection to an SSH server of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// The other end.
    pub(super) peer: (IpAddr, u16),
    /// This host's end.
    pub(super) local: (IpAddr, u16),
    /// Processes that hold its socket.
    processes: BTreeSet<u32>,
}

/// Sessions and ports of this host's SSH servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ssh {
    /// Established sessions.
    pub(super) sessions: Vec<Session>,
    /// Ports at which a server is reachable from other hosts.
    pub(super) ports: BTreeSet<u16>,
}

impl Ssh {
    /// Reads the present state, in the network namespace of the calling thread.
    pub(super) fn now() -> Self {
        Self::of(&sockets::tcp(), &holders())
    }

    /// Selects sessions and ports among the sockets. A process that serves a session also holds the sockets
    /// that it forwards: connections that it opened from a port without listener, and forwarded ports.
    fn of(sockets: &[Socket], holders: &BTreeMap<u64, BTreeSet<u32>>) -> Self {
        let all = || {
            let held = sockets.iter();
            held.filter_map(|socket| Some((socket, holders.get(&socket.inode)?)))
        };
        // Also the sockets that the service manager opened for the server.
        let listened: BTreeSet<u16> = sockets
            .iter()
            .filter(|socket| socket.state == LISTEN)
            .map(|socket| socket.local.1)
            .collect();
        let sessions: Vec<Session> = all()
            .filter(|(socket, _)| socket.is_open() && listened.contains(&socket.local.1))
            .map(|(socket, processes)| Session {
                peer: socket.remote,
                local: socket.local,
                processes: processes.clone(),
            })
            .collect();
        let serves_session = |process: &u32| {
            let mut sessions = sessions.iter();
            sessions.any(|session| session.processes.contains(process))
        };
        let listening = all()
            .filter(|(socket, _)| socket.state == LISTEN)
            .filter(|(_, processes)| !processes.iter().all(serves_session))
            .map(|(socket, _)| socket.local);
        let ports = listening
            .chain(sessions.iter().map(|session| session.local))
            .filter(|(address, _)| !address.is_loopback())
            .map(|(_, port)| port)
            .collect();
        Self { sessions, ports }
    }

    /// The session of a command's caller: the one that it names, if that connection exists, else the one
    /// that one of its ancestor processes holds.
    pub(super) fn session_of(&self, caller: &Caller) -> Option<Session> {
        let named = caller.ssh.and_then(|(peer, local)| {
            let (peer, local) = (canonical(peer), canonical(local));
            let is_it = |socket: &&Socket| {
                socket.is_open() && socket.remote == peer && socket.local == local
            };
            sockets::tcp().iter().find(is_it).map(|_there| Session {
                peer,
                local,
                processes: BTreeSet::new(),
            })
        });
        named.or_else(|| {
            let above = ancestors(caller.process?);
            let mut sessions = self.sessions.iter();
            sessions
                .find(|session| {
                    above
                        .iter()
                        .any(|process| session.processes.contains(process))
                })
                .cloned()
        })
    }
}

fn canonical(end: SocketAddr) -> (IpAddr, u16) {
    (end.ip().to_canonical(), end.port())
}

/// The sockets of SSH servers, by inode, and the processes that hold them.
fn holders() -> BTreeMap<u64, BTreeSet<u32>> {
    let mut found: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    // Processes may end meanwhile: those that cannot be read are gone.
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = process.file_name().to_str().and_then(|id| id.parse().ok()) else {
            continue;
        };
        let path = process.path();
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        if !SERVERS.contains(&name.trim_end()) {
            continue;
        }
        for inode in sockets::held_by(&path) {
            found.entry(inode).or_default().insert(id);
        }
    }
    found
}

/// A process and its ancestors.
fn ancestors(process: u32) -> Vec<u32> {
    let mut found = vec![process];
    let mut last = process;
    while let Some(parent) = parent(last).filter(|parent| *parent > 1 && !found.contains(parent)) {
        found.push(parent);
        last = parent;
    }
    found
}

fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    parent_in(&stat)
}

/// Parses the parent from `4711 (name) S 1 …`; the name may hold spaces and parentheses.
fn parent_in(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str, port: u16) -> (IpAddr, u16) {
        (address.parse().expect("the test writes addresses"), port)
    }

    fn socket(local: (IpAddr, u16), remote: (IpAddr, u16), state: u8, inode: u64) -> Socket {
        Socket {
            local,
            remote,
            state,
            inode,
        }
    }

    #[test]
    fn sessions_and_ports_are_those_of_ssh_servers() {
        let host = at("192.0.2.10", 22);
        let peer = at("2001:db8::7", 40_000);
        let any = at("::", 0);
        let all = [
            socket(at("::", 22), any, LISTEN, 1),
            socket(at("::", 80), any, LISTEN, 2),
            socket(host, peer, 1, 3),
            socket(at("192.0.2.10", 80), peer, 1, 4),
            socket(host, at("192.0.2.9", 1), 6, 5),
            // Forwarded by the session: a display, a port, a connection of its own.
            socket(at("127.0.0.1", 6010), any, LISTEN, 6),
            socket(at("::", 8080), any, LISTEN, 7),
            socket(at("192.0.2.10", 50_000), at("192.0.2.9", 5432), 1, 8),
        ];
        let holders = [(1, 10), (3, 11), (5, 12), (6, 11), (7, 11), (8, 11)]
            .map(|(inode, process)| (inode, BTreeSet::from([process])))
            .into();
        let found = Ssh::of(&all, &holders);
        assert_eq!(found.ports, BTreeSet::from([22]));
        let session = Session {
            peer,
            local: host,
            processes: BTreeSet::from([11]),
        };
        assert_eq!(found.sessions, std::slice::from_ref(&session));
        // The session is found by the process that asks if that one holds it.
        let caller = |process| Caller {
            process: Some(process),
            ..Caller::default()
        };
        assert_eq!(found.session_of(&caller(11)), Some(session));
        assert_eq!(found.session_of(&caller(u32::MAX)), None);
    }

    #[test]
    fn the_parent_follows_a_name_of_any_kind() {
        assert_eq!(parent_in("7 (a) b) c) S 42 7 7 0"), Some(42));
        assert_eq!(parent_in("7 (sshd"), None);
        let own = std::process::id();
        let above = ancestors(own);
        assert_eq!(above.first(), Some(&own));
        assert!(above.len() > 1, "{above:?}");
    }
}
