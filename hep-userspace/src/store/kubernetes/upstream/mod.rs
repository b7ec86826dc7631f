//! Following the Kubernetes API: a list and a watch for each kind (spec DS-142 to DS-150).

mod collections;
mod events;
mod loss;
mod served;
mod watch;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use self::{
    collections::{Collection, Half, collections, seen},
    loss::lost,
    watch::{Batch, Stream},
};
use super::{
    codec,
    connection::Connection,
    failure::Failure,
    group::{ApiGroup, Backing, chosen},
    list::list,
    request::Request,
};
use crate::{
    model::{Kind, NodeName, ResourceId},
    store::{
        config::KubernetesConfig,
        follow::upstream::{Listed, Loss, Resume, Step, Upstream},
    },
};

/// How often watches that are quiet are reported alive: their connection is tested for life more often than
/// that (spec DS-149).
const ALIVE: Duration = Duration::from_secs(5);
/// The shortest time between two readings of the credentials after losses.
const RENEWAL: Duration = Duration::from_secs(3);
/// The batches that may wait to be taken.
const QUEUE: usize = 100;

/// Follows the Kubernetes API.
pub struct KubernetesUpstream {
    settings: KubernetesConfig,
    node: NodeName,
    connection: Option<Arc<Connection>>,
    /// When the credentials were read.
    renewed: Instant,
    /// Whether something failed since.
    is_doubtful: bool,
    group: Option<ApiGroup>,
    /// The last revision of each collection.
    reached: BTreeMap<(Kind, Half), String>,
    /// The last revision that a watch of the collection told. The server's cache has reached it, so that a
    /// list not older than that comes at once. The revision of a list may be ahead of the cache.
    cached: BTreeMap<(Kind, Half), String>,
    watches: Option<Watches>,
}

/// Watches in progress: they end with this value.
struct Watches {
    batches: mpsc::Receiver<Result<Batch, Loss>>,
    _tasks: JoinSet<()>,
    alive_at: Instant,
}

impl KubernetesUpstream {
    /// Policy for the node of this name.
    #[must_use]
    pub fn new(settings: KubernetesConfig, node: NodeName) -> Self {
        Self {
            settings,
            node,
            connection: None,
            renewed: Instant::now(),
            is_doubtful: false,
            group: None,
            reached: BTreeMap::new(),
            cached: BTreeMap::new(),
            watches: None,
        }
    }

    /// The API group in use, once it is known.
    #[must_use]
    pub const fn group(&self) -> Option<ApiGroup> {
        self.group
    }

    /// The connection; after a loss with credentials that were read again.
    async fn connection(&mut self) -> Result<Arc<Connection>, Loss> {
        let Some(connection) = &self.connection else {
            let connection = Connection::open(&self.settings).await;
            let connection = Arc::new(connection.map_err(|failure| lost(failure, None))?);
            self.renewed = Instant::now();
            self.connection = Some(Arc::clone(&connection));
            return Ok(connection);
        };
        let connection = Arc::clone(connection);
        if self.is_doubtful && self.renewed.elapsed() >= RENEWAL {
            self.renewed = Instant::now();
            if let Err(error) = connection.renew().await {
                log::warn!("cannot read the credentials for the API server again: {error}");
            }
        }
        Ok(connection)
    }

    /// Notes whether something failed, which may be for the credentials.
    fn noted<T>(&mut self, outcome: Result<T, Loss>) -> Result<T, Loss> {
        self.is_doubtful = matches!(outcome, Err(Loss::Unreachable(_) | Loss::Unauthorized(_)));
        outcome
    }

    /// Looks which group is in use, again at each list: it changes in a migration (spec DS-106).
    async fn look_for_the_group(&mut self, connection: &Connection) -> Result<ApiGroup, Loss> {
        let setting = self.settings.api_group.as_deref();
        let group = chosen(connection, setting).await;
        let group = group.map_err(|failure| lost(failure, None))?;
        if self.group != Some(group) {
            log::info!("Calico's resources are read from {group}");
            self.group = Some(group);
            self.reached.clear();
            self.cached.clear();
        }
        Ok(group)
    }

    async fn list_all(&mut self, kinds: &[Kind]) -> Result<Listed, Loss> {
        let connection = self.connection().await?;
        let group = self.look_for_the_group(&connection).await?;
        let mut listed = Listed::default();
        for kind in kinds {
            for collection in collections(group, *kind, &self.node) {
                let revision = self
                    .list_one(&connection, group, &collection, &mut listed)
                    .await?;
                listed.position = listed.position.max(revision.parse().ok());
            }
            listed.resume.insert(*kind, self.resume(*kind));
        }
        Ok(listed)
    }

    /// Lists one collection; returns its revision.
    async fn list_one(
        &mut self,
        connection: &Connection,
        group: ApiGroup,
        collection: &Collection,
        listed: &mut Listed,
    ) -> Result<String, Loss> {
        let place = collection.place();
        let since = self.cached.get(&place).cloned();
        let selector = collection.selector();
        let found = list(connection, &collection.path, &selector, since.as_deref()).await;
        let found = found.map_err(|failure| lost(failure, Some(collection.kind)))?;
        if found.was_ahead {
            // The store went back, or the server is behind: for all collections.
            self.cached.clear();
        }
        self.reached.insert(place, found.revision.clone());
        let objects = found.items.into_iter();
        let objects = objects.filter_map(|object| seen(group, collection, object));
        listed.objects.extend(objects);
        Ok(found.revision)
    }

    async fn watch_all(&mut self, from: &Resume) -> Result<(), Loss> {
        self.watches = None;
        let connection = self.connection().await?;
        let group = match self.group {
            Some(group) => group,
            None => self.look_for_the_group(&connection).await?,
        };
        for (kind, text) in from {
            self.begin(group, *kind, text);
        }
        let collections = from
            .keys()
            .flat_map(|kind| collections(group, *kind, &self.node));
        let opening = collections.map(|collection| {
            let revision = self.reached.get(&collection.place());
            let revision = revision.cloned().unwrap_or_default();
            Stream::open(Arc::clone(&connection), group, collection, revision)
        });
        let opened = try_join_all(opening.collect::<Vec<_>>()).await?;
        let (sender, batches) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        for stream in opened {
            tasks.spawn(stream.run(sender.clone()));
        }
        self.watches = Some(Watches {
            batches,
            _tasks: tasks,
            alive_at: Instant::now() + ALIVE,
        });
        Ok(())
    }

    /// Sets where a kind is watched from.
    fn begin(&mut self, group: ApiGroup, kind: Kind, text: &str) {
        let (first, second) = text.split_once('/').unwrap_or((text, text));
        for collection in collections(group, kind, &self.node) {
            let revision = match collection.half {
                Half::ServiceAccounts => second,
                Half::Namespaces | Half::Whole => first,
            };
            self.reached.insert(collection.place(), revision.to_owned());
        }
    }

    /// Where to watch a kind from: profiles have two places (spec DS-159, DS-160).
    fn resume(&self, kind: Kind) -> String {
        let of = |half| {
            let text = self.reached.get(&(kind, half)).map(String::as_str);
            text.unwrap_or_default()
        };
        match Backing::of(kind) {
            Backing::Accounts => codec::joined(of(Half::Namespaces), of(Half::ServiceAccounts)),
            Backing::Custom | Backing::Nodes => of(Half::Whole).to_owned(),
        }
    }

    async fn next_step(&mut self) -> Result<Step, Loss> {
        let Some(watches) = &mut self.watches else {
            return Err(Loss::Unreachable("nothing is watched".to_owned()));
        };
        let batch = tokio::select! {
            biased;
            batch = watches.batches.recv() => batch,
            () = sleep_until(watches.alive_at) => {
                watches.alive_at = Instant::now() + ALIVE;
                return Ok(Step::Alive);
            }
        };
        watches.alive_at = Instant::now() + ALIVE;
        let Some(batch) = batch else {
            return Err(Loss::Unreachable("the watches ended".to_owned()));
        };
        let batch = batch?;
        let kind = batch.place.0;
        if !batch.revision.is_empty() {
            self.cached.insert(batch.place, batch.revision.clone());
            self.reached.insert(batch.place, batch.revision);
        }
        let resume = self.resume(kind);
        Ok(if batch.changes.is_empty() {
            Step::Progress { kind, resume }
        } else {
            Step::Changes {
                kind,
                changes: batch.changes,
                resume: Some(resume),
            }
        })
    }
}

impl Upstream for KubernetesUpstream {
    fn name(&self) -> &'static str {
        "Kubernetes"
    }

    fn id(&self, key: &str) -> Option<ResourceId> {
        collections::id(key)
    }

    async fn probe(&mut self) -> Result<(), Loss> {
        let connection = self.connection().await;
        let outcome = match connection {
            Err(loss) => Err(loss),
            // Whoever may not ask has been answered.
            Ok(connection) => match connection.send(&Request::get("/readyz")).await {
                Err(Failure::Refused(refusal)) if !refusal.status.is_client_error() => {
                    let text = format!("the API server is not ready: {}", refusal.status);
                    Err(Loss::Unreachable(text))
                }
                Ok(_) | Err(Failure::Refused(_)) => Ok(()),
                Err(failure) => Err(lost(failure, None)),
            },
        };
        self.noted(outcome)
    }

    async fn list(&mut self, kinds: &[Kind]) -> Result<Listed, Loss> {
        let listed = self.list_all(kinds).await;
        if let Err(Loss::Expired(_)) = listed {
            self.cached.clear();
        }
        self.noted(listed)
    }

    async fn watch(&mut self, from: &Resume) -> Result<(), Loss> {
        let outcome = self.watch_all(from).await;
        self.forget(&outcome);
        self.noted(outcome)
    }

    async fn next(&mut self) -> Result<Step, Loss> {
        let outcome = self.next_step().await;
        self.forget(&outcome);
        self.noted(outcome)
    }

    async fn is_served(&mut self, kind: Kind) -> Result<bool, Loss> {
        let connection = self.connection().await?;
        let group = match self.group {
            Some(group) => group,
            None => self.look_for_the_group(&connection).await?,
        };
        served::is_served(&connection, group, kind).await
    }
}

impl KubernetesUpstream {
    /// Lists an expired kind most recent the next time (spec DS-143); ends the watches with the first loss.
    fn forget<T>(&mut self, outcome: &Result<T, Loss>) {
        let Err(loss) = outcome else {
            return;
        };
        self.watches = None;
        if let Loss::Expired(kind) = loss {
            self.cached.retain(|place, _| place.0 != *kind);
        }
    }
}
