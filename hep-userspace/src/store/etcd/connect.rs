//! Connections to etcd.

use std::{fs, path::Path, time::Duration};

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};

use crate::store::{
    config::{EtcdConfig, EtcdTls},
    objects::ClientError,
};

/// The longest that one attempt to reach a member takes.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a quiet connection is asked for a sign of life, and how long the answer may take.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A connection to a cluster.
pub(super) type Connection = Client;

/// Connects, and authenticates where there is a user; reads the certificates, which may have been replaced.
///
/// # Errors
///
/// [`ClientError::Store`] and [`ClientError::Unauthorized`].
pub(super) async fn connect(config: &EtcdConfig) -> Result<Connection, ClientError> {
    if let Some(domain) = &config.discovery {
        let text = format!("etcd members by DNS records of {domain}: not built yet");
        return Err(ClientError::Store(text));
    }
    let mut options = ConnectOptions::new()
        .with_connect_timeout(CONNECT)
        .with_keep_alive(KEEP_ALIVE, KEEP_ALIVE)
        .with_keep_alive_while_idle(true)
        .with_require_leader(true)
        .with_auto_token_refresh(true);
    if let Some((user, password)) = &config.credentials {
        options = options.with_user(user, password);
    }
    let is_secure = config
        .endpoints
        .iter()
        .any(|endpoint| endpoint.starts_with("https://"));
    if is_secure {
        options = options.with_tls(tls(config.tls.as_ref())?);
    }
    let connecting = Client::connect(&config.endpoints, Some(options));
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(connected) => connected.map_err(failure),
        Err(_) => Err(ClientError::Store("etcd does not answer".to_owned())),
    }
}

fn tls(config: Option<&EtcdTls>) -> Result<TlsOptions, ClientError> {
    let (client, authority) = match config {
        None => (None, None),
        Some(EtcdTls::Files { client, authority }) => {
            let client = match client {
                Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
                None => None,
            };
            let authority = authority.as_deref().map(read).transpose()?;
            (client, authority)
        }
        Some(EtcdTls::Inline {
            certificate,
            key,
            authority,
        }) => (Some((certificate.clone(), key.clone())), authority.clone()),
    };
    let mut tls = TlsOptions::new();
    tls = match authority {
        Some(authority) => tls.ca_certificate(Certificate::from_pem(authority)),
        None => tls.with_native_roots(),
    };
    if let Some((certificate, key)) = client {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    Ok(tls)
}

fn read(path: &Path) -> Result<String, ClientError> {
    fs::read_to_string(path)
        .map_err(|error| ClientError::Store(format!("read {}: {error}", path.display())))
}

/// An error of the client crate, as ours.
pub(super) fn failure(error: etcd_client::Error) -> ClientError {
    use etcd_client::Error::GRpcStatus;
    let text = if let GRpcStatus(status) = &error {
        status.message().to_owned()
    } else {
        error.to_string()
    };
    let is_refused = [
        "etcdserver: permission denied",
        "etcdserver: authentication failed, invalid user ID or password",
        "etcdserver: user name is empty",
        "etcdserver: invalid auth token",
        "etcdserver: user name not found",
    ]
    .iter()
    .any(|known| text.contains(known));
    if is_refused {
        ClientError::Unauthorized(text)
    } else {
        ClientError::Store(text)
    }
}
