//! `hep patch` and `hep label`.

use clap::Args;
use serde_json::{Map, Value, json};

use super::{
    common::{End, Session, Target, exit, fail, kind, namespace, say},
    write::refuse_cluster,
};
use crate::{
    cli::exit::Exit,
    model::{Kind, ResourceId},
    resources::{decode, strategic},
    source,
    store::objects::{ClientError, Object},
};

/// Change fields of a resource by a JSON patch
///
/// Fields of the patch replace those of the resource, lists as a whole; null removes a field.
#[derive(Args, Debug)]
pub(crate) struct Patch {
    /// Kind of the resource
    #[arg(value_name = "KIND")]
    kind: String,
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// The patch, in JSON
    #[arg(short, long, value_name = "JSON")]
    patch: String,
    /// Ignored, for calicoctl's sake: the patch is always a strategic merge
    #[arg(
        short = 't',
        long = "type",
        value_name = "TYPE",
        default_value = "strategic"
    )]
    _kind_of_patch: String,
    /// Its namespace [default: default]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    #[command(flatten)]
    target: Target,
}

impl Patch {
    pub(crate) fn run(&self) -> Exit {
        exit(|| self.patch())
    }

    fn patch(&self) -> Result<Exit, End> {
        let kind = kind(&self.kind, "failed to execute command: ")?;
        let patch = match serde_json::from_str::<Value>(&self.patch) {
            Ok(patch) => patch,
            Err(error) => return fail(format_args!("hit error: the patch is no JSON: {error}")),
        };
        if let Some(text) = wrong_field(kind, &patch) {
            return fail(format_args!("hit error: {text}"));
        }
        let session = Session::checked(&self.target, "")?;
        let id = id(kind, self.namespace.as_deref(), &self.name);
        session.warn_if_locked();
        let patched = refuse_cluster(kind, "apply or replace", "").and_then(|()| {
            let resources = session.resources();
            session.run(resources.change(&id, |latest| strategic(latest, &patch)))
        });
        match patched {
            Ok(_) => {
                say(format_args!("Successfully patched 1 '{kind}' resource"))?;
                Ok(Exit::Ok)
            }
            Err(error @ ClientError::Conflict(_)) => fail(format_args!(
                "hit error: updating existing resource: {error}"
            )),
            Err(error) => fail(format_args!("hit error: {error}")),
        }
    }
}

/// The mistake of a patch, if it is none of a resource of this kind.
fn wrong_field(kind: Kind, patch: &Value) -> Option<String> {
    let mut whole = without_removals(patch);
    whole["apiVersion"] = json!("projectcalico.org/v3");
    whole["kind"] = json!(kind.name());
    let text = whole.to_string();
    let parsed = source::parse(text.as_bytes());
    let document = parsed.documents.into_iter().next()?.expanded();
    decode(&document).err().map(|unread| unread.text)
}

/// The patch without what removes fields, and without directives.
fn without_removals(patch: &Value) -> Value {
    let Value::Object(fields) = patch else {
        return patch.clone();
    };
    let kept = fields
        .iter()
        .filter(|(key, value)| !key.starts_with('$') && !value.is_null());
    let kept: Map<String, Value> = kept
        .map(|(key, value)| (key.clone(), without_removals(value)))
        .collect();
    Value::Object(kept)
}

fn id(kind: Kind, given: Option<&str>, name: &str) -> ResourceId {
    ResourceId {
        kind,
        namespace: namespace(kind, given).as_deref().map(Into::into),
        name: name.into(),
    }
}

/// Set or remove a label of a resource
#[derive(Args, Debug)]
pub(crate) struct Label {
    /// Kind of the resource
    #[arg(value_name = "KIND")]
    kind: String,
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// The label: key=value, or with --remove its key
    #[arg(value_name = "LABEL")]
    label: String,
    /// Set another value than the one that is there
    #[arg(long)]
    overwrite: bool,
    /// Remove the label
    #[arg(long, conflicts_with = "overwrite")]
    remove: bool,
    /// Its namespace [default: default]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    #[command(flatten)]
    target: Target,
}

impl Label {
    pub(crate) fn run(&self) -> Exit {
        exit(|| self.label())
    }

    fn label(&self) -> Result<Exit, End> {
        let kind = kind(&self.kind, "failed to execute command: ")?;
        let (word, name) = (&self.kind, &self.name);
        let wanted = self
            .label
            .split_once('=')
            .filter(|(_, value)| !value.contains('='));
        let (key, value) = match (self.remove, wanted) {
            (true, None) => (&*self.label, None),
            (false, Some((key, value))) => (key, Some(value)),
            (true, Some(_)) | (false, None) => {
                return fail(format_args!("invalid label {}", self.label));
            }
        };
        let prefix = format!("failed to get {word} {name}, error ");
        let session = Session::checked(&self.target, &prefix)?;
        let id = id(kind, self.namespace.as_deref(), name);
        let resources = session.resources();
        let former = self.former(session.run(resources.get(&id, None)), key)?;
        self.check(key, former.as_deref(), value)?;
        session.warn_if_locked();
        let changed = refuse_cluster(kind, "apply or replace", "")
            .and_then(|()| session.run(resources.change(&id, |it| labelled(it, key, value))));
        if let Err(error) = changed {
            return fail(format_args!(
                "failed to update {word} {name}, label not changed: {error}"
            ));
        }
        match (former, value) {
            (_, None) => say(format_args!(
                "Successfully removed label {key} from {word} {name}"
            ))?,
            (None, Some(_)) => say(format_args!(
                "Successfully set label {key} on {word} {name}"
            ))?,
            (Some(_), Some(_)) => {
                say(format_args!(
                    "Successfully updated label {key} on {word} {name}"
                ))?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl Label {
    /// The value of the label that is there.
    fn former(&self, found: Result<Object, ClientError>, key: &str) -> Result<Option<String>, End> {
        let (word, name) = (&self.kind, &self.name);
        match found {
            Ok(object) => {
                let labels = object.value.pointer("/metadata/labels");
                let former = labels.and_then(|labels| labels.get(key)?.as_str());
                Ok(former.map(str::to_owned))
            }
            Err(ClientError::DoesNotExist { .. }) => fail(format_args!("{word} {name} not found")),
            Err(error) => fail(format_args!("failed to get {word} {name}, error {error}")),
        }
    }

    /// Checks that the label may become this one, or be removed.
    fn check(&self, key: &str, former: Option<&str>, value: Option<&str>) -> Result<(), End> {
        let (word, name) = (&self.kind, &self.name);
        match (former, value) {
            (None, None) => fail(format_args!(
                "cannot remove label of {word} {name}, key {key} does not exist"
            )),
            (Some(former), Some(value)) if former != value && !self.overwrite => {
                fail(format_args!(
                    "failed to update label of {word} {name}, key {key} is already present. please \
                     use '--overwrite' to set a new value"
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The resource with the label set, or removed.
fn labelled(resource: &Value, key: &str, value: Option<&str>) -> Value {
    let patch = json!({"metadata": {"labels": {key: value}}});
    strategic(resource, &patch)
}
