//! The choice of a store, and its opening for single reads and writes.

use std::path::PathBuf;

use super::{
    config::{Config, EtcdConfig, KubernetesConfig},
    etcd::EtcdClient,
    kubernetes::KubernetesClient,
    objects::{Client, ClientError},
};

/// A store and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// YAML and JSON files below a directory.
    Directory(PathBuf),
    /// Calico's data in etcd.
    Etcd(EtcdConfig),
    /// Calico's data in the Kubernetes API.
    Kubernetes(KubernetesConfig),
}

impl From<Config> for Choice {
    fn from(config: Config) -> Self {
        match config {
            Config::Etcd(etcd) => Self::Etcd(etcd),
            Config::Kubernetes(kubernetes) => Self::Kubernetes(kubernetes),
        }
    }
}

/// Opens a store for single reads and writes; needs a tokio runtime.
///
/// # Errors
///
/// [`ClientError::Store`] and [`ClientError::Unauthorized`].
pub async fn open(choice: &Choice) -> Result<Box<dyn Client>, ClientError> {
    match choice {
        Choice::Etcd(etcd) => Ok(Box::new(EtcdClient::connect(etcd).await?)),
        Choice::Kubernetes(kubernetes) => {
            Ok(Box::new(KubernetesClient::connect(kubernetes).await?))
        }
        Choice::Directory(_) => Err(ClientError::Store("a directory is no server".to_owned())),
    }
}
