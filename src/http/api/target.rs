//! `/api/v1/targets`: what is watched, and what is known of it.

mod filter;
mod item;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use self::filter::{AccountPath, Filter, ProbePath, TargetPath, TargetQuery};
pub(crate) use self::item::Target;
use super::cursor::cursor;
use super::json;
use super::parameter::Valid;
use super::problem::Problem;
use super::value::Limit;
use crate::http::View;
use crate::model::{AccountId, Probe, Region, Snapshot, TargetId, Whole};
use crate::store::{OutOfTouch, TargetKey};

/// Targets in the order of account, probe and region.
#[derive(Serialize, ToSchema)]
pub(super) struct TargetPage<'a> {
    /// The targets.
    items: Vec<Target<'a>>,
    /// What to give as `after` for the page that follows, as it is; null on the last page.
    #[schema(required)]
    next: Option<String>,
}

/// The targets that match, in the order of account, probe and region.
#[utoipa::path(
    get, path = "/targets", context_path = super::BASE, tag = "targets", operation_id = "list_targets",
    params(Valid<TargetQuery>),
    responses(
        (status = 200, description = "A page of targets.", body = TargetPage<'_>),
        (status = 400, description = "Parameters are wrong.", body = Problem, content_type = Problem::CONTENT_TYPE),
    )
)]
pub(super) async fn list(State(view): State<View>, Valid(query): Valid<TargetQuery>) -> Response {
    let looked = Look::at(&view);
    let limit = query.limit.unwrap_or_default();
    let (ids, next) = looked.page(&query.filter, query.after.as_ref(), limit);
    let items = ids.into_iter().map(|id| looked.item(id)).collect();
    json(&TargetPage { items, next: next.as_ref().map(cursor) })
}

/// The targets of an account.
#[utoipa::path(
    get, path = "/targets/{account}", context_path = super::BASE, tag = "targets",
    operation_id = "list_targets_of_account",
    params(Valid<AccountPath>),
    responses(
        (status = 200, description = "All of them, on one page.", body = TargetPage<'_>),
        (status = 400, description = "A part of the path is wrong.", body = Problem, content_type = Problem::CONTENT_TYPE),
        (status = 404, description = "No such account is watched.", body = Problem, content_type = Problem::CONTENT_TYPE),
    )
)]
pub(super) async fn of_account(State(view): State<View>, Valid(path): Valid<AccountPath>) -> Response {
    all(&view, &path.0)
}

/// The targets of a probe of an account.
#[utoipa::path(
    get, path = "/targets/{account}/{probe}", context_path = super::BASE, tag = "targets",
    operation_id = "list_targets_of_probe",
    params(Valid<ProbePath>),
    responses(
        (status = 200, description = "All of them, on one page.", body = TargetPage<'_>),
        (status = 400, description = "Parts of the path are wrong.", body = Problem, content_type = Problem::CONTENT_TYPE),
        (status = 404, description = "The account is not watched by this probe.", body = Problem, content_type = Problem::CONTENT_TYPE),
    )
)]
pub(super) async fn of_probe(State(view): State<View>, Valid(path): Valid<ProbePath>) -> Response {
    all(&view, &path.0)
}

/// One target of a probe that has regions.
#[utoipa::path(
    get, path = "/targets/{account}/{probe}/{region}", context_path = super::BASE, tag = "targets",
    operation_id = "get_target",
    params(Valid<TargetPath>),
    responses(
        (status = 200, description = "The target.", body = Target<'_>),
        (status = 400, description = "Parts of the path are wrong.", body = Problem, content_type = Problem::CONTENT_TYPE),
        (status = 404, description = "There is no such target.", body = Problem, content_type = Problem::CONTENT_TYPE),
    )
)]
pub(super) async fn one(State(view): State<View>, Valid(path): Valid<TargetPath>) -> Response {
    let looked = Look::at(&view);
    match looked.matching(&path.0).next() {
        Some(id) => json(&looked.item(id)),
        None => not_watched(),
    }
}

/// All targets of a filter, which are few, or the problem that there is none.
fn all(view: &View, filter: &Filter) -> Response {
    let looked = Look::at(view);
    let mut ids: Vec<_> = looked.matching(filter).collect();
    if ids.is_empty() {
        return not_watched();
    }
    ids.sort_unstable_by_key(|id| looked.key(*id));
    let items = ids.into_iter().map(|id| looked.item(id)).collect();
    json(&TargetPage { items, next: None })
}

fn not_watched() -> Response {
    let detail = "the configuration watches no such target; /api/v1/targets lists those that it watches";
    Problem::new(StatusCode::NOT_FOUND, detail).into_response()
}

/// A look at what is known: all of an answer is of one moment.
struct Look {
    snapshot: Arc<Snapshot>,
    whole: Whole,
    out_of_touch: Option<OutOfTouch>,
    now: Timestamp,
}

/// By what targets are ordered: as [`TargetKey`], and borrowed from the fleet.
type Key<'a> = (AccountId, Probe, Option<&'a Region>);

impl Look {
    fn at(view: &View) -> Self {
        let whole = view.whole();
        let (snapshot, out_of_touch) = (Arc::clone(&whole.snapshot), view.out_of_touch());
        Self { snapshot, whole, out_of_touch, now: view.clock.now() }
    }

    fn key(&self, id: TargetId) -> Key<'_> {
        let target = self.snapshot.fleet.target(id);
        (target.account.id, target.probe, target.region.as_ref())
    }

    fn item(&self, id: TargetId) -> Target<'_> {
        Target::of_several(&self.whole, self.out_of_touch, id, self.now)
    }

    /// The targets that match, in the order of the fleet.
    fn matching(&self, filter: &Filter) -> impl Iterator<Item = TargetId> {
        let ids = (0..).map(TargetId).zip(self.snapshot.targets.iter());
        ids.filter(|(id, state)| {
            let is_stale = || self.whole.is_stale(*id, self.now);
            filter.matches(self.snapshot.fleet.target(*id), state, is_stale)
        })
        .map(|(id, _)| id)
    }

    /// The first targets after a key that match, and the key of the last if there are more. Only these
    /// are sorted: of 10,000 targets the others cost a comparison or two.
    fn page(
        &self,
        filter: &Filter,
        after: Option<&TargetKey>,
        Limit(limit): Limit,
    ) -> (Vec<TargetId>, Option<TargetKey>) {
        let after = after.map(|key| (key.account, key.probe, key.region.as_ref()));
        let limit = limit as usize;
        let matching = self.matching(filter);
        let mut keys: Vec<_> =
            matching.map(|id| (self.key(id), id)).filter(|(key, _)| Some(*key) > after).collect();
        let are_more = keys.len() > limit;
        if are_more {
            keys.select_nth_unstable(limit);
            keys.truncate(limit);
        }
        keys.sort_unstable();
        let last = keys.last().filter(|_| are_more);
        let next = last.map(|(_, id)| TargetKey::from(self.snapshot.fleet.target(*id)));
        (keys.into_iter().map(|(_, id)| id).collect(), next)
    }
}
