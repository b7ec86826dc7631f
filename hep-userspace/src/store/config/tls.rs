//! Limits on TLS, from the environment (spec DS-017).

use rustls::crypto::{CryptoProvider, ring};

use super::{ConfigError, Place, environment::Environment};

const VERSION: &str = "TLS_MIN_VERSION";
const SUITES: &str = "TLS_CIPHER_SUITES";

/// Suites of TLS 1.2 as Calico names them. The others that it knows have no forward secrecy or no
/// authenticated encryption, and are never offered.
const NAMED: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// Suites that Calico knows and hep never offers.
const WEAK: [&str; 10] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
];

/// Limits on the versions and suites of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsLimits {
    /// Only TLS 1.3.
    pub only_1_3: bool,
    /// The suites of TLS 1.2 that may be used; `None` for all.
    pub suites: Option<Vec<String>>,
}

impl TlsLimits {
    pub(super) fn new(environment: &Environment<'_>) -> Result<Self, ConfigError> {
        let text = |name| (environment.variable)(name).unwrap_or_default();
        let list = text(SUITES);
        let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
        let is_known = |name: &&String| NAMED.iter().chain(&WEAK).any(|known| known == name);
        if list.is_empty() {
            return Ok(Self {
                only_1_3: text(VERSION) == "1.3",
                suites: None,
            });
        }
        if let Some(other) = names.iter().find(|name| !is_known(name)) {
            let place = Place::Variable(SUITES.into());
            return Err(ConfigError::setting(
                &place,
                format!("unsupported cipher suite: {other}"),
            ));
        }
        Ok(Self {
            only_1_3: text(VERSION) == "1.3",
            suites: Some(names),
        })
    }

    /// Applies the limits to all connections of this process; call it before the first.
    pub fn install(&self) {
        let mut provider = ring::default_provider();
        provider
            .cipher_suites
            .retain(|suite| match suite.suite().as_str() {
                Some(name) if name.starts_with("TLS13_") => true,
                Some(name) => {
                    let listed = |names: &Vec<String>| names.iter().any(|listed| listed == name);
                    !self.only_1_3 && self.suites.as_ref().is_none_or(listed)
                }
                None => false,
            });
        // The first one stays if there is one already, as of an earlier call in this process.
        drop(CryptoProvider::install_default(provider));
    }
}
