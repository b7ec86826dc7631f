//! A directory of policy files as a store of single resources. A write touches the text of one resource;
//! every other byte of its file stays.

mod edit;
mod files;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use self::{
    edit::{Found, added, find, removed, revised},
    files::{Lock, write},
};
use super::{access::id_of, checks};
use crate::{
    model::{Kind, ResourceId},
    source::Unit,
    store::{
        Later, directory,
        objects::{Client, ClientError, Listing, Object},
    },
};

/// The resources of a directory.
pub struct DirectoryClient {
    directory: PathBuf,
    /// The file of new resources; `None` for one of their own each.
    new_file: Option<PathBuf>,
}

impl DirectoryClient {
    /// Those of a directory; new ones are added to `new_file`, or each to a file of its own, named by kind
    /// and name.
    #[must_use]
    pub const fn new(directory: PathBuf, new_file: Option<PathBuf>) -> Self {
        Self {
            directory,
            new_file,
        }
    }

    fn units(&self) -> Result<Vec<Unit>, ClientError> {
        directory::read(&self.directory).map_err(|error| ClientError::Store(chain(&error)))
    }

    fn all(&self) -> Result<Vec<(Unit, Vec<Found>)>, ClientError> {
        let units = self.units()?;
        let found = units.into_iter().map(|unit| {
            let found = find(&unit)
                .map_err(|error| ClientError::Store(format!("{}: {error}", unit.origin)))?;
            Ok((unit, found))
        });
        found.collect()
    }

    /// A resource, and the file that it is in.
    fn one(&self, id: &ResourceId) -> Result<(Unit, Found), ClientError> {
        for (unit, found) in self.all()? {
            if let Some(found) = found.into_iter().find(|found| found.id == *id) {
                return Ok((unit, found));
            }
        }
        Err(ClientError::DoesNotExist {
            id: id.clone(),
            cause: None,
        })
    }

    fn object(found: Found) -> Result<Object, ClientError> {
        let Found {
            id,
            revision,
            value,
            ..
        } = found;
        let mut value = value.map_err(|text| ClientError::Undecodable {
            id: id.clone(),
            text,
        })?;
        value["metadata"]["resourceVersion"] = revision.as_str().into();
        Ok(Object {
            id,
            value,
            revision: Arc::from(revision),
        })
    }

    /// Reads, changes and writes one file, while no other `hep` writes.
    fn edit(
        &self,
        edit: impl FnOnce() -> Result<(PathBuf, Option<String>), ClientError>,
    ) -> Result<(), ClientError> {
        let _lock = Lock::take(&self.directory)?;
        let (path, text) = edit()?;
        checks::candidate(&self.units()?, &path, text.as_deref())?;
        write(&path, text.as_deref())
    }

    fn create_now(&self, value: &Value) -> Result<Object, ClientError> {
        let kind = kind_of(value)?;
        let id = id_of(kind, value);
        self.edit(|| {
            if self.one(&id).is_ok() {
                let id = id.clone();
                return Err(ClientError::AlreadyExists { id, cause: None });
            }
            let path = match &self.new_file {
                Some(path) => self.directory.join(path),
                None => self.directory.join(file_name(&id)),
            };
            let former = match self.units()?.into_iter().find(|unit| unit.is_at(&path)) {
                Some(unit) => text_of(&unit)?,
                None if path.exists() => {
                    let text = format!("{} is there already, and no policy file", path.display());
                    return Err(ClientError::Store(text));
                }
                None => String::new(),
            };
            Ok((path, Some(added(&former, value))))
        })?;
        Self::object(self.one(&id)?.1)
    }

    fn update_now(&self, value: &Value) -> Result<Object, ClientError> {
        let kind = kind_of(value)?;
        let id = id_of(kind, value);
        self.edit(|| {
            let (unit, found) = self.one(&id)?;
            if checks::metadata(value, "resourceVersion") != Some(&*found.revision) {
                return Err(ClientError::Conflict(id.clone()));
            }
            let text = revised(&unit, &id, value).ok_or_else(|| unusual(&unit))?;
            Ok((path_of(&unit)?, Some(text)))
        })?;
        Self::object(self.one(&id)?.1)
    }

    fn delete_now(&self, id: &ResourceId, revision: Option<&str>) -> Result<Object, ClientError> {
        let mut former = None;
        self.edit(|| {
            let (unit, found) = self.one(id)?;
            if revision.is_some_and(|revision| revision != found.revision) {
                return Err(ClientError::Conflict(id.clone()));
            }
            let text = removed(&unit, id).ok_or_else(|| unusual(&unit))?;
            former = Some(found);
            Ok((path_of(&unit)?, text))
        })?;
        former.map_or_else(|| Err(missing(id)), Self::object)
    }
}

impl Client for DirectoryClient {
    fn get<'a>(
        &'a self,
        id: &'a ResourceId,
        _revision: Option<&'a str>,
    ) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(async move { Self::object(self.one(id)?.1) })
    }

    fn list<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&'a str>,
    ) -> Later<'a, Result<Listing, ClientError>> {
        Box::pin(async move {
            let all = self.all()?;
            let is_wanted = |id: &ResourceId| {
                id.kind == kind && (namespace.is_none() || id.namespace.as_deref() == namespace)
            };
            let found = all.into_iter().flat_map(|(_, found)| found);
            // What is no resource is left out, as of other stores (spec DS-061).
            let mut objects: Vec<Object> = found
                .filter(|found| is_wanted(&found.id))
                .filter_map(|found| Self::object(found).ok())
                .collect();
            objects.sort_by(|one, other| one.id.cmp(&other.id));
            Ok(Listing {
                objects,
                revision: String::new(),
            })
        })
    }

    fn create<'a>(&'a self, value: &'a Value) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(async move { self.create_now(value) })
    }

    fn update<'a>(&'a self, value: &'a Value) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(async move { self.update_now(value) })
    }

    fn delete<'a>(
        &'a self,
        id: &'a ResourceId,
        revision: Option<&'a str>,
        _uid: Option<&'a str>,
    ) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(async move { self.delete_now(id, revision) })
    }
}

/// The file of a new resource.
fn file_name(id: &ResourceId) -> String {
    let name = id.full_name().replace('/', ".");
    format!("{}-{name}.yaml", id.kind.name().to_ascii_lowercase())
}

fn kind_of(value: &Value) -> Result<Kind, ClientError> {
    let kind = value
        .get("kind")
        .and_then(Value::as_str)
        .and_then(Kind::named);
    kind.ok_or_else(|| ClientError::Store("a resource needs a kind".to_owned()))
}

fn path_of(unit: &Unit) -> Result<PathBuf, ClientError> {
    let path = unit.path().map(Path::to_path_buf);
    path.ok_or_else(|| ClientError::Store("no file".to_owned()))
}

fn text_of(unit: &Unit) -> Result<String, ClientError> {
    match std::str::from_utf8(&unit.text) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(unusual(unit)),
    }
}

fn unusual(unit: &Unit) -> ClientError {
    ClientError::Store(format!(
        "{}: the resource is an item of a list, or its text is too unusual to change; edit the file",
        unit.origin
    ))
}

fn missing(id: &ResourceId) -> ClientError {
    ClientError::DoesNotExist {
        id: id.clone(),
        cause: None,
    }
}

/// The error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
