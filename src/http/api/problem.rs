//! What the API answers where it has no answer: problem details of RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::path::ParameterIn;

/// What went wrong, for programs and for people.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: the status says which sort of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What the status means.
    title: &'static str,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time, and what to do.
    detail: String,
    /// Every parameter that is wrong; absent where none is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<BadParameter>,
}

/// A parameter that is wrong.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct BadParameter {
    /// Its name, as it was given.
    pub(super) parameter: String,
    /// Where it was given.
    #[serde(rename = "in")]
    #[schema(value_type = String)]
    pub(super) place: Place,
    /// What would be right.
    pub(super) detail: String,
}

/// Where a parameter is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// A part of the path.
    Path,
    /// A pair of the query.
    Query,
    /// A header.
    Header,
}

impl From<Place> for ParameterIn {
    fn from(place: Place) -> Self {
        match place {
            Place::Path => Self::Path,
            Place::Query => Self::Query,
            Place::Header => Self::Header,
        }
    }
}

impl Problem {
    /// Its content type.
    pub(super) const CONTENT_TYPE: &str = "application/problem+json";

    /// A problem that its status and some words say all of.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Unknown"),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// Parameters that are wrong, at least one.
    pub(super) fn bad_parameters(errors: Vec<BadParameter>) -> Self {
        let told: Vec<_> =
            errors.iter().map(|error| format!("`{}`: {}", error.parameter, error.detail)).collect();
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, told.join("; ")) }
    }

    /// The store cannot be read just now. Its words may name files, so they go to the log alone.
    pub(super) fn unreadable_store(error: &crate::store::StoreError) -> Self {
        tracing::warn!(%error, "the API cannot read the event log");
        let detail = "the event log cannot be read just now; regwatch's log tells why";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("it was made of one");
        let body = serde_json::to_string(&self).expect("texts and a number can be written");
        let content_type = HeaderValue::from_static(Self::CONTENT_TYPE);
        (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_wrong_parameter_is_told() {
        let bad = |parameter: &str, place, detail: &str| BadParameter {
            parameter: parameter.to_owned(),
            place,
            detail: detail.to_owned(),
        };
        let problem = Problem::bad_parameters(vec![
            bad("limit", Place::Query, "expected a number from 1 to 1000"),
            bad("account", Place::Path, "expected exactly 12 digits"),
        ]);
        assert_eq!(
            serde_json::to_value(&problem).unwrap(),
            json!({
                "type": "about:blank",
                "title": "Bad Request",
                "status": 400,
                "detail": "`limit`: expected a number from 1 to 1000; `account`: expected exactly 12 digits",
                "errors": [
                    {"parameter": "limit", "in": "query", "detail": "expected a number from 1 to 1000"},
                    {"parameter": "account", "in": "path", "detail": "expected exactly 12 digits"},
                ],
            })
        );
    }

    #[test]
    fn what_has_no_wrong_parameter_lists_none() {
        let problem = serde_json::to_value(Problem::new(StatusCode::NOT_FOUND, "nowhere")).unwrap();
        assert_eq!(
            problem,
            json!({"type": "about:blank", "title": "Not Found", "status": 404, "detail": "nowhere"})
        );
    }
}
