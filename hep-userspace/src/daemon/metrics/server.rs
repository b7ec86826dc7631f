//! The HTTP server: three pages, nothing else.

use std::{convert::Infallible, sync::Arc, time::Duration};

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
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::Figures;

/// Clients served at a time.
const MAX_CLIENTS: usize = 32;
/// How long a client may take from first to last byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// The type that Prometheus asks for first.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Which pages there are beside the health checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pages {
    pub(super) metrics: bool,
}

/// Answers until the task is ended.
pub(super) async fn serve(listener: TcpListener, figures: Figures, pages: Pages) {
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let figures = figures.clone();
                tokio::spawn(async move {
                    converse(stream, figures, pages).await;
                    drop(place);
                });
            }
            Err(error) => {
                log::warn!("metrics: {error}");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, figures: Figures, pages: Pages) {
    let service = service_fn(move |request| {
        let figures = figures.clone();
        async move { Ok::<_, Infallible>(answer(&request, figures, pages).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(PATIENCE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("metrics: {error}"),
        Err(_) => log::debug!("metrics: a client took too long"),
    }
}

async fn answer(
    request: &Request<Incoming>,
    figures: Figures,
    pages: Pages,
) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return page(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    match request.uri().path() {
        "/liveness" if figures.is_alive() => page(StatusCode::OK, "alive\n"),
        "/liveness" => page(StatusCode::SERVICE_UNAVAILABLE, "the daemon hangs\n"),
        "/readiness" => match figures.unready() {
            None => page(StatusCode::OK, "ready\n"),
            Some(reason) => page(StatusCode::SERVICE_UNAVAILABLE, reason + "\n"),
        },
        "/metrics" if pages.metrics => metrics(figures).await,
        _ => page(
            StatusCode::NOT_FOUND,
            "there are /metrics, /liveness and /readiness\n",
        ),
    }
}

async fn metrics(figures: Figures) -> Response<Full<Bytes>> {
    // Reads many map entries.
    match tokio::task::spawn_blocking(move || figures.text()).await {
        Ok(Ok(text)) => {
            let mut page = page(StatusCode::OK, text);
            let kind = OPEN_METRICS.parse().expect("it is plain ASCII");
            page.headers_mut().insert(CONTENT_TYPE, kind);
            page
        }
        Ok(Err(error)) => {
            let text = super::super::summary::chain(&error);
            log::error!("metrics: {text}");
            page(StatusCode::INTERNAL_SERVER_ERROR, text + "\n")
        }
        Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn page(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut page = Response::new(Full::new(text.into()));
    *page.status_mut() = status;
    page
}
