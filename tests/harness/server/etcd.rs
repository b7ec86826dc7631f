//! Clusters of etcd: one member or several, with or without TLS and users.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    certificates::{Authority, Identity, VALID},
    place::Place,
};

pub use super::member::{EtcdVersion, Member};

/// How clients connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Without TLS
    #[default]
    Plain,
    /// TLS, with any client
    Tls,
    /// TLS, with clients whose certificate the authority signed
    MutualTls,
}

/// Tokens that clients get for a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tokens {
    /// Random ones, which a member forgets when it ends
    #[default]
    Simple,
    /// Signed ones, which expire after the number of seconds
    Jwt(u32),
}

/// Configuration of a cluster.
#[derive(Clone, Debug)]
pub struct EtcdOptions {
    /// The version.
    pub version: EtcdVersion,
    /// Where it listens.
    pub place: Place,
    /// How many members it has.
    pub members: usize,
    /// How clients connect.
    pub transport: Transport,
    /// Tokens, once there are users.
    pub tokens: Tokens,
    /// Further arguments of each member.
    pub arguments: Vec<String>,
}

impl EtcdOptions {
    /// One member on the tests' own loopback, without TLS.
    #[must_use]
    pub const fn new(version: EtcdVersion) -> Self {
        Self {
            version,
            place: Place::here(),
            members: 1,
            transport: Transport::Plain,
            tokens: Tokens::Simple,
            arguments: Vec::new(),
        }
    }
}

/// A running cluster; its processes and files are gone on drop.
#[derive(Debug)]
pub struct EtcdServer {
    pub(super) options: EtcdOptions,
    pub(super) members: Vec<Member>,
    pub(super) authority: Authority,
    /// The certificate of its own tool.
    pub(super) tool: Identity,
    /// Name and password of its own tool, once there are users.
    pub(super) administrator: Option<String>,
    folder: TempDir,
}

impl EtcdServer {
    /// Starts a cluster and waits until it serves.
    ///
    /// # Panics
    ///
    /// If it does not; the message holds what it printed.
    #[track_caller]
    #[must_use]
    pub fn start(options: &EtcdOptions) -> Self {
        let mut server = Self::prepare(options);
        server.launch();
        server
    }

    fn prepare(options: &EtcdOptions) -> Self {
        let folder = tempfile::Builder::new().prefix("hep-etcd-").tempdir();
        let folder = folder.expect("make a folder for etcd");
        let authority = Authority::new(&folder.path().join("certificates"));
        let scheme = match options.transport {
            Transport::Plain => "http",
            Transport::Tls | Transport::MutualTls => "https",
        };
        let member = |number| {
            Member::new(
                options.version,
                &options.place,
                scheme,
                folder.path(),
                number,
            )
        };
        let mut server = Self {
            members: (0..options.members).map(member).collect(),
            tool: authority.client("root", &VALID),
            authority,
            options: options.clone(),
            administrator: None,
            folder,
        };
        server.renew(&VALID);
        let arguments = server.arguments();
        for member in &mut server.members {
            member.configure(arguments.clone());
        }
        server
    }

    /// Arguments that all members share.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = self.cluster();
        arguments.extend(["--initial-cluster-state".to_owned(), "new".to_owned()]);
        if self.options.members == 1 {
            // Alone, it waits for nobody's vote.
            let quick = ["--heartbeat-interval=10", "--election-timeout=100"];
            arguments.extend(quick.map(str::to_owned));
        }
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        let own = self.identity();
        if self.options.transport != Transport::Plain {
            let files = ["--cert-file".to_owned(), shown(&own.certificate)];
            arguments.extend(files);
            arguments.extend(["--key-file".to_owned(), shown(&own.key)]);
        }
        if self.options.transport == Transport::MutualTls {
            let signer = shown(&self.authority.certificate());
            let files = ["--trusted-ca-file".to_owned(), signer];
            arguments.extend(files);
            arguments.push("--client-cert-auth".to_owned());
        }
        if let Tokens::Jwt(seconds) = self.options.tokens {
            let secret = self.folder.path().join("secret");
            std::fs::write(&secret, [0x5a; 64]).expect("write the tokens' secret");
            let secret = shown(&secret);
            arguments.push(format!(
                "--auth-token=jwt,sign-method=HS256,priv-key={secret},ttl={seconds}s"
            ));
        }
        arguments.extend(self.options.arguments.iter().cloned());
        arguments
    }

    /// Arguments that name every member.
    fn cluster(&self) -> Vec<String> {
        let members = self.members.iter();
        let members: Vec<_> = members
            .map(|member| format!("{}={}", member.name, member.peer_url()))
            .collect();
        vec![
            "--initial-cluster".to_owned(),
            members.join(","),
            "--initial-cluster-token=hep".to_owned(),
        ]
    }

    fn identity(&self) -> Identity {
        let folder = self.folder.path().join("certificates");
        Identity {
            certificate: folder.join("server.crt"),
            key: folder.join("server.key"),
        }
    }

    /// Replaces the servers' certificate by one that is valid in these years: members read it at the next
    /// connection.
    pub fn renew(&self, years: &Range<i32>) {
        let address = self.options.place.address();
        let _written: Identity = self.authority.server("server", address, years);
    }

    /// The authority that signs for servers and clients.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// URLs of all members.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(Member::endpoint).collect()
    }

    /// One member.
    ///
    /// # Panics
    ///
    /// If there are not as many.
    pub fn member(&mut self, number: usize) -> &mut Member {
        &mut self.members[number]
    }

    /// Runs every member on the data that it has, and waits until all serve.
    ///
    /// # Panics
    ///
    /// If one does not, or runs already.
    #[track_caller]
    pub fn launch(&mut self) {
        for member in &mut self.members {
            member.launch();
        }
        for member in &mut self.members {
            member.wait();
        }
    }

    /// Ends every member in order.
    pub fn stop(&mut self) {
        self.members.iter_mut().for_each(Member::stop);
    }

    /// Ends every member by SIGKILL.
    pub fn kill(&mut self) {
        self.members.iter_mut().for_each(Member::kill);
    }

    /// Halts every member: connections stay, and are silent.
    pub fn pause(&self) {
        self.members.iter().for_each(Member::pause);
    }

    /// Has every member continue after [`EtcdServer::pause`].
    pub fn resume(&self) {
        self.members.iter().for_each(Member::resume);
    }

    /// Starts again with nothing, as a new cluster at the same addresses. Users are gone, too.
    ///
    /// # Panics
    ///
    /// If it does not serve.
    #[track_caller]
    pub fn wipe(&mut self) {
        self.members.iter_mut().for_each(Member::wipe);
        self.administrator = None;
        self.launch();
    }

    /// Starts again with the content of a snapshot of [`EtcdServer::save`]: revisions go back.
    ///
    /// # Panics
    ///
    /// If it does not serve.
    #[track_caller]
    pub fn restore(&mut self, snapshot: &Path) {
        let cluster = self.cluster();
        for member in &mut self.members {
            member.restore(snapshot, &cluster);
        }
        self.launch();
    }

    /// A path for a file that is gone on drop.
    #[must_use]
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
