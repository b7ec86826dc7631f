//! Events of a watch: lines of JSON (spec DS-145 to DS-148).

use bytes::BytesMut;
use memchr::memchr;
use serde_json::Value;

use super::{
    super::{
        codec,
        failure::{Failure, Refusal},
        group::ApiGroup,
    },
    collections::{Collection, key, seen, shown},
    loss::refused,
};
use crate::store::follow::upstream::{Change, Loss};

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// An object changed.
    Change { change: Change, revision: String },
    /// Nothing changed up to this revision.
    Bookmark { revision: String },
}

/// Text of which a part has arrived.
#[derive(Debug, Default)]
pub(super) struct Lines(BytesMut);

impl Lines {
    /// Adds a part.
    pub(super) fn add(&mut self, part: &[u8]) {
        self.0.extend_from_slice(part);
    }

    /// Takes the first whole line, without its end.
    pub(super) fn take(&mut self) -> Option<BytesMut> {
        let end = memchr(b'\n', &self.0)?;
        let mut line = self.0.split_to(end + 1);
        line.truncate(end);
        Some(line)
    }
}

/// The event in a line; `None` if it is about an object without a name.
///
/// # Errors
///
/// The loss that the event reports, and [`Loss::Unreachable`] for what is no event.
pub(super) fn event(
    group: ApiGroup,
    collection: &Collection,
    line: &[u8],
) -> Result<Option<Event>, Loss> {
    let garbled = |text: String| {
        super::lost(
            Failure::Unreachable(format!("the watch of {} {text}", collection.path)),
            None,
        )
    };
    let mut event: Value =
        serde_json::from_slice(line).map_err(|error| garbled(format!("has no JSON: {error}")))?;
    let class = codec::text(&event, "/type").unwrap_or_default().to_owned();
    let object = event.get_mut("object").map(Value::take).unwrap_or_default();
    let revision = codec::text(&object, "/metadata/resourceVersion");
    let revision = revision.unwrap_or_default().to_owned();
    let change = match class.as_str() {
        "ADDED" | "MODIFIED" => seen(group, collection, object).map(Change::Put),
        "DELETED" => shown(group, collection, object).map(|shown| Change::Deleted {
            key: key(&shown.id),
            id: shown.id,
        }),
        "BOOKMARK" => return Ok(Some(Event::Bookmark { revision })),
        "ERROR" => return Err(refused(Refusal::of_object(&object), Some(collection.kind))),
        other => return Err(garbled(format!("has an event of type {other:?}"))),
    };
    Ok(change.map(|change| Event::Change { change, revision }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::collections::collections, *};
    use crate::model::{Kind, ResourceId};

    fn of(kind: Kind, line: &Value) -> Result<Option<Event>, Loss> {
        let collection = &collections(ApiGroup::Crd, kind, "web1")[0];
        event(ApiGroup::Crd, collection, line.to_string().as_bytes())
    }

    fn policy(revision: &str) -> Value {
        json!({"metadata": {"name": "p", "resourceVersion": revision}, "spec": {"order": 1}})
    }

    /// Spec DS-146 to DS-148, EX-32.
    #[test]
    fn events_are_changes_bookmarks_and_losses() {
        let kind = Kind::GlobalNetworkPolicy;
        let line = |class: &str, object: Value| of(kind, &json!({"type": class, "object": object}));
        for class in ["ADDED", "MODIFIED"] {
            let Ok(Some(Event::Change { change, revision })) = line(class, policy("1005")) else {
                panic!("{class} is a change");
            };
            let Change::Put(seen) = change else {
                panic!("{class} is no deletion");
            };
            assert_eq!(
                (&*seen.key, &*seen.revision, &*revision),
                ("globalnetworkpolicies/p", "1005", "1005")
            );
            assert_eq!(seen.content.expect("it is whole")["spec"]["order"], 1);
        }
        let deleted = Event::Change {
            change: Change::Deleted {
                id: ResourceId::global(kind, "p"),
                key: "globalnetworkpolicies/p".into(),
            },
            revision: "1006".to_owned(),
        };
        assert_eq!(line("DELETED", policy("1006")), Ok(Some(deleted)));
        let bookmark = Event::Bookmark {
            revision: "1400".to_owned(),
        };
        let object = json!({"metadata": {"resourceVersion": "1400"}});
        assert_eq!(line("BOOKMARK", object), Ok(Some(bookmark)));
        let gone =
            json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"});
        assert_eq!(line("ERROR", gone), Err(Loss::Expired(kind)));
        assert!(matches!(line("NEW", json!({})), Err(Loss::Unreachable(_))));
    }

    /// Spec DS-124, DS-319.
    #[test]
    fn a_broken_object_is_seen_as_broken() {
        let mut object = policy("7");
        object["metadata"]["annotations"] = json!({"projectcalico.org/metadata": "{"});
        let found = of(
            Kind::GlobalNetworkPolicy,
            &json!({"type": "MODIFIED", "object": object}),
        );
        let Ok(Some(Event::Change {
            change: Change::Put(seen),
            ..
        })) = found
        else {
            panic!("{found:?}");
        };
        let broken = seen.content.expect_err("it is broken");
        assert!(
            broken
                .reason
                .starts_with("annotation projectcalico.org/metadata")
        );
        let raw: Value = serde_json::from_slice(&broken.raw).expect("it is JSON");
        assert_eq!(raw["spec"]["order"], 1);
    }

    #[test]
    fn lines_arrive_in_parts() {
        let mut lines = Lines::default();
        lines.add(b"{\"a\"");
        assert_eq!(lines.take(), None);
        lines.add(b":1}\n{}\nx");
        assert_eq!(lines.take().as_deref(), Some(&b"{\"a\":1}"[..]));
        assert_eq!(lines.take().as_deref(), Some(&b"{}"[..]));
        assert_eq!(lines.take(), None);
    }
}
