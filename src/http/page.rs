//! The status pages: what is known, for people.
//!
//! They are made here, whole, for each request, from the snapshot and the event log, and can be read
//! without a script. What the few lines of `live.js` add is that an open page stays true. All texts are
//! escaped by askama; those that others wrote, AWS first of all, are [`text::Foreign`] besides. Links are
//! relative, so that a reverse proxy may put everything below a prefix.

mod asker;
mod attention;
mod events;
mod filter;
mod health;
mod history;
mod moment;
mod overview;
mod picture;
mod row;
mod scopes;
mod target;
mod text;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;

use super::View;
use crate::model::{Organization, OrganizationState, Snapshot, TargetId, TargetState, Whole};
use crate::store::OutOfTouch;

/// The pages, and what they are made of.
pub(super) fn router() -> Router<View> {
    Router::new()
        .route("/", get(overview::show))
        .route("/targets/{account}/{probe}", get(target::show_global))
        .route("/targets/{account}/{probe}/{region}", get(target::show))
        .route("/events", get(events::show))
        .route("/scopes", get(scopes::show))
        .route("/style.css", get(async || asset("text/css; charset=utf-8", include_str!("page/style.css"))))
        .route(
            "/live.js",
            get(async || asset("text/javascript; charset=utf-8", include_str!("page/live.js"))),
        )
}

fn asset(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type)], text)
}

/// What is around every page.
struct Shell {
    /// What leads from the page to `/`.
    root: &'static str,
    /// Which of the pages in the navigation it is; empty for none.
    section: &'static str,
    title: String,
}

impl Shell {
    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// A page as an answer.
fn page(template: &impl Template) -> Response {
    Html(template.render().expect("texts and numbers can be written")).into_response()
}

/// There is no such page.
#[derive(Template)]
#[template(path = "missing.html", config = "src/http/page/askama.toml")]
struct Missing {
    shell: Shell,
    what: String,
}

/// The answer where a page could be, and is not.
fn missing(root: &'static str, what: String) -> Response {
    let shell = Shell { root, section: "", title: "Not found".to_owned() };
    (StatusCode::NOT_FOUND, page(&Missing { shell, what })).into_response()
}

/// A look at what is known: all of a page is of one moment.
struct Look {
    snapshot: Arc<Snapshot>,
    whole: Whole,
    /// Why nothing is asked, if it is for the store.
    out_of_touch: Option<OutOfTouch>,
    now: Timestamp,
}

impl Look {
    fn at(view: &View) -> Self {
        let whole = view.whole();
        let (snapshot, out_of_touch) = (Arc::clone(&whole.snapshot), view.out_of_touch());
        Self { snapshot, whole, out_of_touch, now: view.clock.now() }
    }

    fn state(&self, id: TargetId) -> &TargetState {
        &self.snapshot.targets[id.0 as usize]
    }

    /// Whether the target has been silent for too long.
    fn is_stale(&self, id: TargetId) -> bool {
        self.whole.is_stale(id, self.now)
    }

    /// Whether another replica asks the target: then only what the store keeps of it is known.
    fn is_elsewhere(&self, id: TargetId) -> bool {
        self.whole.is_elsewhere(self.snapshot.fleet.target(id).scope)
    }

    /// Every target, in the order of the configuration.
    fn ids(&self) -> impl Iterator<Item = TargetId> + use<> {
        (0..).map(TargetId).take(self.snapshot.targets.len())
    }

    /// The organizations whose accounts are found, and what came of asking them.
    fn organizations(&self) -> impl Iterator<Item = (&Organization, &OrganizationState)> {
        self.snapshot.fleet.organizations.iter().zip(&self.snapshot.organizations)
    }

    /// Until when nothing is asked in the target's quota scope.
    fn backoff_until(&self, id: TargetId) -> Option<Timestamp> {
        let scope = self.snapshot.fleet.target(id).scope;
        let until = self.snapshot.scopes[scope.0 as usize].pacing.backoff_until;
        until.filter(|until| *until > self.now)
    }
}
