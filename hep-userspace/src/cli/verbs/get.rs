//! `hep get`.

use std::fs;

use clap::Args;
use serde_json::Value;

use super::{
    columns::{Columns, table},
    common::{End, Files, Session, Target, exit, fail, kind, namespace, print, say_error},
    shown::Shown,
    template::render,
    write::identity,
};
use crate::{
    cli::exit::Exit,
    model::{Kind, ResourceId},
    resources::{json, yaml},
    store::objects::ClientError,
};

const PREFIX: &str = "failed to get resources: ";

/// Show resources of a store
///
/// -o selects the format: ps (a table), wide, yaml, yml, json, custom-columns=NAME,…, go-template=TEXT or
/// go-template-file=FILE.
#[derive(Args, Debug)]
pub(crate) struct Get {
    /// Kind of the resources, such as hostendpoint or hep
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    /// Their names [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Show the resources of all namespaces
    #[arg(short = 'A', short_alias = 'a', long)]
    all_namespaces: bool,
    /// Leave out what belongs to this store: namespace, uid, revision and times; only with names
    #[arg(long)]
    export: bool,
    #[command(flatten)]
    target: Target,
}

/// Format of the output.
#[derive(Debug)]
enum Format {
    Table(Columns),
    Yaml,
    Json,
    Template(String),
}

impl Format {
    fn of(text: Option<&str>) -> Result<Self, String> {
        let text = text.unwrap_or("ps");
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        match name {
            "ps" => Ok(Self::Table(Columns::Narrow)),
            "wide" => Ok(Self::Table(Columns::Wide)),
            "yaml" | "yml" => Ok(Self::Yaml),
            "json" => Ok(Self::Json),
            "custom-columns" if !value.is_empty() => {
                let names = value.split(',').map(str::to_owned);
                Ok(Self::Table(Columns::Named(names.collect())))
            }
            "go-template" if !value.is_empty() => Ok(Self::Template(value.to_owned())),
            "go-template-file" if !value.is_empty() => match fs::read_to_string(value) {
                Ok(text) => Ok(Self::Template(text)),
                Err(error) => Err(format!("{value}: {error}")),
            },
            _ => Err(format!(
                "unrecognized output format '{text}'; write ps, wide, yaml, json, custom-columns=…, \
                 go-template=… or go-template-file=…"
            )),
        }
    }
}

/// The resources to show.
enum Wanted {
    /// All of a kind, or of one namespace.
    Kind(Kind, Option<String>),
    /// Single ones, with the revisions at which they are read.
    Single(Vec<(ResourceId, Option<String>)>),
}

impl Get {
    pub(crate) fn run(&self, output: Option<&str>) -> Exit {
        exit(|| self.get(output))
    }

    fn get(&self, output: Option<&str>) -> Result<Exit, End> {
        let format = Format::of(output).or_else(fail)?;
        let kind = self
            .kind
            .as_deref()
            .map(|word| kind(word, PREFIX))
            .transpose()?;
        if let (Some(kind), Some(_)) = (kind, &self.files.namespace)
            && !kind.is_namespaced()
        {
            return fail(format_args!("{PREFIX}{kind} is not namespaced"));
        }
        if let (None, None) = (kind, &self.files.filename) {
            return fail("write KIND and names, or -f FILE");
        }
        let session = Session::checked(&self.target, PREFIX)?;
        let Some(wanted) = self.wanted(kind)? else {
            return Ok(Exit::Ok);
        };
        let resources = session.resources();
        let (mut shown, mut errors) = (Vec::new(), Vec::new());
        match wanted {
            Wanted::Kind(kind, namespace) => {
                match session.run(resources.list(kind, namespace.as_deref())) {
                    Ok(mut listing) => {
                        let objects = std::mem::take(&mut listing.objects).into_iter();
                        listing.objects = objects.map(|it| resources.shown(it)).collect();
                        shown.push(Shown::all(kind, listing));
                    }
                    Err(error) => return fail(format_args!("{PREFIX}{error}")),
                }
            }
            Wanted::Single(all) => session.run(async {
                for (id, revision) in &all {
                    match resources.get(id, revision.as_deref()).await {
                        Ok(object) => shown.push(Shown::one(resources.shown(object))),
                        Err(error) => errors.push(error),
                    }
                }
            }),
        }
        if self.export {
            let single = shown.iter_mut().filter(|shown| shown.list.is_none());
            single.for_each(Shown::export);
        }
        let text = text(&format, &shown).or_else(|error| fail(format_args!("{PREFIX}{error}")))?;
        print(text).map_err(|_closed| End(Exit::Ok))?;
        Ok(self.end(&errors))
    }

    fn end(&self, errors: &[ClientError]) -> Exit {
        for error in errors {
            say_error(error);
        }
        if errors.is_empty() {
            Exit::Ok
        } else {
            Exit::Negative
        }
    }

    fn wanted(&self, kind: Option<Kind>) -> Result<Option<Wanted>, End> {
        let given = self.files.namespace.as_deref();
        match (kind, &self.files.filename) {
            (Some(kind), None) if self.names.is_empty() => {
                let namespace = namespace(kind, given).filter(|_| !self.all_namespaces);
                Ok(Some(Wanted::Kind(kind, namespace)))
            }
            (Some(kind), None) => {
                let namespace = namespace(kind, given);
                let id = |name: &String| ResourceId {
                    kind,
                    namespace: namespace.as_deref().map(Into::into),
                    name: name.as_str().into(),
                };
                let all = self.names.iter().map(|name| (id(name), None)).collect();
                Ok(Some(Wanted::Single(all)))
            }
            (None, Some(path)) => {
                let all = self.files.read(path)?;
                let single = |all: Vec<(Kind, Value)>| {
                    Wanted::Single(
                        all.iter()
                            .map(|(kind, value)| identity(*kind, value))
                            .collect(),
                    )
                };
                Ok(all.map(single))
            }
            (Some(_), Some(_)) | (None, None) => fail("write KIND and names, or -f FILE"),
        }
    }
}

/// The output.
fn text(format: &Format, shown: &[Shown]) -> Result<String, String> {
    let value = || match shown {
        [one] => one.value(),
        [] => Value::Null,
        several => Value::Array(several.iter().map(Shown::value).collect()),
    };
    match format {
        Format::Yaml => Ok(yaml(&value())),
        Format::Json => Ok(json(&value())),
        Format::Table(columns) => shown
            .iter()
            .map(|it| table(it.kind, &it.items, columns))
            .collect(),
        Format::Template(template) => {
            let all: Vec<(Kind, Value)> = shown.iter().map(|it| (it.kind, it.value())).collect();
            render(template, &all)
        }
    }
}
