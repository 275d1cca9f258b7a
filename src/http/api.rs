//! The API: what is known and what happened, as JSON for programs.
//!
//! It is read-only and versioned by its path. Within a version fields and parameters are added, and
//! none is taken away or changes its meaning.

mod cursor;
mod event;
mod parameter;
mod problem;
mod stream;
mod target;
mod value;

use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use utoipa::OpenApi;

use self::problem::Problem;
pub(crate) use self::target::Target;
use super::View;

/// Where this version is.
const BASE: &str = "/api/v1";

/// All that is below `/api`; event streams are silent for at most `keep_alive`.
pub(super) fn router(view: &View, keep_alive: Duration) -> Router<View> {
    let source = stream::Source { view: view.clone(), keep_alive };
    let v1 = Router::new()
        .route("/targets", get(target::list))
        .route("/targets/{account}", get(target::of_account))
        .route("/targets/{account}/{probe}", get(target::of_probe))
        .route("/targets/{account}/{probe}/{region}", get(target::one))
        .route("/events", get(event::list))
        .route("/events/stream", get(stream::stream).with_state(source))
        .route("/openapi.json", get(openapi));
    Router::new().nest("/v1", v1).fallback(nowhere).method_not_allowed_fallback(async || {
        let detail = "regwatch is read-only: it answers GET and HEAD";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
    })
}

/// What is answered below `/api` where nothing is.
pub(super) async fn nowhere() -> impl IntoResponse {
    Problem::new(StatusCode::NOT_FOUND, "there is no such resource; /api/v1/openapi.json lists all")
}

/// The description of the API.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "regwatch",
        description = "What regwatch knows of AWS IoT FleetWise registrations and linked GovCloud accounts, \
                       and what happened to them.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        target::list, target::of_account, target::of_probe, target::one,
        event::list, stream::stream, openapi
    ),
    components(schemas(Problem)),
    tags(
        (name = "targets", description = "What is watched, and what is known of it."),
        (name = "events", description = "What happened, from the event log."),
        (name = "description", description = "What the API is.")
    )
)]
struct Description;

/// It changes with the release only.
static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    let mut description = Description::openapi();
    description.info.version = env!("CARGO_PKG_VERSION").to_owned();
    description.to_pretty_json().expect("it is made of texts")
});

/// This description, as OpenAPI 3.1.
#[utoipa::path(
    get, path = "/openapi.json", context_path = BASE, tag = "description", operation_id = "get_description",
    responses((status = 200, description = "The description.", body = serde_json::Value))
)]
async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION.as_str())
}

/// An answer in JSON.
fn json(value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("texts, numbers and maps by texts can be written");
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
