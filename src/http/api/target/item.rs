//! A target as the API shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::api::value::words;
use crate::model::{
    Details, FailureReason, Holders, Probe, Region, Resource, ResourceState, Snapshot, Status, TargetId,
    Whole,
};
use crate::store::OutOfTouch;

/// A target, and what is known of it. Every key is always there, null where nothing is known, but `held_by`
/// and `store_away_since`.
/// Of a target that another replica asks, what the store keeps is known: its last attempt is its last answer,
/// `failure` and `next_poll` are null, and `polls` is 0.
#[derive(Serialize, ToSchema)]
pub(crate) struct Target<'a> {
    /// The account's 12 digits.
    account_id: String,
    /// The account's name in the configuration; its id where it has none.
    account_name: &'a str,
    /// The account's labels in the configuration.
    labels: &'a BTreeMap<String, String>,
    /// The call that asks.
    #[schema(schema_with = words::<Probe>)]
    probe: &'static str,
    /// The region asked in; null for `govcloud`.
    #[schema(required)]
    region: Option<&'a str>,
    /// Whose credentials ask: a name in the configuration's `identities`.
    identity: &'a str,
    /// Whether the last attempt succeeded.
    up: bool,
    /// Whether it has not answered for longer than the configuration's `stale_after`.
    stale: bool,
    /// When it was last asked: RFC 3339, UTC, as all times here.
    #[schema(required, format = DateTime)]
    last_attempt: Option<String>,
    /// When it last answered.
    #[schema(required, format = DateTime)]
    last_success: Option<String>,
    /// When it will be asked next.
    #[schema(required, format = DateTime)]
    next_poll: Option<String>,
    /// Since when its account has been missing in its organization: it is shown until the grace is over, and
    /// not asked. Null for all others.
    #[schema(required, format = DateTime)]
    left_at: Option<String>,
    /// Until when nothing is asked in its quota scope, because AWS throttled; null while it is not.
    #[schema(required, format = DateTime)]
    backoff_until: Option<String>,
    /// Why the last attempt failed; null if it succeeded. A failure changes no state.
    #[schema(required)]
    failure: Option<Failure<'a>>,
    /// What AWS last told of, the target itself first; empty until it has answered once.
    resources: Vec<ResourceItem<'a>>,
    /// The role that FleetWise writes with.
    #[schema(required)]
    role_arn: Option<&'a str>,
    /// The database that FleetWise writes to.
    #[schema(required)]
    timestream_database_name: Option<&'a str>,
    /// The table that FleetWise writes to.
    #[schema(required)]
    timestream_table_name: Option<&'a str>,
    /// The id of the linked account in the GovCloud partition.
    #[schema(required)]
    govcloud_account_id: Option<&'a str>,
    /// When AWS first knew of the registration, by AWS's clock.
    #[schema(required, format = DateTime)]
    aws_created_at: Option<String>,
    /// When AWS last changed the registration, by AWS's clock.
    #[schema(required, format = DateTime)]
    aws_modified_at: Option<String>,
    /// How often it was asked since regwatch started.
    polls: u64,
    /// What the replica is called that asks it; null while none does. Absent where there can be but one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    held_by: Option<Option<&'a str>>,
    /// Since when the store that the replicas share has not answered this one, where that keeps it from knowing
    /// how the target is: it cannot hear of another that asks, or asks no more itself. Null while it answers.
    /// Absent where there can be but one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false, format = DateTime)]
    store_away_since: Option<Option<String>>,
}

/// Why an attempt failed.
#[derive(Serialize, ToSchema)]
struct Failure<'a> {
    /// Which of the closed set of reasons.
    #[schema(schema_with = words::<FailureReason>)]
    reason: &'static str,
    /// AWS's or the network's own words.
    message: &'a str,
    /// How long AWS asked to wait, in seconds; absent where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_seconds: Option<f64>,
}

/// A thing inside a target that has a state.
#[derive(Serialize, ToSchema)]
struct ResourceItem<'a> {
    /// Which thing.
    #[schema(schema_with = words::<Resource>)]
    resource: &'static str,
    /// Its state: AWS's own word, or `NOT_REGISTERED`, `NOT_LINKED` and `UNKNOWN` in the same manner.
    #[schema(schema_with = words::<Status>)]
    status: &'static str,
    /// AWS's own text where the status is `UNKNOWN`.
    #[schema(required)]
    text: Option<&'a str>,
    /// AWS's `errorMessage` for a registration that failed.
    #[schema(required)]
    error_message: Option<&'a str>,
    /// Since when regwatch knows this status.
    #[schema(format = DateTime)]
    since: String,
}

impl<'a> Target<'a> {
    /// What is known of a target that perhaps another replica asks.
    pub(super) fn of_several(
        whole: &'a Whole,
        out_of_touch: Option<OutOfTouch>,
        id: TargetId,
        now: Timestamp,
    ) -> Self {
        let scope = whole.snapshot.fleet.target(id).scope;
        let unheard = |holders: &Holders| holders.unheard_since.filter(|_| whole.is_elsewhere(scope));
        let cut_off = out_of_touch.map(|OutOfTouch(since)| since);
        Self {
            store_away_since: whole
                .holders
                .as_ref()
                .map(|holders| cut_off.or(unheard(holders)).map(|since| since.to_string())),
            stale: whole.is_stale(id, now),
            held_by: whole.holders.as_ref().map(|holders| holders.of(scope).name()),
            ..Self::new(&whole.snapshot, id, now)
        }
    }

    /// What a snapshot has on a target.
    pub(crate) fn new(snapshot: &'a Snapshot, id: TargetId, now: Timestamp) -> Self {
        let target = snapshot.fleet.target(id);
        let state = &snapshot.targets[id.0 as usize];
        let scope = &snapshot.scopes[target.scope.0 as usize];
        let (fleetwise, govcloud) = match &state.details {
            Details::FleetWise(details) => (Some(&**details), None),
            Details::GovCloud(details) => (None, Some(details)),
            Details::None => (None, None),
        };
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let left_at = snapshot.fleet.leaving.get(&id).copied();
        Self {
            account_id: target.account.id.to_string(),
            account_name: &target.account.name,
            labels: &target.account.labels,
            probe: target.probe.as_str(),
            region: target.region.as_ref().map(Region::as_str),
            identity: &target.identity,
            up: state.is_up(),
            stale: snapshot.is_stale(id, now),
            last_attempt: time(state.last_attempt),
            last_success: time(state.last_success),
            next_poll: time(state.next_poll.filter(|_| left_at.is_none())),
            left_at: time(left_at),
            backoff_until: time(scope.pacing.backoff_until.filter(|until| *until > now)),
            failure: state.failure.as_ref().map(|failure| Failure {
                reason: failure.reason.as_str(),
                message: &failure.message,
                retry_after_seconds: failure.retry_after.map(|wait| wait.as_secs_f64()),
            }),
            resources: state.resources.iter().map(ResourceItem::new).collect(),
            role_arn: fleetwise.and_then(|details| details.role_arn.as_deref()),
            timestream_database_name: fleetwise
                .and_then(|details| details.timestream_database_name.as_deref()),
            timestream_table_name: fleetwise.and_then(|details| details.timestream_table_name.as_deref()),
            govcloud_account_id: govcloud.map(|details| &*details.govcloud_account_id),
            aws_created_at: time(state.created_at),
            aws_modified_at: time(state.modified_at),
            polls: state.polls,
            held_by: None,
            store_away_since: None,
        }
    }
}

impl<'a> ResourceItem<'a> {
    fn new(state: &'a ResourceState) -> Self {
        let reading = &state.reading;
        Self {
            resource: reading.resource.as_str(),
            status: reading.status.as_str(),
            text: reading.text(),
            error_message: reading.error_message(),
            since: state.since.to_string(),
        }
    }
}
