//! The API server of Kubernetes, alone: no node, no controller, no scheduler.

use std::{fs, net::SocketAddr, ops::Range, path::PathBuf, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    certificates::{Authority, Identity, VALID, write_key_pair},
    etcd::{EtcdOptions, EtcdServer, EtcdVersion},
    installed::installed,
    kubeconfig::kubeconfig,
    place::Place,
    process::Process,
};
use crate::hep::Output;

/// A user of the API server, each with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// Everything
    Administrator,
    /// The permissions that a test grants it: none at first
    Agent,
}

impl Account {
    /// Every user.
    const ALL: [Self; 2] = [Self::Administrator, Self::Agent];

    /// The user's name in roles and in the audit log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Agent => "agent",
        }
    }

    /// The user's token.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Administrator => "administrator-token",
            Self::Agent => "agent-token",
        }
    }

    /// A line of the server's file of tokens.
    fn line(self) -> String {
        let groups = match self {
            Self::Administrator => "system:masters",
            Self::Agent => "",
        };
        format!(
            "{},{},{},\"{groups}\"\n",
            self.token(),
            self.name(),
            self.name()
        )
    }
}

/// Every request of every user is recorded once, when it has been answered.
const AUDIT_POLICY: &str = "{\"apiVersion\": \"audit.k8s.io/v1\", \"kind\": \"Policy\", \
     \"omitStages\": [\"RequestReceived\", \"ResponseStarted\"], \"rules\": [{\"level\": \"Metadata\"}]}";

/// Configuration of an API server.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// Where it listens.
    pub place: Place,
    /// The version of the etcd beneath.
    pub etcd: EtcdVersion,
    /// Further arguments.
    pub arguments: Vec<String>,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            place: Place::here(),
            etcd: EtcdVersion::V3_6,
            arguments: Vec::new(),
        }
    }
}

/// A running API server with its etcd; processes and files are gone on drop.
#[derive(Debug)]
pub struct ApiServer {
    process: Process,
    options: ApiOptions,
    address: SocketAddr,
    authority: Authority,
    etcd: EtcdServer,
    folder: TempDir,
}

impl ApiServer {
    /// Starts one with default options, and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If it does not become ready; the message holds what it printed.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&ApiOptions::default())
    }

    /// Starts one and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If it does not become ready; the message holds what it printed.
    #[track_caller]
    #[must_use]
    pub fn start_with(options: &ApiOptions) -> Self {
        let folder = tempfile::Builder::new().prefix("hep-api-").tempdir();
        let folder = folder.expect("make a folder for the API server");
        let log = folder.path().join("log");
        let mut server = Self {
            process: Process::new(options.place.clone(), log),
            address: options.place.free_port(),
            authority: Authority::new(&folder.path().join("certificates")),
            etcd: EtcdServer::start(&EtcdOptions {
                place: options.place.clone(),
                ..EtcdOptions::new(options.etcd)
            }),
            options: options.clone(),
            folder,
        };
        server.write_files();
        server.launch();
        server
    }

    fn write_files(&self) {
        let lines: String = Account::ALL.map(Account::line).concat();
        let write = |name: &str, text: &str| {
            fs::write(self.path(name), text).expect("write a file of the API server");
        };
        write("tokens", &lines);
        write("audit.policy", AUDIT_POLICY);
        write_key_pair(&self.path("tokens.key"), &self.path("tokens.pub"));
        self.renew(&VALID);
        for account in Account::ALL {
            let text = kubeconfig(&self.url(), &self.authority.certificate(), account.token());
            write(&format!("{}.kubeconfig", account.name()), &text);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arguments(&self) -> Vec<String> {
        let shown = |name: &str| self.path(name).to_string_lossy().into_owned();
        let signer = self.authority.certificate();
        let mut arguments = vec![
            format!("--etcd-servers={}", self.etcd.endpoints().join(",")),
            format!("--bind-address={}", self.address.ip()),
            format!("--advertise-address={}", self.address.ip()),
            format!("--secure-port={}", self.address.port()),
            format!("--tls-cert-file={}", shown("certificates/server.crt")),
            format!(
                "--tls-private-key-file={}",
                shown("certificates/server.key")
            ),
            format!("--client-ca-file={}", signer.display()),
            format!("--token-auth-file={}", shown("tokens")),
            format!("--service-account-key-file={}", shown("tokens.pub")),
            format!("--service-account-signing-key-file={}", shown("tokens.key")),
            format!("--audit-policy-file={}", shown("audit.policy")),
            format!("--audit-log-path={}", shown("audit.log")),
            "--audit-log-mode=blocking".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            // One server needs no list of servers.
            "--endpoint-reconciler-type=none".to_owned(),
            // Pods need service accounts otherwise, which a controller would make.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
        ];
        arguments.extend(self.options.arguments.iter().cloned());
        arguments
    }

    /// Runs it on the data of its etcd, and waits until it is ready.
    ///
    /// # Panics
    ///
    /// If it does not become ready, or runs already.
    #[track_caller]
    pub fn launch(&mut self) {
        let mut command = installed("kube-apiserver");
        command.args(self.arguments());
        self.process.start(&command);
        let mut ready = self.kubectl(&["get", "--raw", "/readyz"]);
        let place = self.options.place.clone();
        let mut is_ready = || place.run(|| Output::by(&mut ready)).code == 0;
        self.process.wait_until(|_process| is_ready());
    }

    /// Ends it in order; its etcd goes on.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Ends it by SIGKILL; its etcd goes on.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Halts it by SIGSTOP: its connections stay, and are silent.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Has it continue after [`ApiServer::pause`].
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Replaces the server's certificate by one that is valid in these years. It is read within a minute, or
    /// at the next start.
    pub fn renew(&self, years: &Range<i32>) {
        let address = self.address.ip();
        let _written: Identity = self.authority.server("server", address, years);
    }

    /// The authority that signed its certificate. A client's certificate names a user.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Its etcd.
    pub const fn etcd(&mut self) -> &mut EtcdServer {
        &mut self.etcd
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A kubeconfig file for a user.
    #[must_use]
    pub fn kubeconfig(&self, account: Account) -> PathBuf {
        self.path(&format!("{}.kubeconfig", account.name()))
    }

    pub(super) const fn place(&self) -> &Place {
        &self.options.place
    }

    /// A path for a file that is gone on drop.
    #[must_use]
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.path(name)
    }

    /// The requests of a user that would have changed something, from the audit log: verb and URI.
    #[must_use]
    pub fn writes_of(&self, account: Account) -> Vec<String> {
        const READING: [&str; 3] = ["get", "list", "watch"];
        let written = |event: &Value| {
            let (verb, uri) = (event["verb"].as_str()?, event["requestURI"].as_str()?);
            let is_write = !READING.contains(&verb) && event["user"]["username"] == account.name();
            is_write.then(|| format!("{verb} {uri}"))
        };
        self.audit().iter().filter_map(written).collect()
    }

    /// Every event of the audit log.
    ///
    /// # Panics
    ///
    /// If the log cannot be read.
    #[must_use]
    pub fn audit(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("audit.log")).expect("read the audit log");
        // The last line may be in the making.
        let events = text.lines().map(serde_json::from_str);
        events.filter_map(Result::ok).collect()
    }

    /// The end of what it printed.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// `kubectl` with the rights of an administrator.
    #[must_use]
    pub fn kubectl(&self, arguments: &[&str]) -> Command {
        self.kubectl_as(Account::Administrator, arguments)
    }

    /// `kubectl` with the rights of a user.
    #[must_use]
    pub fn kubectl_as(&self, account: Account, arguments: &[&str]) -> Command {
        let mut command = installed("kubectl");
        command.arg("--kubeconfig").arg(self.kubeconfig(account));
        command.arg("--cache-dir").arg(self.path("cache"));
        command.args(arguments);
        command
    }
}
