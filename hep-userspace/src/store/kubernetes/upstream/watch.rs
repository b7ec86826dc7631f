//! The watch of one collection (spec DS-145, DS-149, DS-231).

use std::{sync::Arc, time::Duration};

use kube::client::Body;
use tokio::{sync::mpsc::Sender, time::Instant};

use super::{
    super::{
        connection::{Connection, part},
        group::ApiGroup,
        request::{Request, with_query},
    },
    collections::{Collection, Half},
    events::{Event, Lines, event},
    loss::lost,
};
use crate::{
    model::Kind,
    store::follow::upstream::{Change, Loss},
};

/// The longest silence before a watch is opened again: bookmarks come about once a minute, but not for
/// kinds that never changed since the server began. Whether the connection lives is tested beneath (spec
/// DS-149).
const SILENCE: Duration = Duration::from_secs(180);
/// The shortest time between two openings.
const SPACING: Duration = Duration::from_millis(500);

/// Events that arrived together.
#[derive(Debug)]
pub(super) struct Batch {
    /// The collection.
    pub(super) place: (Kind, Half),
    /// Empty after a bookmark.
    pub(super) changes: Vec<Change>,
    /// The revision to continue from.
    pub(super) revision: String,
}

/// A watch that is open.
pub(super) struct Stream {
    connection: Arc<Connection>,
    group: ApiGroup,
    collection: Collection,
    /// The revision to continue from.
    revision: String,
    body: Body,
    /// Of which a part may have arrived.
    lines: Lines,
    opened: Instant,
}

impl Stream {
    /// Opens a watch after a revision.
    pub(super) async fn open(
        connection: Arc<Connection>,
        group: ApiGroup,
        collection: Collection,
        revision: String,
    ) -> Result<Self, Loss> {
        let body = opened(&connection, &collection, &revision).await?;
        Ok(Self {
            connection,
            group,
            collection,
            revision,
            body,
            lines: Lines::default(),
            opened: Instant::now(),
        })
    }

    /// Sends batches until there is a loss or nobody takes them.
    pub(super) async fn run(mut self, out: Sender<Result<Batch, Loss>>) {
        loop {
            let batch = match self.next().await {
                Ok(Some(batch)) => Ok(batch),
                // The server ends streams now and then: it goes on from where it was, and so after silence.
                Ok(None) => match self.reopen().await {
                    Ok(()) => continue,
                    Err(loss) => Err(loss),
                },
                Err(loss) => Err(loss),
            };
            let is_over = batch.is_err();
            if out.send(batch).await.is_err() || is_over {
                return;
            }
        }
    }

    async fn reopen(&mut self) -> Result<(), Loss> {
        tokio::time::sleep_until(self.opened + SPACING).await;
        self.body = opened(&self.connection, &self.collection, &self.revision).await?;
        // A line without an end is no event.
        self.lines = Lines::default();
        self.opened = Instant::now();
        Ok(())
    }

    /// The events that arrive together next; `None` at the end of the stream or after silence.
    async fn next(&mut self) -> Result<Option<Batch>, Loss> {
        let mut changes = Vec::new();
        let mut is_moved = false;
        while !is_moved {
            let part = part(&mut self.body);
            let Ok(part) = tokio::time::timeout(SILENCE, part).await else {
                return Ok(None);
            };
            let part = part.map_err(|failure| lost(failure, Some(self.collection.kind)))?;
            let Some(part) = part else {
                return Ok(None);
            };
            self.lines.add(&part);
            while let Some(line) = self.lines.take() {
                match event(self.group, &self.collection, &line)? {
                    Some(Event::Change { change, revision }) => {
                        changes.push(change);
                        self.revision = revision;
                    }
                    Some(Event::Bookmark { revision }) => self.revision = revision,
                    None => {}
                }
                is_moved = true;
            }
        }
        Ok(Some(Batch {
            place: self.collection.place(),
            changes,
            revision: self.revision.clone(),
        }))
    }
}

/// Opens a watch.
async fn opened(
    connection: &Connection,
    collection: &Collection,
    revision: &str,
) -> Result<Body, Loss> {
    let mut query = vec![
        ("watch", "true"),
        ("allowWatchBookmarks", "true"),
        ("resourceVersion", revision),
    ];
    query.extend(collection.selector());
    let request = Request::get(with_query(&collection.path, &query));
    let response = connection.send(&request).await;
    let response = response.map_err(|failure| lost(failure, Some(collection.kind)))?;
    Ok(response.into_body())
}
