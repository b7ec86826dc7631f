//! Requests to the API server.

use hyper::Method;
use serde_json::Value;

/// A request: its path with the query, and its body.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Starts with `/`.
    pub(super) target: String,
    /// JSON.
    pub(super) body: Option<Vec<u8>>,
}

impl Request {
    /// Reads.
    pub(super) fn get(target: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            target: target.into(),
            body: None,
        }
    }

    /// Creates in a collection.
    pub(super) fn post(target: impl Into<String>, body: &Value) -> Self {
        Self::with(Method::POST, target, body)
    }

    /// Replaces.
    pub(super) fn put(target: impl Into<String>, body: &Value) -> Self {
        Self::with(Method::PUT, target, body)
    }

    /// Deletes, with options.
    pub(super) fn delete(target: impl Into<String>, options: &Value) -> Self {
        Self::with(Method::DELETE, target, options)
    }

    fn with(method: Method, target: impl Into<String>, body: &Value) -> Self {
        Self {
            method,
            target: target.into(),
            body: Some(body.to_string().into_bytes()),
        }
    }
}

/// A path with a query.
pub(super) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let mut target = path.to_owned();
    for (index, (key, value)) in query.iter().enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        target.push_str(key);
        target.push('=');
        target.push_str(&escaped(value));
    }
    target
}

/// A text as a segment of a path or as a value of a query.
pub(super) fn escaped(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_escaped() {
        let target = with_query("/p", &[("continue", "a+/="), ("limit", "500")]);
        assert_eq!(target, "/p?continue=a%2B%2F%3D&limit=500");
        assert_eq!(with_query("/p", &[]), "/p");
    }
}
