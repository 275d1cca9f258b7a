//! What is served where.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body as AxumBody;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response, map_response_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use hyper::body::{Body, Bytes, Frame};
use tokio::time::Instant;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use super::door::{Door, dress, guard};
use super::{View, api, lifecycle, page};
use crate::liveness::Liveness;
use crate::metrics::{CONTENT_TYPE, Page};

/// Nothing may be loaded, framed or sent but the pages' own style sheet and script, what that script asks
/// of this server, the filters of the pages, and their icon, which is none.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                                       connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; \
                                       frame-ancestors 'none'";

/// Every path behind the door, with the headers that all answers have. HEAD is answered wherever GET is.
/// Event streams are silent for at most `keep_alive`.
pub(super) fn router(view: View, door: &Arc<Door>, keep_alive: Duration) -> Router {
    Router::new()
        .merge(page::router())
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(async |State(view): State<View>| health(&view.liveness)))
        .route("/-/ready", get(ready))
        .route("/-/reload", lifecycle::routes())
        // A nested router sees its bare prefix and what is below, but not the slash alone.
        .route("/api/", any(api::nowhere))
        .nest("/api", api::router(&view, keep_alive))
        .fallback(async || (StatusCode::NOT_FOUND, "There is no such page; / tells what there is.\n"))
        .method_not_allowed_fallback(async || {
            (StatusCode::METHOD_NOT_ALLOWED, "regwatch is read-only: it answers GET and HEAD.\n")
        })
        // An event stream is passed over: its events would wait in the compressor for more of them.
        // A page is so repetitive that the fastest level already makes a thirtieth of it, for
        // a third of the CPU that writing it took.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(from_fn_with_state(Arc::clone(door), guard))
        .layer(map_response(secured))
        .layer(map_response_with_state(Arc::clone(door), dress))
        .with_state(view)
}

async fn metrics(State(view): State<View>) -> impl IntoResponse {
    let snapshot = view.snapshot.borrow().clone();
    let page = view.metrics.page(snapshot, view.clock.now());
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], AxumBody::new(Pieces(page)))
}

fn health(liveness: &Liveness) -> (StatusCode, String) {
    match liveness.check(Instant::now()) {
        Ok(()) => (StatusCode::OK, "regwatch is healthy\n".to_owned()),
        Err(stuck) => (StatusCode::SERVICE_UNAVAILABLE, format!("{stuck}\n")),
    }
}

async fn ready(State(view): State<View>) -> (StatusCode, String) {
    if view.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "regwatch is shutting down\n".to_owned());
    }
    if let Some(out_of_touch) = view.out_of_touch() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("regwatch is not ready: {out_of_touch}\n"));
    }
    let snapshot = view.snapshot.borrow().clone();
    let (begun, all) = snapshot.begun_scopes();
    let mut text = format!("{begun} of {all} quota scopes have been asked, or are known from before\n");
    if !snapshot.organizations.is_empty() {
        let begun = snapshot.organizations.iter().filter(|state| state.has_begun()).count();
        let all = snapshot.organizations.len();
        text = format!("{begun} of {all} organizations have been listed, or are known from before; {text}");
    }
    match snapshot.is_ready() {
        true => (StatusCode::OK, format!("regwatch is ready: {text}")),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("regwatch is not ready: {text}")),
    }
}

async fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A metrics page as an answer's body: each piece is written when the connection has room for it.
struct Pieces(Page);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece.into()))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::liveness::Loop;

    #[tokio::test(start_paused = true)]
    async fn health_is_that_of_the_loops() {
        let liveness = Arc::new(Liveness::new());
        let promise = liveness.promise(Loop::Tracker);
        assert_eq!(health(&liveness), (StatusCode::OK, "regwatch is healthy\n".to_owned()));
        tokio::time::advance(Duration::from_secs(60)).await;
        let stuck = "the tracker has not come back when it was due\n";
        assert_eq!(health(&liveness), (StatusCode::SERVICE_UNAVAILABLE, stuck.to_owned()));
        promise.back_by(Instant::now());
        assert_eq!(health(&liveness).0, StatusCode::OK);
    }
}
