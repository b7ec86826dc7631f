//! `http` clauses: checked for form, and always refused (RS-108).

use super::{Code, cursor::Value, unjudged};

const MAX_ITEMS: usize = 20;
const MAX_PATH: usize = 1024;

/// Refuses an `http` clause.
pub(super) fn refuse(value: &Value<'_>) {
    check(value);
    unjudged::report(
        value,
        "HTTP cannot be matched here, and without this condition the rule would match more",
        "filter HTTP in a proxy, and allow here what may reach the proxy",
    );
}

fn check(value: &Value<'_>) -> Option<()> {
    let http = value.object()?;
    http.read("methods", |value| value.distinct_texts(MAX_ITEMS));
    http.read("paths", |value| {
        for item in value.items_up_to(MAX_ITEMS)? {
            path(&item);
        }
        Some(())
    });
    http.finish();
    Some(())
}

fn path(value: &Value<'_>) -> Option<()> {
    let object = value.object()?;
    let given = [object.optional("exact"), object.optional("prefix")];
    object.finish();
    let ([Some(path), None] | [None, Some(path)]) = given else {
        return value.error(
            Code::Syntax,
            "needs one of exact and prefix",
            "write exact: /path",
        );
    };
    let text = path.text()?;
    if text.len() > MAX_PATH {
        return path.error(
            Code::Range,
            format!("is longer than {MAX_PATH} characters"),
            "shorten it",
        );
    }
    if !text.starts_with('/') || text.contains(['?', '#', ' ']) {
        return path.error(
            Code::Syntax,
            "is not a path",
            "start with '/' and use neither '?' nor '#' nor blanks",
        );
    }
    Some(())
}
