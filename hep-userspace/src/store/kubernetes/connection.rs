//! The connection to the API server: credentials that are read again, keep-alive, and the limit of requests.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::{
    Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt as _},
};
use serde_json::Value;
use tokio::sync::Mutex;
use tower::{BoxError, ServiceExt as _};

use super::{
    access::access,
    failure::{Failure, Refusal, chain},
    request::Request,
    throttle::Throttle,
};
use crate::store::config::KubernetesConfig;

/// The longest that an attempt to connect takes.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection may be silent before it is tested, and how long the answer may take: together less
/// than ten seconds, so that a half-open connection does not look like a quiet one (spec DS-149).
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// The longest silence in an answer. A list may take as long as the server allows, which is 60 s by
/// default, so this is no limit of its duration.
const SILENCE: Duration = Duration::from_secs(70);
/// The longest error message that is read.
const MESSAGE_BYTES: usize = 1 << 20;

/// A connection, made when it is needed.
pub(crate) struct Connection {
    settings: KubernetesConfig,
    current: Mutex<Current>,
    throttle: Throttle,
}

/// The client that is in use.
struct Current {
    client: Client,
    /// How many were made.
    number: u64,
}

impl Connection {
    /// Reads the configuration and the credentials.
    ///
    /// # Errors
    ///
    /// [`Failure::Config`].
    pub(crate) async fn open(settings: &KubernetesConfig) -> Result<Self, Failure> {
        let client = client(settings.clone()).await?;
        Ok(Self {
            settings: settings.clone(),
            current: Mutex::new(Current { client, number: 0 }),
            throttle: Throttle::new(),
        })
    }

    /// Reads all files and credentials again, and connects anew.
    ///
    /// # Errors
    ///
    /// [`Failure::Config`]; the former credentials stay then.
    pub(super) async fn renew(&self) -> Result<(), Failure> {
        let number = self.current.lock().await.number;
        self.renewed(number).await.map(drop)
    }

    /// Sends a request; credentials that the server does not accept are read again, once (spec DS-254).
    ///
    /// # Errors
    ///
    /// All of [`Failure`].
    pub(super) async fn send(&self, request: &Request) -> Result<Response<Body>, Failure> {
        self.throttle.wait().await;
        let (client, number) = {
            let current = self.current.lock().await;
            (current.client.clone(), current.number)
        };
        let failure = match attempt(&client, request).await {
            Err(failure) => failure,
            Ok(response) => return Ok(response),
        };
        let is_unauthorized = matches!(
            &failure,
            Failure::Refused(refusal) if refusal.status == StatusCode::UNAUTHORIZED
        );
        if !is_unauthorized {
            return Err(failure);
        }
        match self.renewed(number).await {
            Ok(client) => attempt(&client, request).await,
            Err(error) => {
                log::warn!("cannot read the credentials for the API server again: {error}");
                Err(failure)
            }
        }
    }

    /// Sends a request whose answer is JSON.
    ///
    /// # Errors
    ///
    /// All of [`Failure`].
    pub(super) async fn json(&self, request: &Request) -> Result<Value, Failure> {
        let response = self.send(request).await?;
        let body = whole(response.into_body(), usize::MAX).await?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::Unreachable(format!(
                "the answer to {} is no JSON: {error}",
                request.target
            ))
        })
    }

    /// The client after the one of this number; made if nobody has made it.
    async fn renewed(&self, number: u64) -> Result<Client, Failure> {
        let mut current = self.current.lock().await;
        if current.number == number {
            current.client = client(self.settings.clone()).await?;
            current.number += 1;
        }
        Ok(current.client.clone())
    }
}

/// Makes a client. Plugins for credentials are processes that are waited for, so this has a thread of its
/// own.
async fn client(settings: KubernetesConfig) -> Result<Client, Failure> {
    let runtime = tokio::runtime::Handle::current();
    let made = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            let config = access(&settings).await?;
            built(config)
        })
    });
    match made.await {
        Ok(client) => client,
        Err(error) => Err(Failure::Config(error.to_string())),
    }
}

/// The client of a configuration: HTTP/2 where the server offers it, so that all watches share one
/// connection and its test of life; no retries, which the callers have their own clocks for.
fn built(config: Config) -> Result<Client, Failure> {
    let unusable = |error: kube::Error| Failure::Config(chain(&error));
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp.set_keepalive_interval(Some(Duration::from_secs(1)));
    tcp.set_keepalive_retries(Some(4));
    tcp.set_tcp_user_timeout(Some(KEEP_ALIVE * 2));
    let mut https = HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config().map_err(unusable)?)
        .https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = name.clone().try_into();
        let name = name.map_err(|error| Failure::Config(format!("tls-server-name: {error}")))?;
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let service = legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE)
        .http2_keep_alive_while_idle(false)
        .build::<_, Body>(https.enable_all_versions().wrap_connector(tcp))
        .map_err(BoxError::from);
    let namespace = config.default_namespace.clone();
    let builder = ClientBuilder::new(service, namespace).with_layer(&config.base_uri_layer());
    let headers = config.extra_headers_layer().map_err(unusable)?;
    Ok(match config.auth_layer().map_err(unusable)? {
        Some(layer) => builder.with_layer(&layer).with_layer(&headers).build(),
        None => builder.with_layer(&headers).build(),
    })
}

/// Sends a request once.
async fn attempt(client: &Client, request: &Request) -> Result<Response<Body>, Failure> {
    let mut http = hyper::Request::builder()
        .method(request.method.clone())
        .uri(&request.target)
        .header(ACCEPT, "application/json");
    if request.body.is_some() {
        http = http.header(CONTENT_TYPE, "application/json");
    }
    let body = request.body.clone().unwrap_or_default();
    let http = http
        .body(Body::from(body))
        .map_err(|error| Failure::Config(format!("{}: {error}", request.target)))?;
    let response = match tokio::time::timeout(SILENCE, client.send(http)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(broken(&error)),
        Err(_) => return Err(silent()),
    };
    if response.status().is_success() {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let body = whole(body, MESSAGE_BYTES).await?;
    let refusal = Refusal::of_response(head.status, &head.headers, &body);
    Err(Failure::Refused(Box::new(refusal)))
}

/// The whole of a body, up to a length.
async fn whole(mut body: Body, limit: usize) -> Result<Bytes, Failure> {
    let mut bytes = BytesMut::new();
    while bytes.len() < limit {
        match tokio::time::timeout(SILENCE, part(&mut body)).await {
            Ok(Ok(Some(part))) => bytes.extend_from_slice(&part),
            Ok(Ok(None)) => break,
            Ok(Err(failure)) => return Err(failure),
            Err(_) => return Err(silent()),
        }
    }
    Ok(bytes.freeze())
}

/// The next part of a body; `None` at its end.
///
/// # Errors
///
/// [`Failure::Unreachable`] if the connection breaks.
pub(super) async fn part(body: &mut Body) -> Result<Option<Bytes>, Failure> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(error)) => return Err(broken(&error)),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// The failure of a connection, in the words that say something.
fn broken(error: &kube::Error) -> Failure {
    let text = chain(error);
    let text = text.trim_start_matches("ServiceError: ");
    let text = text.trim_start_matches("client error (Connect): ");
    let text = match text.split_once(" without sending TLS close_notify") {
        Some((text, _)) => text,
        None => text,
    };
    Failure::Unreachable(text.to_owned())
}

fn silent() -> Failure {
    Failure::Unreachable("the API server does not answer".to_owned())
}
