//! What is read: states, and entries of the event log.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite as Database};

use super::row::{Fields, nanoseconds, signed, unsigned};
use super::{Sqlite, unusable};
use crate::model::{
    Account, Details, Entry, Event, EventId, FleetWiseDetails, GovCloudDetails, Region, ResourceReading,
    ResourceState, Transition, Word,
};
use crate::store::{EventQuery, SavedState, StoreError, TargetKey};

/// The words of `targets.details`.
pub(super) const FLEETWISE: &str = "fleetwise";
pub(super) const GOVCLOUD: &str = "govcloud";

impl Sqlite {
    /// The states that are kept, by target.
    pub(in crate::store) async fn states(&self) -> Result<Vec<(TargetKey, SavedState)>, StoreError> {
        let rows = sqlx::query(
            "SELECT targets.*, resource, status, text, error_message, since \
             FROM targets LEFT JOIN resources USING (account, probe, region) \
             ORDER BY account, probe, region, position",
        )
        .fetch_all(&self.read)
        .await
        .map_err(unusable)?;
        let mut states: Vec<(TargetKey, SavedState)> = Vec::new();
        for row in &rows {
            let fields = Fields { row, name: state_name };
            let key = fields.target()?;
            if states.last().is_none_or(|(last, _)| *last != key) {
                states.push((key, saved_state(&fields)?));
            }
            let (_, state) = states.last_mut().expect("one was pushed if there was none");
            state.resources.extend(resource_state(&fields)?);
        }
        Ok(states)
    }

    /// The number of the latest entry that there ever was; 0 before the first.
    pub(in crate::store) async fn latest(&self) -> Result<u64, StoreError> {
        let latest = sqlx::query_scalar(LATEST).fetch_one(&self.read).await;
        latest.map(unsigned).map_err(unusable)
    }

    /// Entries of the event log.
    pub(in crate::store) async fn events(&self, query: &EventQuery) -> Result<Vec<Entry>, StoreError> {
        let mut after = signed(query.after);
        if let Some(since) = query.since {
            let Some(first) = self.first_since(since).await? else { return Ok(Vec::new()) };
            after = after.max(first - 1);
        }
        let mut sql = QueryBuilder::<Database>::new("SELECT * FROM events WHERE sequence > ");
        sql.push_bind(after);
        if let Some(before) = query.before {
            sql.push(" AND sequence < ").push_bind(signed(before));
        }
        if let Some(since) = query.since {
            // Not by the index of times: all that is younger would be sorted for the sake of the first few.
            sql.push(" AND observed_at + 0 >= ").push_bind(nanoseconds(since));
        }
        one_of(&mut sql, "account", &query.accounts, ToString::to_string);
        one_of(&mut sql, "probe", &query.probes, word);
        one_of(&mut sql, "region", &query.regions, Region::to_string);
        one_of(&mut sql, "resource", &query.resources, word);
        one_of(&mut sql, "kind", &query.kinds, word);
        one_of(&mut sql, "to_status", &query.to, word);
        if let Some(sink) = &query.parked_by {
            sql.push(" AND sequence IN (SELECT sequence FROM parked WHERE sink = ");
            sql.push_bind(sink.as_str()).push(")");
        }
        sql.push(if query.newest_first { " ORDER BY sequence DESC" } else { " ORDER BY sequence" });
        sql.push(" LIMIT ").push_bind(i64::from(query.limit));
        let rows = sql.build().persistent(false).fetch_all(&self.read).await.map_err(unusable)?;
        rows.iter().map(|row| entry(&Fields { row, name: event_name })).collect()
    }

    /// The first entry of the log that was observed at a time or later: where to begin to read.
    async fn first_since(&self, time: Timestamp) -> Result<Option<i64>, StoreError> {
        // The least of the bare numbers would be searched for from the beginning of the log.
        sqlx::query_scalar("SELECT MIN(sequence + 0) FROM events WHERE observed_at >= ?")
            .bind(nanoseconds(time))
            .fetch_one(&self.read)
            .await
            .map_err(unusable)
    }
}

/// The number of the latest entry that there ever was, which pruning does not take back.
pub(super) const LATEST: &str = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'events'";

/// Adds a condition, unless the set is empty, which wants all.
pub(super) fn one_of<T>(
    sql: &mut QueryBuilder<Database>,
    column: &'static str,
    wanted: &BTreeSet<T>,
    text: impl Fn(&T) -> String,
) {
    if wanted.is_empty() {
        return;
    }
    sql.push(" AND ").push(column).push(" IN (");
    let mut list = sql.separated(", ");
    for one in wanted {
        list.push_bind(text(one));
    }
    sql.push(")");
}

fn word<T: Word>(one: &T) -> String {
    one.word().to_owned()
}

fn state_name(row: &SqliteRow) -> String {
    let part = |column| row.try_get::<&str, _>(column).unwrap_or("?");
    format!("the state of {}/{}/{}", part("account"), part("probe"), part("region"))
}

pub(super) fn event_name(row: &SqliteRow) -> String {
    format!("event {}", row.try_get::<i64, _>("sequence").unwrap_or_default())
}

/// What is kept of a target, but for its resources.
fn saved_state(fields: &Fields<'_>) -> Result<SavedState, StoreError> {
    let details = match fields.get::<Option<&str>>("details")? {
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
    let labels = serde_json::from_str(fields.get("labels")?).ok();
    let id = fields.get::<&str>("id")?.parse().ok();
    let name: &str = fields.get("account_name")?;
    let account = Account { id: account, name: name.into(), labels: fields.known("labels", labels)? };
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
    Ok(Entry { sequence: unsigned(fields.get("sequence")?), event })
}
