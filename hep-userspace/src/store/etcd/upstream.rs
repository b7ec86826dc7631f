//! Following etcd: lists at one revision, and watches of all kinds on one stream (spec DS-249 to DS-253).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use etcd_client::{EventType, GetOptions, GetResponse, KeyValue, WatchOptions, WatchStream};
use tokio::time::{Instant, sleep_until};

use super::{
    connect::{Connection, connect, failure},
    keys, value,
};
use crate::{
    model::{Kind, NodeName, ResourceId},
    store::{
        config::EtcdConfig,
        follow::upstream::{Broken, Change, Listed, Loss, Resume, Seen, Step, Upstream},
        objects::ClientError,
    },
};

/// Most objects of one answer; longer lists are read in parts, at one revision (spec DS-290).
const PAGE: i64 = 2000;
/// The longest that one request takes without an answer.
const REQUEST: Duration = Duration::from_secs(10);
/// How often a quiet stream is asked for a sign of life (spec DS-068).
const ASK: Duration = Duration::from_secs(5);

/// Follows etcd.
pub struct EtcdUpstream {
    config: EtcdConfig,
    node: NodeName,
    connection: Option<Connection>,
    stream: Option<WatchStream>,
    /// The kind of each watch, whose id is its place, from 1.
    watched: Vec<Kind>,
    ask_at: Instant,
}

impl EtcdUpstream {
    /// Policy for the node of this name.
    #[must_use]
    pub fn new(config: EtcdConfig, node: NodeName) -> Self {
        Self {
            config,
            node,
            connection: None,
            stream: None,
            watched: Vec::new(),
            ask_at: Instant::now(),
        }
    }

    async fn connection(&mut self) -> Result<&Connection, Loss> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => {
                let connection = connect(&self.config).await.map_err(lost)?;
                Ok(none.insert(connection))
            }
        }
    }

    /// Notes that the connection may not work; the next request makes another.
    fn drop_after<T>(&mut self, outcome: Result<T, Loss>) -> Result<T, Loss> {
        if outcome.is_err() {
            self.connection = None;
            self.stream = None;
        }
        outcome
    }

    async fn get(&mut self, key: String, options: GetOptions) -> Result<GetResponse, Loss> {
        let mut client = self.connection().await?.kv_client();
        client = client.max_decoding_message_size(usize::MAX);
        let asked = tokio::time::timeout(REQUEST, client.get(key, Some(options))).await;
        let answer = match asked {
            Ok(answer) => answer.map_err(|error| lost(failure(error))),
            Err(_) => Err(Loss::Unreachable("etcd does not answer".to_owned())),
        };
        self.drop_after(answer)
    }

    /// Key of a kind's objects, and whether that is what all of them begin with.
    fn range(&self, kind: Kind) -> (String, bool) {
        // Other nodes change often, and are nobody's business here (spec DS-289).
        if kind == Kind::Node {
            return (keys::key(&ResourceId::global(kind, &*self.node)), false);
        }
        (keys::prefix(kind, None), true)
    }

    /// Reads all objects of a kind, at a revision.
    async fn read(
        &mut self,
        kind: Kind,
        revision: i64,
        objects: &mut Vec<Seen>,
    ) -> Result<(), Loss> {
        let (key, is_prefix) = self.range(kind);
        let mut from = key.clone();
        loop {
            let mut options = GetOptions::new().with_revision(revision);
            if is_prefix {
                options = options.with_range(behind(&key)).with_limit(PAGE);
            }
            let found = self.get(from, options).await?;
            objects.extend(found.kvs().iter().filter_map(seen));
            match found.kvs().last() {
                Some(last) if found.more() => from = format!("{}\0", text(last.key())),
                _ => return Ok(()),
            }
        }
    }

    async fn list_all(&mut self, kinds: &[Kind]) -> Result<Listed, Loss> {
        let head = self.cluster().await?;
        let revision = head.header().map_or(0, |header| header.revision());
        let mut objects = Vec::new();
        for kind in kinds {
            self.read(*kind, revision, &mut objects).await?;
        }
        let resume = kinds.iter().map(|kind| (*kind, revision.to_string()));
        Ok(Listed {
            objects,
            resume: resume.collect(),
            position: u64::try_from(revision).ok(),
        })
    }

    /// The object that says whether the store may be followed.
    async fn cluster(&mut self) -> Result<GetResponse, Loss> {
        let id = ResourceId::global(Kind::ClusterInformation, "default");
        self.get(keys::key(&id), GetOptions::new()).await
    }

    async fn watch_all(&mut self, from: &Resume) -> Result<(), Loss> {
        self.stream = None;
        let head = self.cluster().await?;
        let revision = head.header().map_or(0, |header| header.revision());
        let starts: Vec<(Kind, i64)> = from
            .iter()
            .map(|(kind, seen)| (*kind, seen.parse().unwrap_or(revision)))
            .collect();
        if starts.iter().any(|(_, seen)| *seen > revision) {
            return Err(Loss::WentBack);
        }
        self.watched = starts.iter().map(|(kind, _)| *kind).collect();
        let mut client = self.connection().await?.watch_client();
        client = client.max_decoding_message_size(usize::MAX);
        let mut stream: Option<WatchStream> = None;
        for ((kind, seen), id) in starts.into_iter().zip(1..) {
            let (key, is_prefix) = self.range(kind);
            let mut options = WatchOptions::new()
                .with_start_revision(seen + 1)
                .with_watch_id(id)
                .with_prev_key()
                .with_progress_notify()
                .with_fragment();
            if is_prefix {
                options = options.with_prefix();
            }
            let asked = match &mut stream {
                Some(stream) => stream.watch(key, Some(options)).await,
                none => client.watch(key, Some(options)).await.map(|first| {
                    *none = Some(first);
                }),
            };
            asked.map_err(|error| lost(failure(error)))?;
        }
        self.stream = stream;
        self.ask_at = Instant::now() + ASK;
        Ok(())
    }

    async fn next_step(&mut self) -> Result<Step, Loss> {
        let Some(stream) = &mut self.stream else {
            return Err(Loss::Unreachable("nothing is watched".to_owned()));
        };
        loop {
            let message = tokio::select! {
                biased;
                message = stream.message() => message,
                () = sleep_until(self.ask_at) => {
                    self.ask_at = Instant::now() + ASK;
                    let asked = stream.request_progress().await;
                    asked.map_err(|error| lost(failure(error)))?;
                    continue;
                }
            };
            let message = message.map_err(|error| lost(failure(error)))?;
            let Some(message) = message else {
                return Err(Loss::Unreachable("etcd closed the watch".to_owned()));
            };
            return step(&message, &self.watched);
        }
    }
}

impl Upstream for EtcdUpstream {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn id(&self, key: &str) -> Option<ResourceId> {
        keys::id(key)
    }

    async fn probe(&mut self) -> Result<(), Loss> {
        self.cluster().await.map(drop)
    }

    async fn list(&mut self, kinds: &[Kind]) -> Result<Listed, Loss> {
        self.list_all(kinds).await
    }

    async fn watch(&mut self, from: &Resume) -> Result<(), Loss> {
        let begun = self.watch_all(from).await;
        match begun {
            Err(Loss::WentBack) => begun,
            begun => self.drop_after(begun),
        }
    }

    async fn next(&mut self) -> Result<Step, Loss> {
        let next = self.next_step().await;
        self.drop_after(next)
    }

    async fn is_served(&mut self, _kind: Kind) -> Result<bool, Loss> {
        Ok(!self.cluster().await?.kvs().is_empty())
    }
}

/// The step that a message of the stream is.
fn step(message: &etcd_client::WatchResponse, watched: &[Kind]) -> Result<Step, Loss> {
    let place = usize::try_from(message.watch_id() - 1).ok();
    let Some(kind) = place.and_then(|place| watched.get(place)).copied() else {
        // An answer to a question for a sign of life.
        return Ok(Step::Alive);
    };
    if message.canceled() {
        let reason = message.cancel_reason();
        return Err(if message.compact_revision() > 0 {
            Loss::Expired(kind)
        } else if reason.contains("permission denied") {
            Loss::Unauthorized(reason.to_owned())
        } else {
            Loss::Unreachable(format!("etcd ended the watch of {kind}: {reason}"))
        });
    }
    if message.created() {
        return Ok(Step::Alive);
    }
    let revision = message.header().map_or(0, |header| header.revision());
    let changes: Vec<Change> = message.events().iter().filter_map(change).collect();
    if message.events().is_empty() {
        let resume = revision.to_string();
        return Ok(Step::Progress { kind, resume });
    }
    // The header may be ahead of the events that were sent (spec DS-064 asks for what was received).
    let last = message.events().iter().filter_map(|event| event.kv());
    let last = last.map(KeyValue::mod_revision).max();
    Ok(Step::Changes {
        kind,
        changes,
        resume: last
            .filter(|_| !message.0.fragment)
            .map(|last| last.to_string()),
    })
}

fn change(event: &etcd_client::Event) -> Option<Change> {
    let pair = event.kv()?;
    match event.event_type() {
        EventType::Put => seen(pair).map(Change::Put),
        EventType::Delete => Some(Change::Deleted {
            id: keys::id(&text(pair.key()))?,
            key: text(pair.key()).into(),
        }),
    }
}

/// The object of a key and its value; `None` if there is none at such a key (spec DS-061).
fn seen(pair: &KeyValue) -> Option<Seen> {
    let key = text(pair.key());
    let id = keys::id(&key)?;
    let revision = pair.mod_revision();
    let content = value::shown(&id, pair.value(), revision).map_err(|reason| Broken {
        raw: Bytes::copy_from_slice(pair.value()),
        reason,
    });
    Some(Seen {
        id,
        key: Arc::from(key),
        revision: Arc::from(revision.to_string()),
        content,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The first key behind all that begin with `prefix`, which ends in a slash.
fn behind(prefix: &str) -> String {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    text(&end)
}

fn lost(error: ClientError) -> Loss {
    if let ClientError::Unauthorized(text) = error {
        Loss::Unauthorized(text)
    } else {
        Loss::Unreachable(error.to_string())
    }
}
