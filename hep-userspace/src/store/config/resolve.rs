//! From settings to a configuration: defaults, and what may not be together.

use std::path::{Path, PathBuf};

use super::{
    Config, ConfigError, EtcdConfig, EtcdTls, KubernetesConfig, Place,
    environment::Environment,
    settings::{Name, Settings},
};

const ETCD: &str = "etcdv3";
const KUBERNETES: &str = "kubernetes";

/// Options of the command line that go before the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The configuration file; `None` for the usual one, which need not exist.
    pub file: Option<PathBuf>,
    /// The kind of store, `etcdv3` or `kubernetes`, whatever the configuration says.
    pub datastore: Option<String>,
    /// The context of the kubeconfig, whatever the configuration says (spec DS-013).
    pub context: Option<String>,
}

/// The configuration of these settings.
///
/// # Errors
///
/// The first setting that is wrong, or missing.
pub(super) fn config(
    settings: &Settings,
    wanted: &Wanted,
    environment: &Environment<'_>,
) -> Result<Config, ConfigError> {
    let (kind, place) = match &wanted.datastore {
        Some(kind) => (kind.as_str(), Place::Nowhere),
        None => (
            settings.text(Name::DatastoreType),
            settings.place(Name::DatastoreType),
        ),
    };
    match kind {
        ETCD => etcd(settings).map(Config::Etcd),
        KUBERNETES => Ok(Config::Kubernetes(kubernetes(
            settings,
            wanted,
            environment,
        ))),
        // Spec DS-009.
        "" if settings.has(Name::EtcdEndpoints) => etcd(settings).map(Config::Etcd),
        "" => Ok(Config::Kubernetes(kubernetes(
            settings,
            wanted,
            environment,
        ))),
        other => Err(ConfigError::setting(
            &place,
            format!("unknown datastore type: {other}"),
        )),
    }
}

fn etcd(settings: &Settings) -> Result<EtcdConfig, ConfigError> {
    let endpoints = settings.given(Name::EtcdEndpoints);
    let discovery = settings.given(Name::EtcdDiscovery);
    let place = settings.place(Name::EtcdEndpoints);
    let endpoints: Vec<String> = match (&endpoints, &discovery) {
        (Some(_), Some(_)) => {
            let text = "multiple discovery or bootstrap options specified, use either \
                        \"etcdEndpoints\" or \"etcdDiscoverySrv\"";
            return Err(ConfigError::setting(
                &settings.place(Name::EtcdDiscovery),
                text,
            ));
        }
        (None, None) => return Err(ConfigError::setting(&place, "no etcd endpoints specified")),
        (Some(list), None) => list.split(',').map(str::to_owned).collect(),
        (None, Some(_)) => Vec::new(),
    };
    let is_url = |url: &&String| url.starts_with("http://") || url.starts_with("https://");
    if let Some(other) = endpoints.iter().find(|url| !is_url(url)) {
        let text =
            format!("endpoint {other:?} must begin with http:// or https://, without spaces");
        return Err(ConfigError::setting(&place, text));
    }
    let user = settings.given(Name::EtcdUsername);
    Ok(EtcdConfig {
        endpoints,
        discovery,
        credentials: user.zip(settings.given(Name::EtcdPassword)),
        tls: etcd_tls(settings)?,
    })
}

/// Certificates, from files or inline, never from both (spec DS-016).
fn etcd_tls(settings: &Settings) -> Result<Option<EtcdTls>, ConfigError> {
    let inline = [Name::EtcdCert, Name::EtcdKey, Name::EtcdCa];
    let files = [Name::EtcdCertFile, Name::EtcdKeyFile, Name::EtcdCaFile];
    let first = |names: [Name; 3]| names.into_iter().find(|name| settings.has(*name));
    let pair = |[certificate, key, _]: [Name; 3]| {
        let (certificate, key) = (settings.given(certificate), settings.given(key));
        certificate.zip(key)
    };
    let incomplete = |name: Name, [certificate, key, _]: [Name; 3]| {
        let text = format!("{} and {} need each other", certificate.key(), key.key());
        ConfigError::setting(&settings.place(name), text)
    };
    match (first(inline), first(files)) {
        (None, None) => Ok(None),
        (Some(one), Some(other)) => {
            let text = format!("{} cannot be used together with {}", one.key(), other.key());
            Err(ConfigError::setting(&settings.place(other), text))
        }
        (Some(name), None) => {
            let (certificate, key) = pair(inline).ok_or_else(|| incomplete(name, inline))?;
            let authority = settings.given(Name::EtcdCa);
            Ok(Some(EtcdTls::Inline {
                certificate,
                key,
                authority: authority.map(|text| first_block(&text).to_owned()),
            }))
        }
        (None, Some(name)) => {
            let has_either = settings.has(Name::EtcdCertFile) || settings.has(Name::EtcdKeyFile);
            let client = pair(files);
            if has_either && client.is_none() {
                return Err(incomplete(name, files));
            }
            Ok(Some(EtcdTls::Files {
                client: client.map(|(certificate, key)| (certificate.into(), key.into())),
                authority: settings.given(Name::EtcdCaFile).map(PathBuf::from),
            }))
        }
    }
}

/// The first block of a PEM text.
fn first_block(text: &str) -> &str {
    let end = text.find("-----END").map(|at| {
        let behind = &text[at..];
        let line = behind.find('\n').unwrap_or(behind.len());
        at + line
    });
    &text[..end.unwrap_or(text.len())]
}

fn kubernetes(
    settings: &Settings,
    wanted: &Wanted,
    environment: &Environment<'_>,
) -> KubernetesConfig {
    let path = |name| settings.given(name).map(PathBuf::from);
    KubernetesConfig {
        inline: settings.given(Name::KubeconfigInline),
        kubeconfig: kubeconfig(settings, environment),
        context: wanted
            .context
            .clone()
            .or_else(|| settings.given(Name::Context)),
        endpoint: settings.given(Name::Endpoint),
        certificate: path(Name::CertFile),
        key: path(Name::KeyFile),
        authority: path(Name::CaFile),
        token: settings.given(Name::Token),
        skips_verification: settings.is_true(Name::SkipsVerification),
        api_group: settings.given(Name::ApiGroup),
    }
}

/// The kubeconfigs, without repeats; the one of the user's home if there is neither one nor a server (spec
/// DS-010, DS-012).
fn kubeconfig(settings: &Settings, environment: &Environment<'_>) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let list = settings.text(Name::Kubeconfig).split(':');
    for path in list.filter(|path| !path.is_empty()).map(PathBuf::from) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    if !settings.has(Name::Kubeconfig) && !settings.has(Name::Endpoint) {
        let home = (environment.variable)("HOME").filter(|home| !home.is_empty());
        let path = home.map(|home| Path::new(&home).join(".kube/config"));
        paths.extend(path.filter(|path| (environment.file)(path).is_some()));
    }
    paths
}
