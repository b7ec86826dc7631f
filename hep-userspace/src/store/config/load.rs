//! Loading: which of file and environment counts, and which kind of store.

use std::path::Path;

use super::{
    Config, ConfigError, TlsLimits,
    environment::{self, Environment},
    file,
    resolve::{self, Wanted},
};

/// The file that is read unless another one is named (spec DS-002).
const DEFAULT_FILE: &str = "/etc/calico/calicoctl.cfg";

/// A configuration that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The store.
    pub config: Config,
    /// Limits on TLS.
    pub tls: TlsLimits,
}

/// Reads the configuration from the file, or from variables without one: never from both (spec DS-003).
/// `None` if neither says anything and no kind of store is wanted.
///
/// # Errors
///
/// The first mistake.
pub fn load(wanted: &Wanted, environment: &Environment<'_>) -> Result<Option<Kept>, ConfigError> {
    let path = wanted.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
    let unreadable = || ConfigError::Unreadable(path.to_path_buf());
    let settings = match (environment.file)(path) {
        Some(text) => file::settings(path, &text.map_err(|_hidden| unreadable())?)?,
        None if wanted.file.is_some() => return Err(unreadable()),
        None if wanted.datastore.is_none() && !environment::chooses(environment) => {
            return Ok(None);
        }
        None => environment::settings(environment)?,
    };
    let config = resolve::config(&settings, wanted, environment)?;
    let tls = TlsLimits::new(environment)?;
    Ok(Some(Kept { config, tls }))
}
