//! Whether a claim still holds: what keeps a replica that was cut off or stood still from writing late.
//!
//! Who writes under a claim locks its lease until the write is done, in a way that stands against whoever
//! would take the lease over, and not against whoever renews it. So either the taker leaves it for the next
//! round, or the writer sees that it was taken.

use std::collections::BTreeSet;

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::column::{texts, values};
use super::trouble::Failed;
use crate::model::{Claim, Epoch, Lease};
use crate::store::StoreError;
use crate::store::row::{signed, unsigned};

/// Those of some claims that are stale. The others hold until the transaction ends.
pub(super) async fn stale(
    connection: &mut PgConnection,
    claims: BTreeSet<&Claim>,
) -> Result<Vec<Claim>, Failed> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = claims.iter().map(|claim| (claim.lease.to_string(), claim.epoch)).collect();
    let current = sqlx::query(
        "SELECT lease, epoch FROM leases \
         WHERE (lease, epoch) IN (SELECT * FROM UNNEST($1::text[], $2::bigint[])) AND holder IS NOT NULL \
         ORDER BY lease FOR KEY SHARE",
    )
    .bind(texts(&rows, |(lease, _)| lease))
    .bind(values(&rows, |(_, epoch)| signed(epoch.0)))
    .persistent(false)
    .fetch_all(connection)
    .await?;
    let mut current_claims = BTreeSet::new();
    for row in &current {
        let lease: Option<Lease> = row.try_get::<&str, _>("lease")?.parse().ok();
        let epoch = Epoch(unsigned(row.try_get("epoch")?));
        current_claims.extend(lease.map(|lease| Claim { lease, epoch }));
    }
    Ok(claims.into_iter().filter(|&claim| !current_claims.contains(claim)).cloned().collect())
}

/// Fails unless a claim holds, and makes it hold until the transaction ends. Without a claim there is
/// nothing to ask.
pub(super) async fn hold(connection: &mut PgConnection, claim: Option<&Claim>) -> Result<(), Failed> {
    let stale = stale(connection, claim.into_iter().collect()).await?;
    stale.into_iter().next().map_or(Ok(()), |claim| Err(StoreError::Fenced(claim).into()))
}
