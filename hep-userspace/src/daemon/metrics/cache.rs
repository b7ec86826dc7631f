//! Caches the page of metrics: counting the tables takes time that clients must not be able to multiply.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::body::Bytes;
use tokio::sync::Mutex;

use super::{super::summary::chain, registry::Metrics};

/// Shortest time for which metrics are served before they are read again.
const FRESH: Duration = Duration::from_secs(1);
/// Shortest time as a multiple of the time to read them, so that reading takes at most a tenth of one CPU.
const SHARE: u32 = 10;

/// Cached metrics, shared between all clients.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    metrics: Metrics,
    kept: Arc<Mutex<Option<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    /// The page; `None` if it could not be read, which was logged.
    text: Option<Bytes>,
    until: Instant,
}

impl Cache {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            kept: Arc::default(),
        }
    }

    /// The metrics' source, for checks that read no tables.
    pub(super) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The page of metrics; `None` if they cannot be read.
    pub(super) async fn text(&self) -> Option<Bytes> {
        // One client reads at a time; the others wait and get the same page.
        let mut kept = Arc::clone(&self.kept).lock_owned().await;
        if let Some(kept) = &*kept
            && Instant::now() < kept.until
        {
            return kept.text.clone();
        }
        let metrics = self.metrics.clone();
        // The thread holds the lock, so that no second read begins if the client is dropped.
        let read = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let text = metrics.text().inspect_err(|error| {
                log::error!("metrics: {}", chain(error));
            });
            let text = text.ok().map(Bytes::from);
            let now = Instant::now();
            *kept = Some(Kept {
                text: text.clone(),
                until: now + FRESH.max((now - started) * SHARE),
            });
            text
        });
        read.await.ok().flatten()
    }
}
