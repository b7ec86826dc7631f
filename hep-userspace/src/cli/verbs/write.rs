//! `hep create`, `hep apply`, `hep replace` and `hep delete`.

use clap::Args;
use serde_json::Value;

use super::{
    common::{End, Files, Session, Target, exit, fail, kind, namespace},
    tally::{Tally, Words},
};
use crate::{
    cli::exit::Exit,
    model::{Kind, ResourceId},
    resources::Resources,
    store::objects::ClientError,
};

/// Create resources from a file
///
/// Fails for each that exists already; the others are created nevertheless.
#[derive(Args, Debug)]
pub(crate) struct Create {
    #[command(flatten)]
    files: Files,
    /// Count resources that exist already as created
    #[arg(long)]
    skip_exists: bool,
    #[command(flatten)]
    target: Target,
}

/// Create or replace resources from a file
///
/// A resource that exists gets the content of the file, labels and annotations included; there is no
/// merging. With metadata.resourceVersion it must still be at that revision.
#[derive(Args, Debug)]
pub(crate) struct Apply {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    target: Target,
}

/// Replace resources that exist by those of a file
#[derive(Args, Debug)]
pub(crate) struct Replace {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    target: Target,
}

/// Delete resources, by kind and name or those of a file
#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// Kind of the resources, such as hostendpoint or hep
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    /// Their names
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Count resources that do not exist as deleted
    #[arg(short, long)]
    skip_not_exists: bool,
    #[command(flatten)]
    target: Target,
}

const CREATE: Words = Words {
    verb: "create",
    past: "created",
    errors: "hit error",
};
const APPLY: Words = Words {
    verb: "apply",
    past: "applied",
    errors: "hit error(s)",
};
const REPLACE: Words = Words {
    verb: "replace",
    past: "replaced",
    errors: "hit error",
};

impl Create {
    pub(crate) fn run(&self) -> Exit {
        exit(|| {
            write(
                &self.files,
                &self.target,
                CREATE,
                async |resources, kind, value| {
                    refuse_cluster(kind, "create or apply", "")?;
                    match resources.create(kind, value).await {
                        Err(ClientError::AlreadyExists { .. }) if self.skip_exists => Ok(()),
                        created => created.map(drop),
                    }
                },
            )
        })
    }
}

impl Apply {
    pub(crate) fn run(&self) -> Exit {
        exit(|| {
            write(
                &self.files,
                &self.target,
                APPLY,
                async |resources, kind, value| {
                    refuse_cluster(kind, "apply", "resource is readonly")?;
                    resources.apply(kind, value).await.map(drop)
                },
            )
        })
    }
}

impl Replace {
    pub(crate) fn run(&self) -> Exit {
        exit(|| {
            write(
                &self.files,
                &self.target,
                REPLACE,
                async |resources, kind, value| {
                    refuse_cluster(kind, "apply or replace", "")?;
                    resources.replace(kind, value).await.map(drop)
                },
            )
        })
    }
}

/// Writes the resources of a file one by one; goes on after an error (spec DS-199).
fn write(
    files: &Files,
    target: &Target,
    words: Words,
    one: impl AsyncFn(&Resources<'_>, Kind, &Value) -> Result<(), ClientError>,
) -> Result<Exit, End> {
    let Some(path) = &files.filename else {
        return fail(format_args!(
            "write -f FILE: the resources to {}",
            words.verb
        ));
    };
    let session = Session::checked(target, "")?;
    let Some(mut all) = files.read(path)? else {
        return Ok(Exit::Ok);
    };
    session.warn_if_locked();
    let resources = session.resources();
    if resources.is_directory() {
        // Each write leaves a valid directory, so what others name comes first.
        all.sort_by_key(|(kind, _)| !matches!(kind, Kind::Tier | Kind::Profile));
    }
    let mut tally = Tally::default();
    session.run(async {
        resources.initialise().await;
        for (kind, value) in &all {
            tally.add(*kind, one(&resources, *kind, value).await);
        }
    });
    tally.report(words)
}

/// Refuses to write ClusterInformation (spec DS-198).
pub(super) fn refuse_cluster(kind: Kind, operation: &str, reason: &str) -> Result<(), ClientError> {
    if kind != Kind::ClusterInformation {
        return Ok(());
    }
    Err(ClientError::NotSupported {
        operation: operation.to_owned(),
        on: kind.to_string(),
        reason: reason.to_owned(),
    })
}

impl Delete {
    pub(crate) fn run(&self) -> Exit {
        exit(|| self.delete())
    }

    fn delete(&self) -> Result<Exit, End> {
        let prefix = "failed to execute command: ";
        let kind = self
            .kind
            .as_deref()
            .map(|word| kind(word, prefix))
            .transpose()?;
        let session = Session::checked(&self.target, "")?;
        let Some(wanted) = self.wanted(kind)? else {
            return Ok(Exit::Ok);
        };
        session.warn_if_locked();
        let resources = session.resources();
        let mut tally = Tally::default();
        session.run(async {
            for (id, revision) in &wanted {
                let deleted = match refuse_cluster(id.kind, "delete", "") {
                    Ok(()) => resources
                        .delete(id, revision.as_deref(), None)
                        .await
                        .map(drop),
                    refused => refused,
                };
                tally.add(
                    id.kind,
                    match deleted {
                        Err(ClientError::DoesNotExist { .. }) if self.skip_not_exists => Ok(()),
                        deleted => deleted,
                    },
                );
            }
        });
        tally.report_deletion()
    }

    /// The resources to delete, with their revisions if they must still be at those.
    fn wanted(&self, kind: Option<Kind>) -> Result<Option<Vec<Wanted>>, End> {
        match (kind, &self.files.filename) {
            (Some(kind), None) => {
                let namespace = namespace(kind, self.files.namespace.as_deref());
                let id = |name: &String| ResourceId {
                    kind,
                    namespace: namespace.as_deref().map(Into::into),
                    name: name.as_str().into(),
                };
                // Without a name calicoctl asks for the empty one (spec DS-206).
                let nameless = [String::new()];
                let names = if self.names.is_empty() {
                    &nameless[..]
                } else {
                    &self.names
                };
                Ok(Some(names.iter().map(|name| (id(name), None)).collect()))
            }
            (None, Some(path)) => {
                let all = self.files.read(path)?;
                Ok(all.map(|all| {
                    all.iter()
                        .map(|(kind, value)| identity(*kind, value))
                        .collect()
                }))
            }
            (Some(_), Some(_)) | (None, None) => fail("write KIND and names, or -f FILE"),
        }
    }
}

/// A resource, and the revision at which it is wanted.
pub(super) type Wanted = (ResourceId, Option<String>);

/// Identity and revision of a resource in a file.
pub(super) fn identity(kind: Kind, value: &Value) -> Wanted {
    let text = |field: &str| {
        let text = value.get("metadata")?.get(field)?.as_str()?;
        (!text.is_empty()).then_some(text)
    };
    let id = ResourceId {
        kind,
        namespace: kind
            .is_namespaced()
            .then(|| text("namespace").unwrap_or("default").into()),
        name: text("name").unwrap_or_default().into(),
    };
    (id, text("resourceVersion").map(str::to_owned))
}
