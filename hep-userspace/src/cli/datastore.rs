//! The options that select a store, the same on every command that uses one.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use crate::{
    store::{
        Choice,
        config::{self, Environment, Wanted},
    },
    view::{Failure, FailureKind},
};

/// Kind of store, the value of `--datastore`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Datastore {
    /// YAML and JSON files below --policy-dir
    Directory,
    /// Calico's data in etcd
    Etcdv3,
    /// Calico's data in the Kubernetes API
    Kubernetes,
}

impl Datastore {
    /// The name in Calico's configuration; `None` for a directory, which it does not have.
    const fn calico(self) -> Option<&'static str> {
        match self {
            Self::Directory => None,
            Self::Etcdv3 => Some("etcdv3"),
            Self::Kubernetes => Some("kubernetes"),
        }
    }
}

/// The store that a command uses.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub struct StoreArguments {
    /// Kind of store [default: for `hep run`, directory unless DATASTORE_TYPE is set; for other commands,
    /// that of --config, else directory if --policy-dir is given, else that of
    /// /etc/calico/calicoctl.cfg or of the environment, as calicoctl has it]
    #[arg(long, value_enum, value_name = "KIND", env = "HEP_DATASTORE")]
    pub datastore: Option<Datastore>,
    /// Calico's configuration of the store [default: /etc/calico/calicoctl.cfg, or without that file the
    /// variables DATASTORE_TYPE, ETCD_ENDPOINTS, KUBECONFIG, …, each also with the prefix CALICO_]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one, or K8S_CURRENT_CONTEXT]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Directory with the policy files
    #[arg(long, value_name = "DIR", env = "HEP_POLICY_DIR")]
    pub policy_dir: Option<PathBuf>,
}

impl StoreArguments {
    /// The store of a command other than `hep run`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`](config::ConfigError), or [`Failure`] if no store is named.
    pub fn choice(&self) -> Result<Choice> {
        match (self.datastore, &self.config, &self.policy_dir) {
            (Some(Datastore::Directory), _, _) | (None, None, Some(_)) => self.directory(),
            (Some(Datastore::Etcdv3 | Datastore::Kubernetes) | None, _, _) => match self.load()? {
                Some(choice) => Ok(choice),
                None => self.directory(),
            },
        }
    }

    /// The store of the daemon: a directory unless another kind is named.
    ///
    /// # Errors
    ///
    /// [`ConfigError`](config::ConfigError), or [`Failure`] if no directory is named.
    pub fn choice_of_daemon(&self) -> Result<Choice> {
        let is_named = match self.datastore {
            Some(kind) => kind != Datastore::Directory,
            None => Environment::of_process(|environment| environment.names_datastore()),
        };
        match is_named.then(|| self.load()).transpose()?.flatten() {
            Some(choice) => Ok(choice),
            None => self.directory(),
        }
    }

    fn directory(&self) -> Result<Choice> {
        let Some(path) = &self.policy_dir else {
            let message =
                "no store is named; write --policy-dir DIR, --datastore, or --config FILE";
            return Err(Failure::new(FailureKind::Usage, message).into());
        };
        let path = std::path::absolute(path).with_context(|| format!("path {}", path.display()))?;
        Ok(Choice::Directory(path))
    }

    /// The store of Calico's configuration; `None` if there is no configuration.
    fn load(&self) -> Result<Option<Choice>> {
        let wanted = Wanted {
            file: self.config.clone(),
            datastore: self
                .datastore
                .and_then(Datastore::calico)
                .map(str::to_owned),
            context: self.context.clone(),
        };
        let kept = Environment::of_process(|environment| config::load(&wanted, environment))?;
        Ok(kept.map(|kept| {
            kept.tls.install();
            Choice::from(kept.config)
        }))
    }
}
