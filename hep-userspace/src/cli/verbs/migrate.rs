//! `hep datastore migrate` (spec DS-215 to DS-218).

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    common::{End, Session, Target, exit, fail, print, say, say_error},
    shown::Shown,
};
use crate::{
    cli::{exit::Exit, output::complain},
    model::{Kind, ResourceId},
    resources::{self, Migrated, json as to_json, yaml},
};

/// Move the content of a store
#[derive(Args, Debug)]
pub(crate) struct Datastore {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Export, import or lock a store
    #[command(subcommand)]
    Migrate(Migrate),
}

#[derive(Debug, Subcommand)]
enum Migrate {
    /// Lock the store: every host keeps what it enforces, and applies no change
    Lock(Target),
    /// Unlock the store
    Unlock(Target),
    /// Print the content of a locked store, for `import`
    Export(Target),
    /// Write exported content into an empty store, which stays locked
    Import {
        /// File with the output of `export`, or - for standard input
        #[arg(short, long, value_name = "FILE")]
        filename: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Give policies that a Calico before 3.32 stored as default.NAME their own names
    #[command(name = "migrate-policy-names")]
    PolicyNames(Target),
}

/// Kinds in the order of the export.
const KINDS: [Kind; 17] = [
    Kind::IPPool,
    Kind::BGPPeer,
    Kind::Tier,
    Kind::GlobalNetworkPolicy,
    Kind::StagedGlobalNetworkPolicy,
    Kind::GlobalNetworkSet,
    Kind::HostEndpoint,
    Kind::KubeControllersConfiguration,
    Kind::NetworkPolicy,
    Kind::StagedNetworkPolicy,
    Kind::StagedKubernetesNetworkPolicy,
    Kind::NetworkSet,
    Kind::Node,
    Kind::BGPConfiguration,
    Kind::FelixConfiguration,
    Kind::IPReservation,
    Kind::BGPFilter,
];

impl Datastore {
    pub(crate) fn run(&self) -> Exit {
        let Command::Migrate(command) = &self.command;
        exit(|| match command {
            Migrate::Lock(target) => set_ready(target, false),
            Migrate::Unlock(target) => set_ready(target, true),
            Migrate::Export(target) => export(target),
            Migrate::Import { filename, target } => import(filename, target),
            Migrate::PolicyNames(target) => migrate_names(target),
        })
    }
}

fn set_ready(target: &Target, is_ready: bool) -> Result<Exit, End> {
    let session = Session::checked(target, "")?;
    let resources = session.resources();
    let done = session.run(async {
        if !is_ready {
            resources.initialise().await;
        }
        resources.set_ready(is_ready).await
    });
    done.or_else(fail)?;
    say(if is_ready {
        "Datastore unlocked."
    } else {
        "Datastore locked."
    })?;
    Ok(Exit::Ok)
}

fn export(target: &Target) -> Result<Exit, End> {
    let session = Session::checked(target, "")?;
    let resources = session.resources();
    let id = ResourceId::global(Kind::ClusterInformation, "default");
    let cluster = session.run(resources.get(&id, None)).or_else(|error| {
        fail(format_args!(
            "failed to get the state of the datastore: {error}"
        ))
    })?;
    if cluster.value.pointer("/spec/datastoreReady") != Some(&json!(false)) {
        return fail("the datastore is not locked; run `hep datastore migrate lock` before");
    }
    let mut text = String::new();
    for kind in KINDS {
        let listing = session
            .run(resources.list(kind, None))
            .or_else(|error| fail(format_args!("failed to list {kind}: {error}")))?;
        let mut shown = Shown::all(kind, listing);
        shown.export_all();
        text.push_str(&yaml(&shown.value()));
        text.push_str("---\n");
    }
    text.push_str("===\n");
    text.push_str(&to_json(&Shown::one(cluster).value()));
    text.push_str("\n===\n{}\n");
    print(text).map_err(|_closed| End(Exit::Ok))?;
    Ok(Exit::Ok)
}

fn import(path: &std::path::Path, target: &Target) -> Result<Exit, End> {
    let exported = resources::read_export(path)
        .or_else(|error| fail(format_args!("failed to execute command: {error}")))?;
    let session = Session::open(target)?;
    let resources = session.resources();
    for kind in KINDS {
        let listing = session.run(resources.list(kind, None));
        let listing =
            listing.or_else(|error| fail(format_args!("failed to list {kind}: {error}")))?;
        let other = listing.objects.iter().find(|object| {
            kind != Kind::Tier
                || !["default", "kube-admin", "kube-baseline"].contains(&&*object.id.name)
        });
        // A Node of Kubernetes is there without Calico.
        if let Some(object) = other.filter(|_| kind != Kind::Node) {
            return fail(format_args!(
                "the datastore is not empty: it has {kind}({}); import into an empty one",
                object.id.full_name()
            ));
        }
    }
    let mut failed = 0;
    let mut written = 0;
    session.run(async {
        resources.initialise().await;
        for (kind, value) in &exported.resources {
            match resources.apply(*kind, value).await {
                Ok(_) => written += 1,
                Err(error) => {
                    failed += 1;
                    say_error(error);
                }
            }
        }
    });
    let locked = session.run(resources.adopt_cluster(exported.guid.as_deref()));
    locked.or_else(fail)?;
    if failed > 0 {
        return fail(format_args!(
            "imported {written} resources; {failed} failed, the datastore is locked"
        ));
    }
    say(format_args!(
        "Imported {written} resources. The datastore is locked; run `hep datastore migrate unlock` once you \
         have verified them."
    ))?;
    Ok(Exit::Ok)
}

fn migrate_names(target: &Target) -> Result<Exit, End> {
    let session = Session::checked(target, "")?;
    let resources = session.resources();
    let migrated = session
        .run(resources.migrate_policy_names())
        .or_else(fail)?;
    let count = match migrated {
        Migrated::Done(count) => count,
        Migrated::TooOld(version) => {
            complain(format_args!(
                "warning: by its ClusterInformation this store is of Calico {version}, which finds policies \
                 of the default tier only under default.NAME; upgrade to 3.32 first"
            ));
            0
        }
    };
    say(format_args!(
        "Policy name migration complete, migrated {count} policies."
    ))?;
    Ok(Exit::Ok)
}

impl Shown {
    /// Leaves out of each resource what belongs to this store, but for its namespace.
    fn export_all(&mut self) {
        let text = |item: &Value| item.pointer("/metadata/namespace").cloned();
        let namespaces: Vec<Option<Value>> = self.items.iter().map(text).collect();
        self.export();
        for (item, namespace) in self.items.iter_mut().zip(namespaces) {
            if let Some(namespace) = namespace {
                item["metadata"]["namespace"] = namespace;
            }
        }
    }
}
