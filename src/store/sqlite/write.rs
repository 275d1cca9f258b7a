//! What is written: batches of the tracker, and how far the sinks have come.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite as Database};

use super::read::LATEST;
use super::{Sqlite, unusable};
use crate::model::{Details, Event, ResourceState, Status, Transition};
use crate::store::record::{FLEETWISE, GOVCLOUD};
use crate::store::row::{nanoseconds, region, signed, unsigned};
use crate::store::{Batch, SavedState, Silence, StoreError, TargetKey};

/// Rows that one statement writes. SQLite takes 32,766 values in a statement, which would do for 1,700
/// events; beyond some hundred rows it is no longer the statements that cost.
const ROWS: usize = 500;

type Written = Result<(), sqlx::Error>;

impl Sqlite {
    /// Writes batches, and tells the number of the latest entry then.
    pub(in crate::store) async fn commit(&self, batches: &[Batch]) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        for batch in batches {
            write(&mut transaction, batch, self.keeps_states).await.map_err(unusable)?;
        }
        let latest = sqlx::query_scalar(LATEST).fetch_one(&mut *transaction).await.map_err(unusable)?;
        transaction.commit().await.map_err(unusable)?;
        Ok(unsigned(latest))
    }

    /// How far a sink has come; one that was never heard of begins after the latest entry.
    pub(in crate::store) async fn cursor(&self, sink: &str) -> Result<u64, StoreError> {
        let known = "SELECT cursor FROM sinks WHERE name = ?";
        let cursor = sqlx::query_scalar(known).bind(sink).fetch_optional(&self.read).await;
        if let Some(cursor) = cursor.map_err(unusable)? {
            return Ok(unsigned(cursor));
        }
        let mut transaction = self.begin().await?;
        let latest = sqlx::query_scalar(LATEST).fetch_one(&mut *transaction).await.map_err(unusable)?;
        set_cursor(&mut transaction, sink, latest).await.map_err(unusable)?;
        let cursor = sqlx::query_scalar(known).bind(sink).fetch_one(&mut *transaction).await;
        transaction.commit().await.map_err(unusable)?;
        cursor.map(unsigned).map_err(unusable)
    }

    /// Notes how far a sink has come, and what it gave up on.
    pub(in crate::store) async fn advance(
        &self,
        sink: &str,
        cursor: u64,
        parked: &[(u64, String)],
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        set_cursor(&mut transaction, sink, signed(cursor)).await.map_err(unusable)?;
        for (sequence, reason) in parked {
            // An entry that has been pruned meanwhile is not there to be parked.
            sqlx::query(
                "INSERT INTO parked (sink, sequence, reason) \
                 SELECT ?, sequence, ? FROM events WHERE sequence = ? ON CONFLICT DO NOTHING",
            )
            .bind(sink)
            .bind(reason.as_str())
            .bind(signed(*sequence))
            .execute(&mut *transaction)
            .await
            .map_err(unusable)?;
        }
        transaction.commit().await.map_err(unusable)
    }
}

/// Moves a cursor, forwards only.
async fn set_cursor(connection: &mut SqliteConnection, sink: &str, cursor: i64) -> Written {
    sqlx::query(
        "INSERT INTO sinks (name, cursor) VALUES (?, ?) \
         ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor WHERE sinks.cursor < excluded.cursor",
    )
    .bind(sink)
    .bind(cursor)
    .execute(connection)
    .await?;
    Ok(())
}

async fn write(connection: &mut SqliteConnection, batch: &Batch, keeps_states: bool) -> Written {
    if keeps_states {
        for ended in batch.ended.chunks(ROWS) {
            forget_targets(connection, ended).await?;
        }
        // Of what is there twice the last counts. In the order of the tables they are written faster.
        let states: BTreeMap<_, _> = batch.states.iter().map(|(key, state)| (key, state)).collect();
        let states: Vec<_> = states.into_iter().collect();
        for states in states.chunks(ROWS) {
            put_targets(connection, states).await?;
            put_resources(connection, states).await?;
        }
        let mut answered = BTreeMap::new();
        for (key, at) in &batch.answered {
            let latest = answered.entry(key).or_insert(*at);
            *latest = (*latest).max(*at);
        }
        let answered: Vec<_> = answered.into_iter().collect();
        for answered in answered.chunks(ROWS) {
            let mut sql = QueryBuilder::<Database>::new("UPDATE targets SET last_success = column4 FROM (");
            sql.push_values(answered, |mut row, (key, at)| {
                bind_key(&mut row, key);
                row.push_bind(nanoseconds(*at));
            });
            sql.push(
                ") WHERE account = column1 AND probe = column2 AND region = column3 \
                 AND (last_success IS NULL OR last_success < column4)",
            );
            execute(connection, sql).await?;
        }
        put_gates(connection, &batch.gates).await?;
    }
    for events in batch.events.chunks(ROWS) {
        append(connection, events).await?;
    }
    for silences in batch.silences.chunks(ROWS) {
        put_silences(connection, silences).await?;
    }
    Ok(())
}

/// Notes silences. One that ended with an answer that a crash has taken back ends with the next.
async fn put_silences(connection: &mut SqliteConnection, silences: &[Silence]) -> Written {
    let mut sql =
        QueryBuilder::<Database>::new("INSERT INTO silences (account, probe, region, began, ended) ");
    sql.push_values(silences, |mut row, Silence { target, from, until }| {
        bind_key(&mut row, target);
        row.push_bind(nanoseconds(*from)).push_bind(nanoseconds(*until));
    });
    sql.push(" ON CONFLICT (account, probe, region, began) DO UPDATE SET ended = MAX(ended, excluded.ended)");
    execute(connection, sql).await
}

/// Notes until when nothing may be sent in quota scopes. What was noted of one comes after what was there.
async fn put_gates(connection: &mut SqliteConnection, gates: &[(String, Option<Timestamp>)]) -> Written {
    for (scope, until) in gates {
        let sql = match until {
            Some(_) => "INSERT OR REPLACE INTO gates (scope, until) VALUES (?, ?)",
            None => "DELETE FROM gates WHERE scope = ? AND ? IS NULL",
        };
        sqlx::query(sql).bind(scope).bind(until.map(nanoseconds)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Forgets what is kept of targets; of their resources, too.
async fn forget_targets(connection: &mut SqliteConnection, targets: &[TargetKey]) -> Written {
    let mut sql = QueryBuilder::<Database>::new("WITH ended AS (");
    sql.push_values(targets, |mut row, key| bind_key(&mut row, key));
    // The accounts alone lead SQLite to the few that matter, as they do for resources.
    sql.push(
        ") DELETE FROM targets WHERE account IN (SELECT column1 FROM ended) \
         AND (account, probe, region) IN (SELECT column1, column2, column3 FROM ended)",
    );
    execute(connection, sql).await
}

async fn put_targets(connection: &mut SqliteConnection, states: &[(&TargetKey, &SavedState)]) -> Written {
    let mut sql = QueryBuilder::<Database>::new(
        "INSERT INTO targets (account, probe, region, details, role_arn, timestream_database, \
         timestream_table, govcloud_account, created_at, modified_at, last_success) ",
    );
    sql.push_values(states, |mut row, (key, state)| {
        bind_key(&mut row, key);
        let (kind, fleetwise, govcloud) = match &state.details {
            Details::None => (None, None, None),
            Details::FleetWise(details) => (Some(FLEETWISE), Some(&**details), None),
            Details::GovCloud(details) => (Some(GOVCLOUD), None, Some(&*details.govcloud_account_id)),
        };
        row.push_bind(kind)
            .push_bind(fleetwise.and_then(|details| details.role_arn.as_deref()))
            .push_bind(fleetwise.and_then(|details| details.timestream_database_name.as_deref()))
            .push_bind(fleetwise.and_then(|details| details.timestream_table_name.as_deref()))
            .push_bind(govcloud)
            .push_bind(state.created_at.map(nanoseconds))
            .push_bind(state.modified_at.map(nanoseconds))
            .push_bind(state.last_success.map(nanoseconds));
    });
    sql.push(
        " ON CONFLICT (account, probe, region) DO UPDATE SET details = excluded.details, \
         role_arn = excluded.role_arn, timestream_database = excluded.timestream_database, \
         timestream_table = excluded.timestream_table, govcloud_account = excluded.govcloud_account, \
         created_at = excluded.created_at, modified_at = excluded.modified_at, \
         last_success = excluded.last_success",
    );
    execute(connection, sql).await
}

/// Puts the resources of targets in the place of those that were there.
async fn put_resources(connection: &mut SqliteConnection, states: &[(&TargetKey, &SavedState)]) -> Written {
    let mut sql = QueryBuilder::<Database>::new("WITH replaced AS (");
    sql.push_values(states, |mut row, (key, _)| bind_key(&mut row, key));
    // SQLite uses no index for a comparison with rows, and would read the whole table; the accounts alone
    // lead it to the few that matter.
    sql.push(
        ") DELETE FROM resources WHERE account IN (SELECT column1 FROM replaced) \
         AND (account, probe, region) IN (SELECT column1, column2, column3 FROM replaced)",
    );
    execute(connection, sql).await?;

    let resources: Vec<_> = states
        .iter()
        .flat_map(|(key, state)| {
            (0_i64..).zip(&state.resources).map(move |(at, resource)| (key, at, resource))
        })
        .collect();
    for resources in resources.chunks(ROWS) {
        let mut sql = QueryBuilder::<Database>::new(
            "INSERT INTO resources (account, probe, region, position, resource, status, text, \
             error_message, since) ",
        );
        sql.push_values(resources, |mut row, (key, position, ResourceState { reading, since })| {
            bind_key(&mut row, key);
            row.push_bind(*position)
                .push_bind(reading.resource.as_str())
                .push_bind(reading.status.as_str())
                .push_bind(reading.text())
                .push_bind(reading.error_message())
                .push_bind(nanoseconds(*since));
        });
        execute(connection, sql).await?;
    }
    Ok(())
}

/// Appends the events that are not in the log yet.
async fn append(connection: &mut SqliteConnection, events: &[Event]) -> Written {
    let mut sql = QueryBuilder::<Database>::new(
        "INSERT INTO events (id, account, account_name, labels, probe, region, kind, resource, from_status, \
         to_status, text, error_message, previous_since, observed_at, aws_modified_at, role_arn, \
         timestream_database, timestream_table) SELECT * FROM (",
    );
    sql.push_values(events, |mut row, event| bind_event(&mut row, event));
    // What is there already is left out rather than refused: a refused row would use up a number.
    sql.push(
        ") AS new WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.id = new.column1) \
         ON CONFLICT (id) DO NOTHING",
    );
    execute(connection, sql).await
}

fn bind_key(row: &mut Separated<'_, Database, &'static str>, key: &TargetKey) {
    row.push_bind(key.account.to_string()).push_bind(key.probe.as_str()).push_bind(region(&key.region));
}

fn bind_event(row: &mut Separated<'_, Database, &'static str>, event: &Event) {
    let Event { id, account, probe, region: at, transition, .. } = event;
    let Transition { kind, resource, from, to, text, error_message, .. } = transition;
    let labels = serde_json::to_string(&account.labels).expect("a map of texts is JSON");
    row.push_bind(id.to_string())
        .push_bind(account.id.to_string())
        .push_bind(&*account.name)
        .push_bind(labels)
        .push_bind(probe.as_str())
        .push_bind(region(at))
        .push_bind(kind.as_str())
        .push_bind(resource.as_str())
        .push_bind(from.map(Status::as_str))
        .push_bind(to.as_str())
        .push_bind(text.as_deref())
        .push_bind(error_message.as_deref())
        .push_bind(transition.previous_since.map(nanoseconds))
        .push_bind(nanoseconds(transition.observed_at))
        .push_bind(transition.aws_modified_at.map(nanoseconds))
        .push_bind(event.role_arn.as_deref())
        .push_bind(event.timestream_database_name.as_deref())
        .push_bind(event.timestream_table_name.as_deref());
}

/// Runs a statement that is hardly ever the same twice, so that no copy of it is kept.
async fn execute(connection: &mut SqliteConnection, mut sql: QueryBuilder<Database>) -> Written {
    sql.build().persistent(false).execute(connection).await?;
    Ok(())
}
