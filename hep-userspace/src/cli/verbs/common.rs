//! Options and steps that the verbs share.

use std::{
    fmt::Display,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{
    cli::{StoreArguments, exit::Exit, output::complain, runtime},
    model::Kind,
    printable::PrintableText,
    resources::{self, Access, Cluster, Input, InputError, Resources},
    store::config::ConfigError,
};

/// The store of a verb, and how it is used.
#[derive(Args, Debug)]
pub(super) struct Target {
    #[command(flatten)]
    pub(super) store: StoreArguments,
    /// Use a store of a Calico whose version hep does not know
    #[arg(long)]
    pub(super) allow_version_mismatch: bool,
    /// File below --policy-dir that gets new resources [default: one of their own each,
    /// <kind>-<name>.yaml]
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

/// The files that resources are read from.
#[derive(Args, Debug)]
pub(super) struct Files {
    /// File with resources, directory with such files, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    pub(super) filename: Option<PathBuf>,
    /// Read the directories in the directory, too
    #[arg(short = 'R', long)]
    pub(super) recursive: bool,
    /// Accept files without resources
    #[arg(long)]
    pub(super) skip_empty: bool,
    /// Namespace of resources that name none [default: default]
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,
}

/// The end of a verb: an exit code, after the message was printed.
#[derive(Debug)]
pub(super) struct End(pub(super) Exit);

/// Ends a verb with a message on standard error.
pub(super) fn fail<T>(message: impl Display) -> Result<T, End> {
    say_error(message);
    Err(End(Exit::Negative))
}

/// Prints to standard error, with foreign text escaped.
pub(super) fn say_error(message: impl Display) {
    eprintln!("{}", PrintableText(message));
}

/// Prints to standard output, with foreign text escaped; the text has its line end.
///
/// # Errors
///
/// If nobody reads it.
pub(super) fn print(text: impl Display) -> io::Result<()> {
    write!(io::stdout().lock(), "{}", PrintableText(text))
}

/// Prints a line to standard output.
pub(super) fn say(line: impl Display) -> Result<(), End> {
    print(format_args!("{line}\n")).map_err(|_closed| End(Exit::Ok))
}

/// The store of a verb, open.
pub(super) struct Session {
    runtime: Runtime,
    access: Access,
}

impl Session {
    /// Opens the store. What is wrong with the configuration is said on standard output, as calicoctl does
    /// (spec DS-201).
    pub(super) fn open(target: &Target) -> Result<Self, End> {
        let choice = target.store.choice().map_err(|error| {
            let text = match error.downcast_ref::<ConfigError>() {
                Some(ConfigError::Unreadable(_)) => format!("{error:#}\n"),
                Some(_) => format!("Failed to create Calico API client: {error:#}\n"),
                None => {
                    say_error(format_args!("{error:#}"));
                    return End(Exit::Negative);
                }
            };
            drop(print(text));
            End(Exit::Negative)
        })?;
        let runtime = runtime::of_command().or_else(|error| fail(format_args!("{error:#}")))?;
        let access = runtime
            .block_on(resources::open(&choice, target.file.clone()))
            .or_else(|error| fail(format_args!("failed to connect to the datastore: {error}")))?;
        Ok(Self { runtime, access })
    }

    /// Opens the store and checks its version; `prefix` begins the message (spec DS-019).
    pub(super) fn checked(target: &Target, prefix: &str) -> Result<Self, End> {
        let session = Self::open(target)?;
        if target.allow_version_mismatch {
            return Ok(session);
        }
        match session.run(session.resources().cluster()) {
            Ok(None) => Ok(session),
            Ok(Some(cluster)) => match cluster.check_version() {
                Ok(()) => Ok(session),
                Err(mismatch) => fail(format_args!("{prefix}{mismatch}")),
            },
            Err(error) => fail(format_args!(
                "{prefix}unable to get Cluster Information to verify version mismatch: {error}\n\
                 Use --allow-version-mismatch to override."
            )),
        }
    }

    /// Its resources.
    pub(super) fn resources(&self) -> Resources<'_> {
        self.access.resources()
    }

    /// Waits for an answer of the store.
    pub(super) fn run<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// Warns before a write if the store is locked (spec DS-093).
    pub(super) fn warn_if_locked(&self) {
        let cluster = self.run(self.resources().cluster());
        if let Ok(Some(Cluster {
            is_ready: false, ..
        })) = cluster
        {
            complain(
                "warning: the datastore is locked: no host applies changes until \
                 `hep datastore migrate unlock`",
            );
        }
    }
}

/// The kind that a word means; `prefix` begins the message.
pub(super) fn kind(word: &str, prefix: &str) -> Result<Kind, End> {
    match Kind::meant(word) {
        Some(kind) => Ok(kind),
        None => fail(format_args!(
            "{prefix}resource type '{word}' is not supported"
        )),
    }
}

/// The namespace of a kind's resources.
pub(super) fn namespace(kind: Kind, given: Option<&str>) -> Option<String> {
    kind.is_namespaced()
        .then(|| given.unwrap_or("default").to_owned())
}

impl Files {
    /// Reads the resources of the file; `None` if there are none and that is accepted (spec DS-187).
    pub(super) fn read(&self, path: &Path) -> Result<Option<Vec<(Kind, Value)>>, End> {
        let input = Input {
            path,
            is_recursive: self.recursive,
        };
        let mut all = match resources::read(&input) {
            Ok(all) => all,
            Err(InputError::Document { unread, .. }) if unread.is_unknown_field => {
                return fail(unread.text);
            }
            Err(error) => return fail(format_args!("failed to execute command: {error}")),
        };
        if all.is_empty() {
            if self.skip_empty {
                say("No resources specified")?;
                return Ok(None);
            }
            let what = if path.is_dir() { "directory" } else { "file" };
            let path = path.display();
            return fail(format_args!("no resources specified in {what} {path}"));
        }
        for (kind, value) in &mut all {
            if let Some(namespace) = namespace(*kind, self.namespace.as_deref())
                && value.pointer("/metadata/namespace").is_none()
            {
                value["metadata"]["namespace"] = json!(namespace);
            }
        }
        Ok(Some(all))
    }
}

/// Runs a verb.
pub(super) fn exit(run: impl FnOnce() -> Result<Exit, End>) -> Exit {
    run().unwrap_or_else(|End(exit)| exit)
}
