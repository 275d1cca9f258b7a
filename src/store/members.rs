//! Who belongs to each organization.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Store, StoreError};
use crate::model::{Claim, Roster};

/// What is kept of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedRoster {
    /// When it was last listed as a whole.
    pub listed_at: Timestamp,
    /// Its accounts.
    pub roster: Roster,
}

impl Store {
    /// The organizations that are kept, by their names; none in memory, where nobody would read them again.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn rosters(&self) -> Result<BTreeMap<Arc<str>, SavedRoster>, StoreError> {
        self.engine.rosters().await
    }

    /// Keeps who belongs to an organization, in the place of what was kept. Of an account that is missing
    /// there the entry stays for as long as a state of it is kept: when that goes, its end has been told,
    /// and until then a restart has to know that it is still to be.
    ///
    /// # Errors
    /// If the store cannot be written, or the claim is stale.
    pub async fn save_roster(
        &self,
        organization: &str,
        listed_at: Timestamp,
        roster: &Roster,
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        self.engine.save_roster(organization, listed_at, roster, claim).await
    }

    /// Notes that an organization was listed, and is as it was.
    ///
    /// # Errors
    /// If the store cannot be written, or the claim is stale.
    pub async fn note_listing(
        &self,
        organization: &str,
        listed_at: Timestamp,
        claim: Option<&Claim>,
    ) -> Result<(), StoreError> {
        self.engine.note_listing(organization, listed_at, claim).await
    }
}
