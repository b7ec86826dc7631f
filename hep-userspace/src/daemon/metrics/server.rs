//! The HTTP server: three pages, nothing else.
//!
//! Clients cannot block it by holding connections open: a client has five seconds to send its request,
//! and when all places are taken the client that was there longest is dropped.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::cache::Cache;

/// Most clients per address at a time.
const MAX_CLIENTS: usize = 64;
/// Time limit for a client's request.
const ASKING: Duration = Duration::from_secs(5);
/// Time limit for a connection from first to last byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// The content type that Prometheus prefers.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Pages served beside the health checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pages {
    pub(super) metrics: bool,
}

/// Serves requests until the task is aborted.
pub(super) async fn serve(listener: TcpListener, cache: Cache, pages: Pages) {
    // Oldest client first.
    let mut clients: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                clients.retain(|client| !client.is_finished());
                if clients.len() >= MAX_CLIENTS
                    && let Some(oldest) = clients.pop_front()
                {
                    oldest.abort();
                }
                let client = tokio::spawn(converse(stream, cache.clone(), pages));
                clients.push_back(client.abort_handle());
            }
            Err(error) => {
                log::warn!("metrics: {error}");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, cache: Cache, pages: Pages) {
    let service = service_fn(move |request| {
        let cache = cache.clone();
        async move { Ok::<_, Infallible>(answer(&request, &cache, pages).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(PATIENCE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("metrics: {error}"),
        Err(_) => log::debug!("metrics: a client took too long"),
    }
}

/// Answers a request without details of errors, which are in the log and in `hep status`: clients are
/// not authenticated.
async fn answer(request: &Request<Incoming>, cache: &Cache, pages: Pages) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return page(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    let source = cache.metrics();
    match request.uri().path() {
        "/liveness" if source.is_alive() => page(StatusCode::OK, "alive\n"),
        "/liveness" => page(StatusCode::SERVICE_UNAVAILABLE, "the daemon hangs\n"),
        "/readiness" if source.is_ready() => page(StatusCode::OK, "ready\n"),
        "/readiness" => page(
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready; `hep status` on the host says why\n",
        ),
        "/metrics" if pages.metrics => metrics(cache).await,
        _ => page(
            StatusCode::NOT_FOUND,
            "there are /metrics, /liveness and /readiness\n",
        ),
    }
}

async fn metrics(cache: &Cache) -> Response<Full<Bytes>> {
    match cache.text().await {
        Some(text) => {
            let mut page = page(StatusCode::OK, text);
            let kind = OPEN_METRICS.parse().expect("it is plain ASCII");
            page.headers_mut().insert(CONTENT_TYPE, kind);
            page
        }
        None => page(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics cannot be read; the daemon's log says why\n",
        ),
    }
}

fn page(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut page = Response::new(Full::new(text.into()));
    *page.status_mut() = status;
    page
}
