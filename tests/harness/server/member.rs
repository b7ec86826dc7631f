//! One process of etcd, with its data.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use super::{installed::installed, place::Place, process::Process};
use crate::program::program;

/// Printed by either version once clients are served.
const SERVES: &str = "ready to serve client requests";

/// Versions of etcd that stores run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EtcdVersion {
    /// 3.4, Debian's
    V3_4,
    /// 3.6, built by the set-up
    V3_6,
}

impl EtcdVersion {
    /// Every version.
    pub const ALL: [Self; 2] = [Self::V3_4, Self::V3_6];

    fn server(self) -> Command {
        match self {
            Self::V3_4 => program("etcd"),
            Self::V3_6 => installed("etcd"),
        }
    }

    /// The tool that turns a snapshot into this version's data.
    fn restorer(self) -> Command {
        match self {
            Self::V3_4 => program("etcdctl"),
            Self::V3_6 => installed("etcdutl"),
        }
    }
}

/// A member of a cluster; killed on drop.
#[derive(Debug)]
pub struct Member {
    pub(super) name: String,
    pub(super) version: EtcdVersion,
    pub(super) client: SocketAddr,
    pub(super) peer: SocketAddr,
    /// Scheme of the clients' address.
    pub(super) scheme: &'static str,
    data: PathBuf,
    process: Process,
    /// Arguments that name the cluster and the rest of the configuration.
    arguments: Vec<String>,
}

impl Member {
    /// A member on free ports, with its files below a folder; nothing runs yet.
    pub(super) fn new(
        version: EtcdVersion,
        place: &Place,
        scheme: &'static str,
        folder: &Path,
        number: usize,
    ) -> Self {
        let name = format!("m{number}");
        Self {
            version,
            client: place.free_port(),
            peer: place.free_port(),
            scheme,
            data: folder.join(&name),
            process: Process::new(place.clone(), folder.join(format!("{name}.log"))),
            arguments: Vec::new(),
            name,
        }
    }

    pub(super) fn configure(&mut self, arguments: Vec<String>) {
        self.arguments = arguments;
    }

    /// The URL for clients.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.client)
    }

    pub(super) fn peer_url(&self) -> String {
        format!("http://{}", self.peer)
    }

    /// Runs it on the data that it has, and does not wait.
    ///
    /// # Panics
    ///
    /// If it cannot be run, or runs already.
    pub fn launch(&mut self) {
        let mut command = self.version.server();
        let (client, peer) = (self.endpoint(), self.peer_url());
        command.args(["--name", &self.name]).arg("--data-dir");
        command.arg(&self.data);
        command.args(["--listen-client-urls", &client]);
        command.args(["--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer]);
        command.args(["--initial-advertise-peer-urls", &peer]);
        command.args(&self.arguments);
        self.process.start(&command);
    }

    /// Waits until it serves clients, which it does as soon as its cluster has a leader.
    ///
    /// # Panics
    ///
    /// If it ends, or that takes too long.
    #[track_caller]
    pub fn wait(&mut self) {
        self.process.wait_for(SERVES);
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Ends it by SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Halts it by SIGSTOP: its connections stay, and are silent.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Has it continue after [`Member::pause`].
    pub fn resume(&self) {
        self.process.resume();
    }

    /// The end of what it printed.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Removes its data; it must not run.
    ///
    /// # Panics
    ///
    /// If the data cannot be removed.
    pub(super) fn wipe(&mut self) {
        self.process.kill();
        if self.data.exists() {
            fs::remove_dir_all(&self.data).expect("remove a member's data");
        }
    }

    /// Has the data of a snapshot from its next start on; it must not run.
    ///
    /// # Panics
    ///
    /// If the snapshot cannot be read.
    pub(super) fn restore(&mut self, snapshot: &Path, cluster: &[String]) {
        self.wipe();
        let mut command = self.version.restorer();
        command.args(["snapshot", "restore"]).arg(snapshot);
        command.args(["--name", &self.name]).arg("--data-dir");
        command.arg(&self.data).args(cluster);
        command.args(["--initial-advertise-peer-urls", &self.peer_url()]);
        drop(crate::hep::Output::by(&mut command).exits(0));
    }
}
