//! Lists, page by page (spec DS-142, DS-143).

use serde_json::Value;

use super::{
    connection::Connection,
    failure::Failure,
    request::{Request, with_query},
};

/// The objects that are asked for at a time.
const PAGE: &str = "500";

/// A list: the objects, and the revision that a watch continues from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct List {
    pub(super) items: Vec<Value>,
    pub(super) revision: String,
    /// Whether the server did not have the revision that was asked for yet, so that this is the most recent
    /// it has.
    pub(super) was_ahead: bool,
}

/// Lists a collection: not older than a revision if there is one, else the most recent.
///
/// # Errors
///
/// All of [`Failure`].
pub(super) async fn list(
    connection: &Connection,
    path: &str,
    selector: &[(&str, &str)],
    since: Option<&str>,
) -> Result<List, Failure> {
    let first = match since.filter(|revision| !revision.is_empty()) {
        None => pages(connection, path, selector, &[]).await,
        Some(revision) => {
            let not_older = [
                ("resourceVersion", revision),
                ("resourceVersionMatch", "NotOlderThan"),
            ];
            match pages(connection, path, selector, &not_older).await {
                Err(Failure::Refused(refusal)) if refusal.is_too_large() => {
                    let recent = pages(connection, path, selector, &[]).await?;
                    Ok(List {
                        was_ahead: true,
                        ..recent
                    })
                }
                other => other,
            }
        }
    };
    match first {
        // A page came too late, or the revision is gone: all at once, and most recent.
        Err(Failure::Refused(refusal)) if refusal.is_expired() => {
            let (list, _) = page(connection, path, selector).await?;
            Ok(list)
        }
        other => other,
    }
}

/// Lists in pages; only the first request may name a revision.
async fn pages(
    connection: &Connection,
    path: &str,
    selector: &[(&str, &str)],
    revision: &[(&str, &str)],
) -> Result<List, Failure> {
    let mut query = [selector, &[("limit", PAGE)], revision].concat();
    let (mut list, mut next) = page(connection, path, &query).await?;
    while let Some(token) = next {
        query = [selector, &[("limit", PAGE), ("continue", &token)]].concat();
        let (more, following) = page(connection, path, &query).await?;
        list.items.extend(more.items);
        list.revision = more.revision;
        next = following;
    }
    Ok(list)
}

/// One page, and the token of the next one.
async fn page(
    connection: &Connection,
    path: &str,
    query: &[(&str, &str)],
) -> Result<(List, Option<String>), Failure> {
    let mut answer = connection
        .json(&Request::get(with_query(path, query)))
        .await?;
    let text = |field: &str| {
        let text = answer.pointer("/metadata")?.get(field)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    let revision = text("resourceVersion").unwrap_or_default();
    let next = text("continue");
    let items = match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        Some(Value::Null) | None => Vec::new(),
        Some(other) => {
            let text = format!("the list at {path} has no items but {other}");
            return Err(Failure::Unreachable(text));
        }
    };
    let list = List {
        items,
        revision,
        was_ahead: false,
    };
    Ok((list, next))
}
