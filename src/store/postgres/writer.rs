//! How batches are written: a statement for each sort of row, and thousands of rows in each.

use std::borrow::Cow;

use jiff::Timestamp;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;

use super::column::{optional_texts, texts, values, written};
use super::content::Content;
use super::trouble::Failed;
use crate::model::{Details, Event, ResourceState, Status};
use crate::store::record::{FLEETWISE, GOVCLOUD};
use crate::store::row::{nanoseconds, region, signed};
use crate::store::{SavedState, TargetKey};

/// Rows that one statement writes: beyond some thousand it is no longer the statements that cost, and a
/// statement has to be held as a whole by both ends.
const ROWS: usize = 5000;

type Statement<'q> = Query<'q, sqlx::Postgres, PgArguments>;

/// A transaction that holds the ledger.
pub(super) struct Writer<'c> {
    pub(super) connection: &'c mut PgConnection,
    /// The number of the latest entry.
    pub(super) sequence: i64,
    /// What marks the states that are touched.
    pub(super) revision: i64,
}

impl Writer<'_> {
    /// Writes all of it.
    pub(super) async fn write(&mut self, content: &Content<'_>) -> Result<(), Failed> {
        for ended in content.ended.chunks(ROWS) {
            self.forget_targets(ended).await?;
        }
        for states in content.states.chunks(ROWS) {
            self.put_targets(states).await?;
            self.put_resources(states).await?;
        }
        for answered in content.answered.chunks(ROWS) {
            self.answered(answered).await?;
        }
        for events in content.events.chunks(ROWS) {
            self.append(events).await?;
        }
        for silences in content.silences.chunks(ROWS) {
            self.put_silences(silences).await?;
        }
        for gates in content.gates.chunks(ROWS) {
            self.put_gates(gates).await?;
        }
        Ok(())
    }

    async fn run(&mut self, statement: Statement<'_>) -> Result<u64, Failed> {
        Ok(statement.persistent(false).execute(&mut *self.connection).await?.rows_affected())
    }

    /// Forgets what is kept of targets; of their resources, too.
    async fn forget_targets(&mut self, targets: &[&TargetKey]) -> Result<(), Failed> {
        let forget = sqlx::query(
            "DELETE FROM targets USING UNNEST($1::text[], $2::text[], $3::text[]) AS gone (account, probe, region) \
             WHERE targets.account = gone.account AND targets.probe = gone.probe AND targets.region = gone.region",
        );
        self.run(bind_keys(forget, targets, |key| key)).await?;
        let note = sqlx::query(
            "INSERT INTO ended (account, probe, region, revision, noted_at) \
             SELECT *, $4, clock_timestamp() FROM UNNEST($1::text[], $2::text[], $3::text[]) \
             ON CONFLICT (account, probe, region) \
             DO UPDATE SET revision = excluded.revision, noted_at = excluded.noted_at",
        );
        self.run(bind_keys(note, targets, |key| key).bind(self.revision)).await?;
        Ok(())
    }

    async fn put_targets(&mut self, states: &[(&TargetKey, &SavedState)]) -> Result<(), Failed> {
        let put = sqlx::query(
            "INSERT INTO targets (account, probe, region, details, role_arn, timestream_database, \
             timestream_table, govcloud_account, created_at, modified_at, last_success, revision) \
             SELECT *, $12 FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
             $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[]) \
             ON CONFLICT (account, probe, region) DO UPDATE SET details = excluded.details, \
             role_arn = excluded.role_arn, timestream_database = excluded.timestream_database, \
             timestream_table = excluded.timestream_table, govcloud_account = excluded.govcloud_account, \
             created_at = excluded.created_at, modified_at = excluded.modified_at, \
             last_success = excluded.last_success, revision = excluded.revision",
        );
        let fleetwise = |state: &'_ SavedState| match &state.details {
            Details::FleetWise(details) => Some((**details).clone()),
            _ => None,
        };
        let fleetwise: Vec<_> = states.iter().map(|(_, state)| fleetwise(state)).collect();
        let put = bind_keys(put, states, |(key, _)| key)
            .bind(values(states, |(_, state)| match &state.details {
                Details::None => None,
                Details::FleetWise(_) => Some(FLEETWISE),
                Details::GovCloud(_) => Some(GOVCLOUD),
            }))
            .bind(optional_texts(&fleetwise, |details| details.as_ref()?.role_arn.as_deref()))
            .bind(optional_texts(&fleetwise, |details| details.as_ref()?.timestream_database_name.as_deref()))
            .bind(optional_texts(&fleetwise, |details| details.as_ref()?.timestream_table_name.as_deref()))
            .bind(optional_texts(states, |(_, state)| match &state.details {
                Details::GovCloud(details) => Some(&*details.govcloud_account_id),
                _ => None,
            }))
            .bind(values(states, |(_, state)| state.created_at.map(nanoseconds)))
            .bind(values(states, |(_, state)| state.modified_at.map(nanoseconds)))
            .bind(values(states, |(_, state)| state.last_success.map(nanoseconds)))
            .bind(self.revision);
        self.run(put).await?;
        Ok(())
    }

    /// Puts the resources of targets in the place of those that were there.
    async fn put_resources(&mut self, states: &[(&TargetKey, &SavedState)]) -> Result<(), Failed> {
        let clear = sqlx::query(
            "DELETE FROM resources USING UNNEST($1::text[], $2::text[], $3::text[]) AS old (account, probe, region) \
             WHERE resources.account = old.account AND resources.probe = old.probe AND resources.region = old.region",
        );
        self.run(bind_keys(clear, states, |(key, _)| key)).await?;
        let resources: Vec<(&TargetKey, i64, &ResourceState)> = states
            .iter()
            .flat_map(|(key, state)| {
                (0_i64..).zip(&state.resources).map(move |(at, resource)| (*key, at, resource))
            })
            .collect();
        let put = sqlx::query(
            "INSERT INTO resources (account, probe, region, position, resource, status, text, error_message, since) \
             SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], \
             $7::text[], $8::text[], $9::bigint[])",
        );
        let put = bind_keys(put, &resources, |(key, ..)| key)
            .bind(values(&resources, |(_, position, _)| *position))
            .bind(values(&resources, |(.., resource)| resource.reading.resource.as_str()))
            .bind(values(&resources, |(.., resource)| resource.reading.status.as_str()))
            .bind(optional_texts(&resources, |(.., resource)| resource.reading.text()))
            .bind(optional_texts(&resources, |(.., resource)| resource.reading.error_message()))
            .bind(values(&resources, |(.., resource)| nanoseconds(resource.since)));
        self.run(put).await?;
        Ok(())
    }

    async fn answered(&mut self, answered: &[(&TargetKey, Timestamp)]) -> Result<(), Failed> {
        let note = sqlx::query(
            "UPDATE targets SET last_success = now.at, revision = $5 \
             FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[]) AS now (account, probe, region, at) \
             WHERE targets.account = now.account AND targets.probe = now.probe AND targets.region = now.region \
             AND (last_success IS NULL OR last_success < now.at)",
        );
        let note = bind_keys(note, answered, |(key, _)| key)
            .bind(values(answered, |(_, at)| nanoseconds(*at)))
            .bind(self.revision);
        self.run(note).await?;
        Ok(())
    }

    /// Appends the events that are not in the log yet, with the next numbers.
    async fn append(&mut self, events: &[&Event]) -> Result<(), Failed> {
        let append = sqlx::query(
            "INSERT INTO events (sequence, account, probe, region, id, account_name, labels, kind, resource, \
             from_status, to_status, text, error_message, previous_since, observed_at, aws_modified_at, role_arn, \
             timestream_database, timestream_table) \
             SELECT $19 + row_number() OVER (ORDER BY new.position), new.account, new.probe, new.region, new.id, \
             new.account_name, new.labels, new.kind, new.resource, new.from_status, new.to_status, new.text, \
             new.error_message, new.previous_since, new.observed_at, new.aws_modified_at, new.role_arn, \
             new.timestream_database, new.timestream_table \
             FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
             $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], \
             $15::bigint[], $16::text[], $17::text[], $18::text[]) WITH ORDINALITY \
             AS new (account, probe, region, id, account_name, labels, kind, resource, from_status, to_status, \
             text, error_message, previous_since, observed_at, aws_modified_at, role_arn, timestream_database, \
             timestream_table, position) \
             WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.id = new.id)",
        );
        let labels = values(events, |event| {
            serde_json::to_string(&event.account.labels).expect("a map of texts is JSON")
        });
        let keys: Vec<_> = events
            .iter()
            .map(|event| TargetKey {
                account: event.account.id,
                probe: event.probe,
                region: event.region.clone(),
            })
            .collect();
        let append = bind_keys(append, &keys, |key| key)
            .bind(values(events, |event| event.id.to_string()))
            .bind(texts(events, |event| &event.account.name))
            .bind(texts(&labels, |labels| labels))
            .bind(values(events, |event| event.transition.kind.as_str()))
            .bind(values(events, |event| event.transition.resource.as_str()))
            .bind(values(events, |event| event.transition.from.map(Status::as_str)))
            .bind(values(events, |event| event.transition.to.as_str()))
            .bind(optional_texts(events, |event| event.transition.text.as_deref()))
            .bind(optional_texts(events, |event| event.transition.error_message.as_deref()))
            .bind(values(events, |event| event.transition.previous_since.map(nanoseconds)))
            .bind(values(events, |event| nanoseconds(event.transition.observed_at)))
            .bind(values(events, |event| event.transition.aws_modified_at.map(nanoseconds)))
            .bind(optional_texts(events, |event| event.role_arn.as_deref()))
            .bind(optional_texts(events, |event| event.timestream_database_name.as_deref()))
            .bind(optional_texts(events, |event| event.timestream_table_name.as_deref()))
            .bind(self.sequence);
        self.sequence += signed(self.run(append).await?);
        self.run(sqlx::query("UPDATE ledger SET sequence = $1").bind(self.sequence)).await?;
        Ok(())
    }

    /// Notes silences. One that ended with an answer that a crash has taken back ends with the next.
    async fn put_silences(
        &mut self,
        silences: &[((&TargetKey, Timestamp), Timestamp)],
    ) -> Result<(), Failed> {
        let put = sqlx::query(
            "INSERT INTO silences (account, probe, region, began, ended) \
             SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) \
             ON CONFLICT (account, probe, region, began) \
             DO UPDATE SET ended = GREATEST(silences.ended, excluded.ended)",
        );
        let put = bind_keys(put, silences, |((key, _), _)| key)
            .bind(values(silences, |((_, from), _)| nanoseconds(*from)))
            .bind(values(silences, |(_, until)| nanoseconds(*until)));
        self.run(put).await?;
        Ok(())
    }

    async fn put_gates(&mut self, gates: &[(&str, Option<Timestamp>)]) -> Result<(), Failed> {
        let (shut, open): (Vec<_>, Vec<_>) = gates.iter().partition(|(_, until)| until.is_some());
        let put = sqlx::query(
            "INSERT INTO gates (scope, until) SELECT * FROM UNNEST($1::text[], $2::bigint[]) \
             ON CONFLICT (scope) DO UPDATE SET until = excluded.until",
        );
        let put = put
            .bind(texts(&shut, |(scope, _)| scope))
            .bind(values(&shut, |(_, until)| until.map(nanoseconds)));
        self.run(put).await?;
        let clear = sqlx::query("DELETE FROM gates WHERE scope = ANY($1)");
        self.run(clear.bind(texts(&open, |(scope, _)| scope))).await?;
        Ok(())
    }
}

/// Binds what names targets, as the first three columns.
fn bind_keys<'q, T>(statement: Statement<'q>, rows: &[T], key: impl Fn(&T) -> &TargetKey) -> Statement<'q> {
    let accounts: Vec<String> = rows.iter().map(|row| key(row).account.to_string()).collect();
    let probes: Vec<&'static str> = rows.iter().map(|row| key(row).probe.as_str()).collect();
    let regions: Vec<String> =
        rows.iter().map(|row| Cow::into_owned(written(region(&key(row).region)))).collect();
    statement.bind(accounts).bind(probes).bind(regions)
}
