//! Access to the API server from a configuration: kubeconfigs, what is laid over them, and a pod's service
//! account (spec DS-010 to DS-012).

use std::{collections::BTreeSet, path::PathBuf};

use kube::config::{
    AuthInfo, Cluster, Config, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster,
    NamedContext,
};

use super::failure::{Failure, chain};
use crate::store::config::KubernetesConfig;

/// The name of everything in the kubeconfig of one context that is made here.
const NAME: &str = "hep";

/// Reads the files that a configuration names.
///
/// # Errors
///
/// [`Failure::Config`].
pub(super) async fn access(settings: &KubernetesConfig) -> Result<Config, Failure> {
    let options = KubeConfigOptions::default();
    if let Some(text) = &settings.inline {
        let kubeconfig = Kubeconfig::from_yaml(text).map_err(unusable)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        return config.map_err(unusable);
    }
    let merged = merged(&settings.kubeconfig)?;
    match overlaid(merged, settings)? {
        Some(kubeconfig) => {
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
            config.map_err(unusable)
        }
        None => Config::incluster_env().map_err(|error| {
            Failure::Config(format!(
                "invalid configuration: no configuration has been provided, and this is no pod of a cluster: {}",
                chain(&error)
            ))
        }),
    }
}

/// The kubeconfigs as one: a single one must exist, of several those that exist.
fn merged(paths: &[PathBuf]) -> Result<Kubeconfig, Failure> {
    let mut seen = BTreeSet::new();
    let is_single = paths.len() == 1;
    paths
        .iter()
        .filter(|path| !path.as_os_str().is_empty() && seen.insert(path.as_path()))
        .filter(|path| is_single || path.exists())
        .try_fold(Kubeconfig::default(), |merged, path| {
            let next = Kubeconfig::read_from(path).map_err(|error| {
                Failure::Config(format!("read {}: {}", path.display(), chain(&error)))
            })?;
            merged.merge(next).map_err(unusable)
        })
}

/// The chosen context with the settings laid over it; `None` if no server is named anywhere.
fn overlaid(
    merged: Kubeconfig,
    settings: &KubernetesConfig,
) -> Result<Option<Kubeconfig>, Failure> {
    let chosen = settings
        .context
        .as_ref()
        .or(merged.current_context.as_ref())
        .filter(|name| !name.is_empty());
    let context = match chosen {
        None => Context::default(),
        Some(name) => merged
            .contexts
            .iter()
            .find(|it| it.name == *name)
            .and_then(|it| it.context.clone())
            .ok_or_else(|| {
                Failure::Config(format!(
                    "invalid configuration: context was not found: {name}"
                ))
            })?,
    };
    let cluster = merged.clusters.into_iter();
    let cluster = cluster.filter(|it| it.name == context.cluster);
    let mut cluster = cluster
        .filter_map(|it| it.cluster)
        .next()
        .unwrap_or_default();
    let user = merged.auth_infos.into_iter();
    let user = user.filter(|it| Some(&it.name) == context.user.as_ref());
    let mut user = user
        .filter_map(|it| it.auth_info)
        .next()
        .unwrap_or_default();
    lay_over(&mut cluster, &mut user, settings);
    if cluster.server.is_none() {
        return Ok(None);
    }
    let context = Context {
        cluster: NAME.to_owned(),
        user: Some(NAME.to_owned()),
        ..context
    };
    Ok(Some(single(cluster, user, context)))
}

/// Lays the settings over a cluster and a user.
fn lay_over(cluster: &mut Cluster, user: &mut AuthInfo, settings: &KubernetesConfig) {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    if settings.skips_verification {
        cluster.insecure_skip_tls_verify = Some(true);
        cluster.certificate_authority = None;
        cluster.certificate_authority_data = None;
    }
    if let Some(path) = &settings.authority {
        cluster.certificate_authority = Some(text(path));
        cluster.certificate_authority_data = None;
    }
    if let Some(path) = &settings.certificate {
        user.client_certificate = Some(text(path));
        user.client_certificate_data = None;
    }
    if let Some(path) = &settings.key {
        user.client_key = Some(text(path));
        user.client_key_data = None;
    }
    if let Some(token) = &settings.token {
        user.token = Some(token.clone().into());
        user.token_file = None;
    }
    if let Some(endpoint) = &settings.endpoint {
        cluster.server = Some(endpoint.clone());
    }
    // A server without a scheme is as client-go takes it.
    if let Some(server) = cluster.server.as_mut().filter(|it| !it.contains("://")) {
        let has_tls = cluster.insecure_skip_tls_verify == Some(true)
            || cluster.certificate_authority.is_some()
            || cluster.certificate_authority_data.is_some()
            || user.client_certificate.is_some()
            || user.client_certificate_data.is_some();
        let scheme = if has_tls { "https" } else { "http" };
        *server = format!("{scheme}://{server}");
    }
}

/// A kubeconfig of one context.
fn single(cluster: Cluster, user: AuthInfo, context: Context) -> Kubeconfig {
    Kubeconfig {
        clusters: vec![NamedCluster {
            name: NAME.to_owned(),
            cluster: Some(cluster),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: NAME.to_owned(),
            auth_info: Some(user),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: NAME.to_owned(),
            context: Some(context),
            ..NamedContext::default()
        }],
        current_context: Some(NAME.to_owned()),
        ..Kubeconfig::default()
    }
}

fn unusable(error: impl std::error::Error) -> Failure {
    Failure::Config(chain(&error))
}

#[cfg(test)]
mod tests;
