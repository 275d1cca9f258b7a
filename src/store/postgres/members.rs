//! Who belongs to each organization: what is written of it and what is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::postgres::PgConnection;

use super::claim::hold;
use super::column::{texts, values, written};
use super::pool::Mode;
use super::trouble::{Failed, within};
use super::{LIMIT, Postgres};
use crate::model::{Claim, Roster};
use crate::store::row::nanoseconds;
use crate::store::{SavedRoster, StoreError, record};

/// Entries whose accounts are still to have their end stay; what is put in their place comes after.
const CLEAR: &str = "DELETE FROM members WHERE organization = $1 AND NOT (left_at IS NOT NULL \
                     AND EXISTS (SELECT 1 FROM targets WHERE targets.account = members.account))";

impl Postgres {
    /// The organizations that are kept.
    pub(in crate::store) async fn rosters(&self) -> Result<BTreeMap<Arc<str>, SavedRoster>, StoreError> {
        within(LIMIT, async {
            let mut session = self.pool.begin(Mode::Read).await?;
            let rows = sqlx::query(
                "SELECT organizations.name AS organization, listed_at, account, members.name, left_at \
                 FROM organizations LEFT JOIN members ON members.organization = organizations.name",
            );
            let rows = rows.persistent(false).fetch_all(&mut *session).await?;
            session.end().await?;
            Ok(record::rosters(&rows)?)
        })
        .await
    }

    /// Keeps who belongs to an organization.
    pub(in crate::store) async fn save_roster(
        &self,
        organization: &str,
        listed_at: Timestamp,
        roster: &Roster,
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        within(LIMIT, async {
            let mut session = self.pool.begin(Mode::Write).await?;
            hold(&mut session, claim).await?;
            note(&mut session, organization, listed_at).await?;
            let clear = sqlx::query(CLEAR).bind(written(organization)).persistent(false);
            clear.execute(&mut *session).await?;
            let members: Vec<_> = roster.members().collect();
            sqlx::query(
                "INSERT INTO members (organization, account, name, left_at) \
                 SELECT $1, * FROM UNNEST($2::text[], $3::text[], $4::bigint[]) \
                 ON CONFLICT (organization, account) DO UPDATE SET name = excluded.name, left_at = excluded.left_at",
            )
            .bind(written(organization))
            .bind(values(&members, |(account, _)| account.to_string()))
            .bind(texts(&members, |(_, member)| &member.name))
            .bind(values(&members, |(_, member)| member.left_at.map(nanoseconds)))
            .persistent(false)
            .execute(&mut *session)
            .await?;
            session.end().await
        })
        .await
    }

    /// Notes that an organization was listed.
    pub(in crate::store) async fn note_listing(
        &self,
        organization: &str,
        listed_at: Timestamp,
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        within(LIMIT, async {
            let mut session = self.pool.begin(Mode::Write).await?;
            hold(&mut session, claim).await?;
            note(&mut session, organization, listed_at).await?;
            session.end().await
        })
        .await
    }
}

/// Notes when an organization was listed. Whoever else writes of the same waits.
async fn note(connection: &mut PgConnection, organization: &str, listed_at: Timestamp) -> Result<(), Failed> {
    sqlx::query(
        "INSERT INTO organizations (name, listed_at) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET listed_at = excluded.listed_at",
    )
    .bind(written(organization))
    .bind(nanoseconds(listed_at))
    .persistent(false)
    .execute(connection)
    .await?;
    Ok(())
}
