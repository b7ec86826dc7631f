//! Figures as they were a moment ago: counting the tables takes time that clients must not be able to
//! multiply.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::body::Bytes;
use tokio::sync::Mutex;

use super::{super::summary::chain, Figures};

/// How long figures are told at least before they are read again.
const FRESH: Duration = Duration::from_secs(1);
/// How many times as long as reading them took: so it takes at most a tenth of one CPU.
const SHARE: u32 = 10;

/// Reads figures now and then; shared between all clients.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    figures: Figures,
    kept: Arc<Mutex<Option<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    /// `None`: they could not be read, as was logged.
    text: Option<Bytes>,
    until: Instant,
}

impl Cache {
    pub(super) fn new(figures: Figures) -> Self {
        Self {
            figures,
            kept: Arc::default(),
        }
    }

    /// What needs no reading of tables.
    pub(super) const fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The page of figures; `None` if they cannot be read.
    pub(super) async fn text(&self) -> Option<Bytes> {
        // One reads at a time; the others wait and find what it has read.
        let mut kept = Arc::clone(&self.kept).lock_owned().await;
        if let Some(kept) = &*kept
            && Instant::now() < kept.until
        {
            return kept.text.clone();
        }
        let figures = self.figures.clone();
        // The lock goes along: a client that is shed does not let another start beside this.
        let read = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let text = figures.text().inspect_err(|error| {
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
