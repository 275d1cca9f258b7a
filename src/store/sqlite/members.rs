//! Who belongs to each organization: what is written of it and what is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite as Database};

use super::{Sqlite, unusable};
use crate::model::Roster;
use crate::store::row::nanoseconds;
use crate::store::{SavedRoster, StoreError, record};

/// Rows that one statement writes.
const ROWS: usize = 500;

const NOTE: &str = "INSERT INTO organizations (name, listed_at) VALUES (?, ?) \
                    ON CONFLICT (name) DO UPDATE SET listed_at = excluded.listed_at";

/// Entries whose accounts are still to have their end stay; what is put in their place comes after.
const CLEAR: &str = "DELETE FROM members WHERE organization = ? AND NOT (left_at IS NOT NULL \
                     AND EXISTS (SELECT 1 FROM targets WHERE targets.account = members.account))";

impl Sqlite {
    /// The organizations that are kept.
    pub(in crate::store) async fn rosters(&self) -> Result<BTreeMap<Arc<str>, SavedRoster>, StoreError> {
        let rows = sqlx::query(
            "SELECT organizations.name AS organization, listed_at, account, members.name, left_at \
             FROM organizations LEFT JOIN members ON members.organization = organizations.name",
        )
        .fetch_all(&self.read)
        .await
        .map_err(unusable)?;
        record::rosters(&rows)
    }

    /// Keeps who belongs to an organization.
    pub(in crate::store) async fn save_roster(
        &self,
        organization: &str,
        listed_at: Timestamp,
        roster: &Roster,
    ) -> Result<(), StoreError> {
        if !self.keeps_states {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        let note = sqlx::query(NOTE).bind(organization).bind(nanoseconds(listed_at));
        note.execute(&mut *transaction).await.map_err(unusable)?;
        sqlx::query(CLEAR).bind(organization).execute(&mut *transaction).await.map_err(unusable)?;
        let members: Vec<_> = roster.members().collect();
        for members in members.chunks(ROWS) {
            let mut sql = QueryBuilder::<Database>::new(
                "INSERT OR REPLACE INTO members (organization, account, name, left_at) ",
            );
            sql.push_values(members, |mut row, (account, member)| {
                row.push_bind(organization)
                    .push_bind(account.to_string())
                    .push_bind(&*member.name)
                    .push_bind(member.left_at.map(nanoseconds));
            });
            sql.build().persistent(false).execute(&mut *transaction).await.map_err(unusable)?;
        }
        transaction.commit().await.map_err(unusable)
    }

    /// Notes that an organization was listed.
    pub(in crate::store) async fn note_listing(
        &self,
        organization: &str,
        listed_at: Timestamp,
    ) -> Result<(), StoreError> {
        if !self.keeps_states {
            return Ok(());
        }
        let note = sqlx::query(NOTE).bind(organization).bind(nanoseconds(listed_at));
        note.execute(&self.write).await.map_err(unusable)?;
        Ok(())
    }
}
