//! Leases: who of the replicas holds what, by the clock of the database.
//!
//! Rows are locked in the order of their names, and whoever takes passes over what others have locked, so
//! that nobody waits for somebody who waits for him.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use super::column::{read, texts, values, written};
use super::pool::Mode;
use super::trouble::{Failed, within};
use super::{LEASES, Postgres};
use crate::model::{Claim, Epoch, Lease, ReplicaId};
use crate::store::row::{signed, unsigned};
use crate::store::{LeaseState, LiveReplica, Replica, Roll, StoreError, Trouble};

/// Only what has not expired is renewed: after that others may have been promised it.
const RENEW: &str = "WITH mine AS (SELECT lease FROM leases \
                     WHERE (lease, epoch) IN (SELECT * FROM UNNEST($1::text[], $2::bigint[])) \
                     AND holder = $3 ORDER BY lease FOR NO KEY UPDATE) \
                     UPDATE leases SET expires_at = clock_timestamp() + $4 * interval '1 microsecond' \
                     FROM mine WHERE leases.lease = mine.lease AND leases.expires_at > clock_timestamp()";

/// A row that somebody writes under is left for the next round.
const TAKE: &str = "WITH free AS (SELECT lease FROM leases WHERE lease = ANY($1) \
                    AND (holder IS NULL OR expires_at <= clock_timestamp()) \
                    ORDER BY lease FOR UPDATE SKIP LOCKED) \
                    UPDATE leases SET epoch = epoch + 1, holder = $2, \
                    expires_at = clock_timestamp() + $3 * interval '1 microsecond' \
                    FROM free WHERE leases.lease = free.lease RETURNING leases.lease, leases.epoch";

const RELEASE: &str = "WITH mine AS (SELECT lease FROM leases \
                       WHERE (lease, epoch) IN (SELECT * FROM UNNEST($1::text[], $2::bigint[])) \
                       AND holder = $3 ORDER BY lease FOR NO KEY UPDATE) \
                       UPDATE leases SET holder = NULL, expires_at = NULL \
                       FROM mine WHERE leases.lease = mine.lease";

impl Postgres {
    pub(in crate::store) async fn renew(
        &self,
        me: &Replica,
        known: &[Lease],
        held: &[Claim],
        duration: Duration,
    ) -> Result<Roll, StoreError> {
        within(LEASES, async {
            let mut session = self.leases.begin(Mode::Write).await?;
            self.sign_in(&mut session, me, duration).await?;
            let known: Vec<_> = known.iter().map(Lease::to_string).collect();
            sqlx::query(
                "INSERT INTO leases (lease, epoch) SELECT DISTINCT lease, 0 FROM UNNEST($1::text[]) AS known (lease) \
                 WHERE NOT EXISTS (SELECT 1 FROM leases WHERE leases.lease = known.lease) \
                 ORDER BY lease ON CONFLICT DO NOTHING",
            )
            .bind(texts(&known, |lease| lease))
            .persistent(false)
            .execute(&mut *session)
            .await?;
            let (leases, epochs) = columns(held);
            sqlx::query(RENEW)
                .bind(leases)
                .bind(epochs)
                .bind(me.id.to_string())
                .bind(microseconds(duration))
                .persistent(false)
                .execute(&mut *session)
                .await?;
            let roll = roll(&mut session, &me.id).await?;
            session.end().await?;
            Ok(roll)
        })
        .await
    }

    pub(in crate::store) async fn take(
        &self,
        me: &ReplicaId,
        wanted: &[Lease],
        duration: Duration,
    ) -> Result<Vec<Claim>, StoreError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        within(LEASES, async {
            let mut session = self.leases.begin(Mode::Write).await?;
            let wanted: Vec<_> = wanted.iter().map(Lease::to_string).collect();
            let taken = sqlx::query(TAKE)
                .bind(texts(&wanted, |lease| lease))
                .bind(me.to_string())
                .bind(microseconds(duration))
                .persistent(false)
                .fetch_all(&mut *session)
                .await?;
            session.end().await?;
            let mut taken = taken.iter().map(claim).collect::<Result<Vec<_>, _>>()?;
            taken.sort();
            Ok(taken)
        })
        .await
    }

    pub(in crate::store) async fn release(&self, me: &ReplicaId, claims: &[Claim]) -> Result<(), StoreError> {
        if claims.is_empty() {
            return Ok(());
        }
        within(LEASES, async {
            let mut session = self.leases.begin(Mode::Write).await?;
            let (leases, epochs) = columns(claims);
            let release = sqlx::query(RELEASE).bind(leases).bind(epochs).bind(me.to_string());
            release.persistent(false).execute(&mut *session).await?;
            session.end().await
        })
        .await
    }

    pub(in crate::store) async fn leave(&self, me: &ReplicaId) -> Result<(), StoreError> {
        within(LEASES, async {
            let mut session = self.leases.begin(Mode::Write).await?;
            let leave = sqlx::query("DELETE FROM replicas WHERE id = $1").bind(me.to_string());
            leave.persistent(false).execute(&mut *session).await?;
            session.end().await
        })
        .await
    }

    /// Notes that a replica lives, unless it deals the quota scopes in another way than the others: then it
    /// would ask where they do.
    async fn sign_in(
        &self,
        connection: &mut PgConnection,
        me: &Replica,
        duration: Duration,
    ) -> Result<(), Failed> {
        // Whoever changes the number waits until those who sign in are seen.
        let shards: Option<i64> = sqlx::query_scalar("SELECT shards FROM ledger FOR KEY SHARE")
            .persistent(false)
            .fetch_one(&mut *connection)
            .await?;
        if shards != Some(i64::from(self.shards)) {
            let detail = "another `store.postgres.shards` was set for all replicas while this one was away";
            return Err(StoreError::Unusable { trouble: Trouble::Refused, detail: detail.to_owned() }.into());
        }
        sqlx::query(
            "INSERT INTO replicas (id, name, form, expires_at) \
             VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 microsecond') \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, form = excluded.form, \
             expires_at = excluded.expires_at",
        )
        .bind(me.id.to_string())
        .bind(written(&me.name))
        .bind(self.form)
        .bind(microseconds(duration))
        .persistent(false)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// How everything stands.
async fn roll(connection: &mut PgConnection, me: &ReplicaId) -> Result<Roll, Failed> {
    let replicas =
        sqlx::query("SELECT id, name FROM replicas WHERE expires_at > clock_timestamp() ORDER BY id")
            .persistent(false)
            .fetch_all(&mut *connection)
            .await?;
    let leases = sqlx::query(
        "WITH now AS MATERIALIZED (SELECT clock_timestamp() AS now) \
         SELECT lease, epoch, CASE WHEN expires_at > now THEN holder END AS holder, \
         (extract(epoch FROM min(expires_at) FILTER (WHERE expires_at > now AND holder <> $1) OVER () - now) \
         * 1000000)::bigint AS next_end FROM leases, now ORDER BY lease",
    )
    .bind(me.to_string())
    .persistent(false)
    .fetch_all(connection)
    .await?;
    let next_end: Option<i64> = leases.first().map(|row| row.try_get("next_end")).transpose()?.flatten();
    Ok(Roll {
        replicas: replicas.iter().map(live_replica).collect::<Result<_, _>>()?,
        next_end: next_end.map(|microseconds| Duration::from_micros(unsigned(microseconds))),
        leases: leases.iter().map(lease_state).collect::<Result<_, _>>()?,
    })
}

fn live_replica(row: &PgRow) -> Result<LiveReplica, Failed> {
    let name = read(row.try_get("name")?).into();
    Ok(LiveReplica { id: replica_id(row.try_get("id")?)?, name })
}

fn lease_state(row: &PgRow) -> Result<LeaseState, Failed> {
    let Claim { lease, epoch } = claim(row)?;
    let holder: Option<&str> = row.try_get("holder")?;
    Ok(LeaseState { lease, epoch, holder: holder.map(replica_id).transpose()? })
}

fn claim(row: &PgRow) -> Result<Claim, Failed> {
    let text = read(row.try_get("lease")?);
    let unknown = || StoreError::Unknown { row: format!("lease {text}"), column: "lease" };
    Ok(Claim { lease: text.parse().map_err(|_| unknown())?, epoch: Epoch(unsigned(row.try_get("epoch")?)) })
}

fn replica_id(text: &str) -> Result<ReplicaId, Failed> {
    let id = text.parse::<uuid::Uuid>().map(ReplicaId::from);
    id.map_err(|_| StoreError::Unknown { row: format!("replica {text}"), column: "id" }.into())
}

/// Claims as columns.
fn columns(claims: &[Claim]) -> (Vec<String>, Vec<i64>) {
    let leases = values(claims, |claim| written(&claim.lease.to_string()).into_owned());
    (leases, values(claims, |claim| signed(claim.epoch.0)))
}

/// A length of time as the statements take it.
fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
