//! Configuration of a client of Calico's stores: what calicoctl reads from its file or the environment
//! (spec DS-001 to DS-017).

mod environment;
mod error;
mod file;
mod load;
mod resolve;
mod settings;
#[cfg(test)]
mod tests;
mod tls;

use std::path::PathBuf;

pub use environment::Environment;
pub use error::{ConfigError, Place};
pub use load::{Kept, load};
pub use resolve::Wanted;
pub use tls::TlsLimits;

/// How to reach etcd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdConfig {
    /// URLs of the members, each `http://` or `https://`.
    pub endpoints: Vec<String>,
    /// DNS domain whose records name the members, in place of `endpoints`.
    pub discovery: Option<String>,
    /// User and password, if both are given.
    pub credentials: Option<(String, String)>,
    /// Certificates; `None` for plain text.
    pub tls: Option<EtcdTls>,
}

/// Certificates for etcd, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EtcdTls {
    /// Files, read again at each connection, so that replaced ones are noticed.
    Files {
        /// Certificate and key of the client.
        client: Option<(PathBuf, PathBuf)>,
        /// The authority of the servers; `None` for those of the system.
        authority: Option<PathBuf>,
    },
    /// The texts themselves.
    Inline {
        /// Certificate of the client.
        certificate: String,
        /// Its key.
        key: String,
        /// The authority of the servers, the first if there are several; `None` for those of the system.
        authority: Option<String>,
    },
}

/// How to reach the Kubernetes API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesConfig {
    /// Whole text of a kubeconfig, which ignores everything below but the API group.
    pub inline: Option<String>,
    /// Paths of kubeconfigs; empty: those in the cluster's pods.
    pub kubeconfig: Vec<PathBuf>,
    /// The context; `None` for the current one.
    pub context: Option<String>,
    /// URL of the server.
    pub endpoint: Option<String>,
    /// Certificate of the client, PEM file.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The authority of the server.
    pub authority: Option<PathBuf>,
    /// Bearer token.
    pub token: Option<String>,
    /// Whether the server's certificate is not verified.
    pub skips_verification: bool,
    /// The API group as configured; `None` to look which one is served (spec DS-105).
    pub api_group: Option<String>,
}

/// Where policy is kept, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Config {
    /// In etcd.
    Etcd(EtcdConfig),
    /// In the Kubernetes API.
    Kubernetes(KubernetesConfig),
}

impl std::fmt::Display for Config {
    /// The kind of store and where it is, without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Etcd(config) => write!(f, "etcdv3:{}", config.endpoints.join(",")),
            Self::Kubernetes(config) => match (&config.endpoint, config.kubeconfig.as_slice()) {
                (Some(endpoint), _) => write!(f, "kubernetes:{endpoint}"),
                (None, [path, ..]) => write!(f, "kubernetes:{}", path.display()),
                (None, []) => f.write_str("kubernetes"),
            },
        }
    }
}
