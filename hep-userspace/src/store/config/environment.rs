//! Settings from the environment (spec DS-005 to DS-008).

use std::path::Path;

use super::{
    ConfigError, Place,
    settings::{Name, Setting, Settings},
};

/// Prefix of variables that go before those without it.
const PREFIX: &str = "CALICO_";
/// The only variable of the token (spec DS-008).
const TOKEN: &str = "CALICO_K8SAPITOKEN";

/// Variables that choose a store where no configuration file does.
const CHOICES: [Name; 5] = [
    Name::DatastoreType,
    Name::EtcdEndpoints,
    Name::EtcdDiscovery,
    Name::Kubeconfig,
    Name::Endpoint,
];

/// Access to the environment: its variables, and files.
pub struct Environment<'e> {
    /// The value of a variable, if it is set.
    pub variable: &'e dyn Fn(&str) -> Option<String>,
    /// The content of a file, if it exists.
    pub file: &'e dyn Fn(&Path) -> Option<std::io::Result<Vec<u8>>>,
}

impl Environment<'_> {
    /// Calls `use_it` with the environment of this process.
    pub fn of_process<T>(use_it: impl FnOnce(&Environment<'_>) -> T) -> T {
        use_it(&Environment {
            variable: &|name| std::env::var(name).ok(),
            file: &|path| match std::fs::read(path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                read => Some(read),
            },
        })
    }

    /// Whether a variable names the kind of store, with or without the prefix.
    #[must_use]
    pub fn names_datastore(&self) -> bool {
        setting(Name::DatastoreType, self).is_some_and(|it| !it.text.is_empty())
    }
}

/// Reads the settings from variables.
///
/// # Errors
///
/// The first variable with a malformed value, an empty one included (spec DS-007).
pub(super) fn settings(environment: &Environment<'_>) -> Result<Settings, ConfigError> {
    let mut settings = Settings::default();
    for name in Name::ALL {
        if let Some(setting) = setting(name, environment) {
            settings.set(name, setting)?;
        }
    }
    Ok(settings)
}

/// Whether variables choose a store.
pub(super) fn chooses(environment: &Environment<'_>) -> bool {
    let is_set = |name| setting(name, environment).is_some_and(|it| !it.text.is_empty());
    CHOICES.into_iter().any(is_set)
}

/// A setting; a variable with the prefix hides the one without, even if it is empty (spec DS-006).
fn setting(name: Name, environment: &Environment<'_>) -> Option<Setting> {
    let prefixed;
    let names: &[&str] = match (name, name.variable()) {
        (Name::Token, _) => &[TOKEN],
        (_, None) => &[],
        (_, Some(plain)) => {
            prefixed = format!("{PREFIX}{plain}");
            &[&prefixed, plain]
        }
    };
    names.iter().find_map(|name| {
        let text = (environment.variable)(name)?;
        let place = Place::Variable((*name).into());
        Some(Setting { text, place })
    })
}
