//! Losses of the consumer, of failures here.

use hyper::StatusCode;

use super::super::failure::{Failure, Refusal};
use crate::{model::Kind, store::follow::upstream::Loss};

/// The loss that a failure is; `kind` is what the request was about.
pub(super) fn lost(failure: Failure, kind: Option<Kind>) -> Loss {
    match failure {
        Failure::Config(text) | Failure::Unreachable(text) => Loss::Unreachable(text),
        Failure::Refused(refusal) => refused(*refusal, kind),
    }
}

/// The loss that an error of the server is (spec DS-147, DS-232 to DS-234).
pub(super) fn refused(refusal: Refusal, kind: Option<Kind>) -> Loss {
    match (refusal.status, kind) {
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            Loss::Unauthorized(refusal.message)
        }
        (StatusCode::TOO_MANY_REQUESTS, _) => Loss::TooMany(refusal.retry_after),
        _ if refusal.is_too_large() => Loss::WentBack,
        (_, Some(kind)) if refusal.is_expired() => Loss::Expired(kind),
        (StatusCode::NOT_FOUND, Some(kind)) => Loss::NotServed(kind),
        _ => Loss::Unreachable(refusal.message),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Spec DS-147, DS-253.
    #[test]
    fn errors_of_watches_are_losses() {
        let loss = |code: u16, reason: &str| {
            let object = json!({
                "kind": "Status", "code": code, "reason": reason, "message": "m",
                "details": {"retryAfterSeconds": 3},
            });
            refused(Refusal::of_object(&object), Some(Kind::Tier))
        };
        assert_eq!(loss(410, "Expired"), Loss::Expired(Kind::Tier));
        assert_eq!(loss(410, "Gone"), Loss::Expired(Kind::Tier));
        assert_eq!(loss(404, "NotFound"), Loss::NotServed(Kind::Tier));
        let wait = std::time::Duration::from_secs(3);
        assert_eq!(loss(429, "TooManyRequests"), Loss::TooMany(Some(wait)));
        let text = || "m".to_owned();
        assert_eq!(loss(401, "Unauthorized"), Loss::Unauthorized(text()));
        assert_eq!(loss(403, "Forbidden"), Loss::Unauthorized(text()));
        let behind =
            json!({"code": 504, "message": "Timeout: Too large resource version: 9, current: 5"});
        let behind = refused(Refusal::of_object(&behind), Some(Kind::Tier));
        assert_eq!(behind, Loss::WentBack);
        assert_eq!(loss(500, "InternalError"), Loss::Unreachable(text()));
    }
}
