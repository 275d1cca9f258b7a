//! What rows stand for: states, entries, pictures of the past, organizations, gates.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::row::{Cells, Fields, part, unsigned};
use super::{SavedRoster, SavedState, Silence, Step, StoreError, TargetKey};
use crate::model::{
    Account, AccountId, Details, Entry, Event, EventId, FleetWiseDetails, GovCloudDetails, Member,
    ResourceReading, ResourceState, Roster, Transition, TransitionKind,
};

/// The words of `targets.details`.
pub(super) const FLEETWISE: &str = "fleetwise";
pub(super) const GOVCLOUD: &str = "govcloud";

/// States from rows of a target and one of its resources each, those of a target next to each other.
pub(super) fn states(rows: &[impl Cells]) -> Result<Vec<(TargetKey, SavedState)>, StoreError> {
    let mut states: Vec<(TargetKey, SavedState)> = Vec::new();
    for row in rows {
        let fields = Fields::new(row, state_name);
        let key = fields.target()?;
        if states.last().is_none_or(|(last, _)| *last != key) {
            states.push((key, saved_state(&fields)?));
        }
        let (_, state) = states.last_mut().expect("one was pushed if there was none");
        state.resources.extend(resource_state(&fields)?);
    }
    Ok(states)
}

/// Entries of the event log.
pub(super) fn entries(rows: &[impl Cells]) -> Result<Vec<Entry>, StoreError> {
    rows.iter().map(|row| entry(&Fields::new(row, event_name))).collect()
}

/// Steps of resources, in the order of the rows.
pub(super) fn steps<'r, C: Cells + 'r>(
    rows: impl IntoIterator<Item = &'r C>,
) -> Result<Vec<Step>, StoreError> {
    rows.into_iter().map(|row| step(&Fields::new(row, event_name))).collect()
}

/// Silences of targets.
pub(super) fn silences(rows: &[impl Cells]) -> Result<Vec<Silence>, StoreError> {
    rows.iter().map(|row| silence(&Fields::new(row, silence_name))).collect()
}

/// Organizations from rows of one and one of its accounts each.
pub(super) fn rosters(rows: &[impl Cells]) -> Result<BTreeMap<Arc<str>, SavedRoster>, StoreError> {
    let mut rosters: BTreeMap<Arc<str>, SavedRoster> = BTreeMap::new();
    for row in rows {
        let fields = Fields::new(row, member_name);
        let name = fields.required_text("organization")?;
        let listed_at = fields.required_time("listed_at")?;
        let nobody = || SavedRoster { listed_at, roster: Roster::default() };
        let saved = rosters.entry(Arc::from(&*name)).or_insert_with(nobody);
        let Some(account) = fields.text("account")? else { continue };
        let account: AccountId = fields.known("account", account.parse().ok())?;
        let name = Arc::from(&*fields.required_text("name")?);
        saved.roster.extend([(account, Member { name, left_at: fields.time("left_at")? })]);
    }
    Ok(rosters)
}

/// Gates of quota scopes.
pub(super) fn gates(rows: &[impl Cells]) -> Result<BTreeMap<String, Timestamp>, StoreError> {
    let gate = |row| {
        let fields = Fields::new(row, gate_name);
        Ok((fields.required_text("scope")?.into_owned(), fields.required_time("until")?))
    };
    rows.iter().map(|row| gate(row as &dyn Cells)).collect()
}

fn state_name(row: &dyn Cells) -> String {
    format!("the state of {}/{}/{}", part(row, "account"), part(row, "probe"), part(row, "region"))
}

fn event_name(row: &dyn Cells) -> String {
    format!("event {}", row.number("sequence").ok().flatten().unwrap_or_default())
}

fn silence_name(row: &dyn Cells) -> String {
    format!("a silence of {}", part(row, "account"))
}

fn member_name(row: &dyn Cells) -> String {
    format!("account {} of organization {}", part(row, "account"), part(row, "organization"))
}

fn gate_name(row: &dyn Cells) -> String {
    format!("the gate of {}", part(row, "scope"))
}

/// What is kept of a target, but for its resources.
fn saved_state(fields: &Fields<'_>) -> Result<SavedState, StoreError> {
    let details = match fields.text("details")?.as_deref() {
        None => Some(Details::None),
        Some(FLEETWISE) => Some(Details::FleetWise(Box::new(FleetWiseDetails {
            role_arn: fields.text("role_arn")?,
            timestream_database_name: fields.text("timestream_database")?,
            timestream_table_name: fields.text("timestream_table")?,
        }))),
        Some(GOVCLOUD) => fields
            .text("govcloud_account")?
            .map(|govcloud_account_id| Details::GovCloud(GovCloudDetails { govcloud_account_id })),
        Some(_) => None,
    };
    Ok(SavedState {
        resources: Vec::new(),
        details: fields.known("details", details)?,
        created_at: fields.time("created_at")?,
        modified_at: fields.time("modified_at")?,
        last_success: fields.time("last_success")?,
    })
}

/// The resource of a row; `None` for a target without any.
fn resource_state(fields: &Fields<'_>) -> Result<Option<ResourceState>, StoreError> {
    let Some(resource) = fields.optional_word("resource")? else { return Ok(None) };
    let reading = ResourceReading::new(resource, fields.word("status")?)
        .with_words(fields.text("text")?, fields.text("error_message")?);
    Ok(Some(ResourceState { reading, since: fields.required_time("since")? }))
}

fn entry(fields: &Fields<'_>) -> Result<Entry, StoreError> {
    let TargetKey { account, probe, region } = fields.target()?;
    let labels = serde_json::from_str(&fields.required_text("labels")?).ok();
    let id = fields.required_text("id")?.parse().ok();
    let name = Arc::from(&*fields.required_text("account_name")?);
    let account = Account { id: account, name, labels: fields.known("labels", labels)? };
    let event = Event {
        id: EventId::from(fields.known::<uuid::Uuid>("id", id)?),
        account: Arc::new(account),
        probe,
        region,
        transition: Transition {
            kind: fields.word("kind")?,
            resource: fields.word("resource")?,
            from: fields.optional_word("from_status")?,
            to: fields.word("to_status")?,
            text: fields.text("text")?,
            error_message: fields.text("error_message")?,
            previous_since: fields.time("previous_since")?,
            observed_at: fields.required_time("observed_at")?,
            aws_modified_at: fields.time("aws_modified_at")?,
        },
        role_arn: fields.text("role_arn")?,
        timestream_database_name: fields.text("timestream_database")?,
        timestream_table_name: fields.text("timestream_table")?,
    };
    Ok(Entry { sequence: unsigned(fields.number("sequence")?), event })
}

fn step(fields: &Fields<'_>) -> Result<Step, StoreError> {
    Ok(Step {
        target: fields.target()?,
        resource: fields.word("resource")?,
        from: fields.optional_word("from_status")?,
        to: fields.word("to_status")?,
        previous_since: fields.time("previous_since")?,
        at: fields.required_time("observed_at")?,
        is_end: fields.word::<TransitionKind>("kind")? == TransitionKind::Ended,
    })
}

fn silence(fields: &Fields<'_>) -> Result<Silence, StoreError> {
    Ok(Silence {
        target: fields.target()?,
        from: fields.required_time("began")?,
        until: fields.required_time("ended")?,
    })
}
