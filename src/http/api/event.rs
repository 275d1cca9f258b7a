//! `/api/v1/events`: the event log, in pages.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::json;
use super::parameter::{Form, Parameters, Valid};
use super::problem::Problem;
use super::value::{Limit, Sequence, SinkName};
use crate::http::View;
use crate::model::{AccountId, Probe, Region, Resource, Status, TransitionKind};
use crate::sink::CloudEvent;
use crate::store::EventQuery;

/// Events, the oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct EventPage {
    /// The events, each as a CloudEvent.
    items: Vec<CloudEvent>,
    /// What to give as `after` for the page that follows; null on the last page, where the sequence
    /// number of the last event does as well.
    #[schema(required)]
    next: Option<u64>,
}

/// The events that match, the oldest first.
#[utoipa::path(
    get, path = "/events", context_path = super::BASE, tag = "events", operation_id = "list_events",
    params(Valid<PageQuery>),
    responses(
        (status = 200, description = "A page of events.", body = EventPage),
        (status = 400, description = "Parameters are wrong.", body = Problem, content_type = Problem::CONTENT_TYPE),
        (status = 503, description = "The event log cannot be read just now.", body = Problem, content_type = Problem::CONTENT_TYPE),
    )
)]
pub(super) async fn list(
    State(view): State<View>,
    Valid(PageQuery { filter, limit }): Valid<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit.unwrap_or_default().0;
    // One more than asked for tells whether there are more.
    let query = filter.query(limit + 1);
    let mut entries = view.store.events(&query).await.map_err(|error| Problem::unreadable_store(&error))?;
    let are_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| are_more).map(|entry| entry.sequence);
    Ok(json(&EventPage { items: entries.iter().map(CloudEvent::from).collect(), next }))
}

/// What `/events` takes.
#[derive(Debug)]
pub(super) struct PageQuery {
    filter: Filter,
    limit: Option<Limit>,
}

impl Parameters for PageQuery {
    fn ask(form: &mut impl Form) -> Self {
        Self { filter: Filter::ask(form), limit: form.one("limit", "How many events a page has at most.") }
    }
}

/// Which events are wanted.
#[derive(Debug)]
pub(super) struct Filter {
    /// After which sequence number.
    pub(super) after: Option<Sequence>,
    since: Option<Timestamp>,
    accounts: BTreeSet<AccountId>,
    probes: BTreeSet<Probe>,
    regions: BTreeSet<Region>,
    resources: BTreeSet<Resource>,
    kinds: BTreeSet<TransitionKind>,
    to: BTreeSet<Status>,
    parked_by: Option<SinkName>,
}

impl Filter {
    /// As a question to the store for at most so many; after the first without an `after`.
    pub(super) fn query(self, limit: u32) -> EventQuery {
        EventQuery {
            after: self.after.map_or(0, |Sequence(after)| after),
            before: None,
            newest_first: false,
            limit,
            since: self.since,
            accounts: self.accounts,
            probes: self.probes,
            regions: self.regions,
            resources: self.resources,
            kinds: self.kinds,
            to: self.to,
            parked_by: self.parked_by.map(|SinkName(name)| name),
        }
    }
}

impl Parameters for Filter {
    fn ask(form: &mut impl Form) -> Self {
        Self {
            after: form.one("after", "Only events with a greater sequence number."),
            since: form.one("since", "Only what was seen at this time or later."),
            accounts: form.any("account", "Only events of this account."),
            probes: form.any("probe", "Only events of this probe."),
            regions: form.any("region", "Only events of this region. `govcloud` has no regions."),
            resources: form.any("resource", "Only events of this resource."),
            kinds: form.any("kind", "Only events of this kind."),
            to: form.any("to", "Only events into this status."),
            parked_by: form.one("parked_by", "Only events that this sink has given up on."),
        }
    }
}
