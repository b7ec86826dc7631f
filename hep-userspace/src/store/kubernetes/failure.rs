//! Failures of requests to the API server, as clients of Calico's stores name them (spec DS-140).

use std::{error::Error, fmt::Write as _, time::Duration};

use hyper::{HeaderMap, StatusCode, header::RETRY_AFTER};
use serde_json::Value;

use crate::{model::ResourceId, store::objects::ClientError};

/// Reason why a request has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration, or a file that it names, cannot be used.
    #[error("{0}")]
    Config(String),
    /// The server could not be reached, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// The server answered with an error.
    #[error("{}", .0.message)]
    Refused(Box<Refusal>),
}

/// An error that the server answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// The reason in one word, such as `AlreadyExists`; empty if the answer was no `Status` object.
    pub(super) reason: String,
    /// The message.
    pub(super) message: String,
    /// The fields that are wrong, each with the kind of its fault.
    pub(super) causes: Vec<(String, String)>,
    /// How long to wait before the next request.
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    /// The error in a response.
    pub(super) fn of_response(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let retry_after = headers.get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|it| it.to_str().ok()?.parse().ok());
        let parsed = serde_json::from_slice(body).ok();
        let parsed =
            parsed.filter(|it: &Value| it.get("kind").is_some_and(|kind| kind == "Status"));
        let mut refusal = match parsed {
            Some(object) => Self::of_object(&object),
            None => Self {
                status,
                reason: String::new(),
                message: String::from_utf8_lossy(body).trim().to_owned(),
                causes: Vec::new(),
                retry_after: None,
            },
        };
        refusal.status = status;
        refusal.retry_after = retry_after.map(Duration::from_secs).or(refusal.retry_after);
        if refusal.message.is_empty() {
            refusal.message = status.to_string();
        }
        refusal
    }

    /// The error in a `Status` object, as watches send them.
    pub(super) fn of_object(object: &Value) -> Self {
        let text = |field: &str| {
            let text = object.get(field).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let code = object.get("code").and_then(Value::as_u64);
        let code = code.and_then(|code| u16::try_from(code).ok());
        let status = code.and_then(|code| StatusCode::from_u16(code).ok());
        let causes = object.pointer("/details/causes").and_then(Value::as_array);
        let cause = |cause: &Value| {
            let text = |field: &str| cause.get(field).and_then(Value::as_str);
            (
                text("field").unwrap_or_default().to_owned(),
                text("reason").unwrap_or_default().to_owned(),
            )
        };
        let wait = object.pointer("/details/retryAfterSeconds");
        Self {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            reason: text("reason"),
            message: text("message"),
            causes: causes.into_iter().flatten().map(cause).collect(),
            retry_after: wait.and_then(Value::as_u64).map(Duration::from_secs),
        }
    }

    /// Whether the resource itself is not served: the answer to a path that means nothing to the server.
    pub(super) fn is_unserved(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.reason != "NotFound"
    }

    /// Whether the revision is too old to continue from (spec DS-147).
    pub(super) fn is_expired(&self) -> bool {
        self.status == StatusCode::GONE || ["Expired", "Gone"].contains(&self.reason.as_str())
    }

    /// Whether the revision is newer than any that the server has (spec DS-143).
    pub(super) fn is_too_large(&self) -> bool {
        self.message.contains("Too large resource version")
    }

    /// Whether all wrong fields are this one.
    fn is_only_about(&self, field: &str) -> bool {
        let is_it = |cause: &(String, String)| cause.0 == field && cause.1 == "FieldValueInvalid";
        !self.causes.is_empty() && self.causes.iter().all(is_it)
    }
}

impl Failure {
    /// The error of a request about an object.
    pub(super) fn about(self, id: &ResourceId) -> ClientError {
        let refusal = match self {
            Self::Config(text) | Self::Unreachable(text) => return ClientError::Store(text),
            Self::Refused(refusal) => refusal,
        };
        let cause = Some(refusal.message.clone());
        let id = id.clone();
        if refusal.is_unserved() {
            return ClientError::NotServed(id.kind);
        }
        let is_replaced = refusal.message.contains("UID in precondition");
        match refusal.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                ClientError::Unauthorized(refusal.message)
            }
            StatusCode::NOT_FOUND => ClientError::DoesNotExist { id, cause },
            StatusCode::CONFLICT if refusal.reason == "AlreadyExists" => {
                ClientError::AlreadyExists { id, cause }
            }
            StatusCode::CONFLICT if is_replaced => ClientError::DoesNotExist { id, cause },
            StatusCode::CONFLICT => ClientError::Conflict(id),
            _ if refusal.is_only_about("metadata.uid") => ClientError::DoesNotExist { id, cause },
            _ if refusal.is_only_about("metadata.resourceVersion") => ClientError::Conflict(id),
            _ => ClientError::Store(refusal.message),
        }
    }
}

/// An error with its causes, each once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            write!(text, ": {cause_text}").expect("a string takes everything");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Kind;

    fn answer(code: u16, reason: &str, message: &str, causes: &[(&str, &str)]) -> ClientError {
        let causes: Vec<Value> = causes
            .iter()
            .map(|(field, reason)| json!({"field": field, "reason": reason}))
            .collect();
        let body = json!({
            "kind": "Status", "code": code, "reason": reason, "message": message,
            "details": {"causes": causes},
        });
        let status = StatusCode::from_u16(code).expect("it is a status");
        let body = body.to_string();
        let refusal = Refusal::of_response(status, &HeaderMap::new(), body.as_bytes());
        Failure::Refused(Box::new(refusal)).about(&ResourceId::global(Kind::Tier, "t"))
    }

    /// Spec DS-128, DS-140.
    #[test]
    fn answers_are_named_as_calico_names_them() {
        let id = ResourceId::global(Kind::Tier, "t");
        let missing = |cause: &str| ClientError::DoesNotExist {
            id: id.clone(),
            cause: Some(cause.to_owned()),
        };
        let cause = Some("m".to_owned());
        let exists = ClientError::AlreadyExists {
            id: id.clone(),
            cause,
        };
        assert_eq!(answer(409, "AlreadyExists", "m", &[]), exists);
        assert_eq!(answer(404, "NotFound", "m", &[]), missing("m"));
        for code in [401, 403] {
            let wanted = ClientError::Unauthorized("m".to_owned());
            assert_eq!(answer(code, "Forbidden", "m", &[]), wanted);
        }
        let conflict = ClientError::Conflict(id.clone());
        assert_eq!(answer(409, "Conflict", "m", &[]), conflict);
        let text = "Precondition failed: UID in precondition: a, UID in object meta: b";
        assert_eq!(answer(409, "Conflict", text, &[]), missing(text));
        let uid = ("metadata.uid", "FieldValueInvalid");
        let version = ("metadata.resourceVersion", "FieldValueInvalid");
        let spec = ("spec.order", "FieldValueInvalid");
        assert_eq!(answer(422, "Invalid", "m", &[uid]), missing("m"));
        assert_eq!(answer(422, "Invalid", "m", &[version]), conflict);
        let other = ClientError::Store("m".to_owned());
        assert_eq!(answer(422, "Invalid", "m", &[uid, spec]), other);
        assert_eq!(answer(422, "Invalid", "m", &[]), other);
        assert_eq!(answer(500, "InternalError", "m", &[]), other);
    }

    /// Spec DS-144.
    #[test]
    fn a_missing_definition_is_no_missing_object() {
        let text = b"404 page not found\n";
        let refusal = Refusal::of_response(StatusCode::NOT_FOUND, &HeaderMap::new(), text);
        let error = Failure::Refused(Box::new(refusal)).about(&ResourceId::global(Kind::Tier, "t"));
        assert_eq!(error, ClientError::NotServed(Kind::Tier));
    }

    #[test]
    fn retry_after_is_read_from_the_header() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "7".parse().expect("it is a value"))]);
        let refusal = Refusal::of_response(StatusCode::TOO_MANY_REQUESTS, &headers, b"");
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(refusal.message, "429 Too Many Requests");
    }
}
