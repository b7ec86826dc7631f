//! Events for the subscribers on the control socket, one JSON line each.

use std::{
    io::{self, BufRead as _},
    path::Path,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::OwnedWriteHalf,
    sync::broadcast::{self, error::RecvError},
};

use super::{
    control::{self, Answer, AskError, Monitoring, Request},
    events::Record,
};

/// Events buffered for a slow listener.
const BACKLOG: usize = 1024;

/// Broadcasts events to all listeners.
#[derive(Clone, Debug)]
pub struct Feed {
    sender: broadcast::Sender<Arc<str>>,
    monitoring: Monitoring,
}

/// One line for a listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Item {
    /// An event.
    Event(Box<Record>),
    /// Number of events that were dropped because the listener was too slow.
    Lost(u64),
}

impl Feed {
    /// Creates a feed without listeners.
    #[must_use]
    pub fn new(monitoring: Monitoring) -> Self {
        Self {
            sender: broadcast::Sender::new(BACKLOG),
            monitoring,
        }
    }

    /// Whether there is a listener.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Sends an event to all listeners.
    pub fn publish(&self, record: Record) {
        match serde_json::to_string(&Item::Event(Box::new(record))) {
            // Fails only if there is no listener any more.
            Ok(line) => drop(self.sender.send(line.into())),
            Err(error) => log::error!("event: {error}"),
        }
    }

    /// Writes events to a listener until it closes its end.
    pub(super) async fn follow(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut OwnedWriteHalf,
    ) -> io::Result<()> {
        let mut receiver = self.sender.subscribe();
        control::send(writer, Answer::Monitoring(self.monitoring)).await?;
        loop {
            let mut ignored = [0];
            let received = tokio::select! {
                received = receiver.recv() => received,
                read = reader.read(&mut ignored) => match read? {
                    0 => return Ok(()),
                    _ => continue,
                },
            };
            match received {
                Ok(line) => {
                    writer.write_all(line.as_bytes()).await?;
                    writer.write_all(b"\n").await?;
                }
                Err(RecvError::Lagged(lost)) => {
                    control::send_line(writer, &Item::Lost(lost)).await?
                }
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}

/// A listener's end of the feed.
#[derive(Debug)]
pub struct Listener {
    connection: control::Connection,
    /// Which events the daemon sends.
    pub monitoring: Monitoring,
}

impl Listener {
    /// Subscribes to the events of the daemon at `path`; none is missed after this returns.
    ///
    /// # Errors
    ///
    /// [`AskError`].
    pub fn open(path: &Path) -> Result<Self, AskError> {
        let (answer, connection) = control::open(path, &Request::Monitor)?;
        match answer {
            Answer::Monitoring(monitoring) => {
                let stream = connection.get_ref();
                stream
                    .set_read_timeout(None)
                    .map_err(|source| AskError::Io {
                        path: path.to_owned(),
                        source,
                    })?;
                Ok(Self {
                    connection,
                    monitoring,
                })
            }
            Answer::Failed(text) => Err(AskError::Refused(text)),
            Answer::Status(_) | Answer::Done(_) | Answer::Invalid(_) | Answer::Refused(_) => {
                Err(AskError::Unexpected)
            }
        }
    }
}

impl Iterator for Listener {
    type Item = Result<Item, serde_json::Error>;

    /// Waits for the next line; `None` when the daemon has stopped.
    fn next(&mut self) -> Option<Self::Item> {
        let mut line = String::new();
        match self.connection.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line)),
            Err(error) => Some(Err(serde_json::Error::io(error))),
        }
    }
}
