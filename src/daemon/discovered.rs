//! What was found in organizations, and how it becomes the next generation.
//!
//! The configuration stays as it is, and nothing is read anew from any file: only who is watched changes.
//! Nothing here can be refused. What cannot be done now, because the store cannot be read, is done later.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::announcement::warn_of_small_quotas;
use super::generation::{Generations, Lasting};
use super::inheritance::Kept;
use super::reload::Next;
use super::replicas::Replicas;
use crate::aws::Needed;
use crate::config::{Config, Organization, Rosters};
use crate::discovery::Outcome;
use crate::model::{AccountId, Fleet, Listing, Report, Shards, Succession, TargetId, Turnover};
use crate::store::{SavedRoster, StoreError, TargetKey};

/// How soon is tried again what could not be done.
const RETRY: Duration = Duration::from_secs(5);

/// How long at most is slept before the wall time is looked at again, which may jump.
const LOOK_AT_THE_TIME: Duration = Duration::from_secs(30);

/// The organizations' accounts, and what is yet to be made of them.
#[derive(Default)]
pub(super) struct Found {
    pub(super) rosters: Rosters,
    /// Accounts that have come to their end in the generation to come.
    ending: HashSet<AccountId>,
    /// When the fleet is to be made that the rosters ask for; `None` while it is as they are.
    due: Option<Instant>,
    /// Organizations of which other accounts are known than the store keeps.
    unsaved: HashSet<Arc<str>>,
    /// Targets that have come to their end. What the store may still say of them is of no use.
    ended: HashSet<TargetKey>,
}

impl Found {
    pub(super) fn new(rosters: Rosters) -> Self {
        Self { rosters, ..Self::default() }
    }

    /// Who of those that are watched comes to an end with the next generation, and is not only watched no
    /// more.
    pub(super) fn ending(&self, before: &Fleet, succession: &Succession) -> Vec<TargetId> {
        let is_ending = |id: &TargetId| self.ending.contains(&before.target(*id).account.id);
        succession.gone().filter(is_ending).collect()
    }

    /// Goes over to the next generation with those who have come to their end.
    pub(super) fn adopt(&mut self, before: &Fleet, ended: &[TargetId], now: &Fleet, succession: &Succession) {
        self.ending.clear();
        self.ended.extend(ended.iter().map(|id| TargetKey::from(before.target(*id))));
        for id in succession.new_targets() {
            self.ended.remove(&TargetKey::from(now.target(*id)));
        }
    }

    /// When there is something to do without a listing.
    pub(super) fn next_turn(&self, config: &Config, now: Timestamp) -> Option<Instant> {
        let ends = config
            .organizations
            .iter()
            .filter_map(|organization| self.rosters.get(&organization.name)?.next_end(organization.grace));
        let until = |end: Timestamp| Duration::try_from(end.duration_since(now)).unwrap_or_default();
        let next_end = ends.min().map(|end| Instant::now() + until(end).min(LOOK_AT_THE_TIME));
        [self.due, next_end].into_iter().flatten().min()
    }
}

impl Generations {
    /// Takes in what came of listing an organization.
    pub(super) async fn listed(&mut self, outcome: Outcome) {
        let Outcome { organization, at, listing } = outcome;
        let config = self.config();
        // It may have been asked for in another way since.
        let is_current =
            |now: &&Arc<Organization>| now.name == organization.name && now.is_listed_like(&organization);
        if !config.organizations.iter().any(|now| is_current(&now)) {
            return;
        }
        let outcome = match listing {
            Ok(listing) => {
                self.take(&organization, &listing, at).await;
                Ok(())
            }
            Err(failure) => Err(failure),
        };
        // After the fleet, so that who is ready shows what was found.
        let report = Report::Listed { organization: Arc::clone(&organization.name), at, outcome };
        let _ = self.lasting.around.reports.send(report).await;
    }

    async fn take(&mut self, organization: &Organization, listing: &Listing, at: Timestamp) {
        let roster = self.found.rosters.entry(Arc::clone(&organization.name)).or_default();
        let is_first = roster.members().len() == 0;
        let turnover = roster.take(listing, at);
        log_turnover(&organization.name, listing, &turnover, is_first);
        let (store, name) = (&self.lasting.store, &organization.name);
        let listed = self.fleet.organizations.iter().find(|listed| listed.name == *name);
        let claim = listed.and_then(|listed| self.fleet.claims.get(&listed.scope));
        let is_kept = turnover.is_empty() && !self.found.unsaved.contains(name);
        let saved = match is_kept {
            true => store.note_listing(name, at, claim).await,
            false => store.save_roster(name, at, roster, claim).await,
        };
        match saved {
            Ok(()) => {
                self.found.unsaved.remove(name);
            }
            Err(error) => {
                self.found.unsaved.insert(Arc::clone(name));
                let error = &error as &dyn std::error::Error;
                tracing::error!(
                    organization = &**name,
                    error,
                    "who belongs to the organization cannot be kept; it is tried again after the next listing"
                );
            }
        }
        if !turnover.is_empty() {
            self.found.due = Some(Instant::now());
            self.catch_up().await;
        }
    }

    /// Lets go of those whose grace is over, and makes the fleet that the rosters ask for.
    pub(super) async fn catch_up(&mut self) {
        let (config, now) = (self.config(), self.lasting.around.clock.now());
        let fleet = Arc::clone(&self.fleet);
        for organization in &config.organizations {
            let Some(roster) = self.found.rosters.get_mut(&organization.name) else { continue };
            let over = roster.end(organization.grace, now);
            if !over.is_empty() {
                tracing::info!(
                    organization = &*organization.name,
                    accounts = over.len(),
                    "accounts have come to their end"
                );
                self.found.ending.extend(over);
                if is_listed_in(&fleet, &organization.name) {
                    self.found.unsaved.insert(Arc::clone(&organization.name));
                }
                self.found.due = Some(Instant::now());
            }
        }
        if self.found.due.is_some_and(|due| due <= Instant::now()) {
            self.found.due = None;
            if let Err(error) = self.regenerate(config).await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the store cannot be read: what was found is watched when it can be");
                self.found.due = Some(Instant::now() + RETRY);
            }
        }
    }

    /// Watches what this replica holds now. Who has left an organization and still has a state in the store
    /// may be of a shard whose holder could not tell the end any more, so the end is still to be told.
    pub(super) async fn deal_anew(&mut self) {
        // Who holds nothing has no end to tell, and holds nothing perhaps because the store does not answer.
        let holds_some = |replicas: &Replicas| !replicas.shards().held.is_empty();
        let found = match self.replicas.as_ref().is_none_or(holds_some) {
            true => self.found_by_all().await,
            false => BTreeMap::new(),
        };
        for (name, saved) in found {
            let roster = self.found.rosters.entry(name).or_default();
            let known: HashSet<_> = roster.members().map(|(id, _)| id).collect();
            let left =
                saved.roster.members().filter(|(id, member)| member.left_at.is_some() && !known.contains(id));
            roster.extend(left.map(|(id, member)| (id, member.clone())));
        }
        self.found.due = Some(Instant::now());
        self.catch_up().await;
    }

    /// Takes over who belongs to the organizations that other replicas list.
    pub(super) async fn hear_of_others(&mut self) {
        let (config, now) = (self.config(), self.lasting.around.clock.now());
        let grace =
            |name: &Arc<str>| config.organizations.iter().find(|one| one.name == *name).map(|one| one.grace);
        for (name, SavedRoster { mut roster, .. }) in self.found_by_all().await {
            let Some(grace) = grace(&name) else { continue };
            // Each replica tells the end of those that it watches, and has told it of these.
            roster.end(grace, now);
            if !is_listed_in(&self.fleet, &name) && self.found.rosters.get(&name) != Some(&roster) {
                self.found.rosters.insert(name, roster);
                self.found.due = Some(Instant::now());
            }
        }
        if self.found.due.is_some() {
            self.catch_up().await;
        }
    }

    /// The organizations of the configuration as the store has them; none while it cannot be read.
    async fn found_by_all(&self) -> BTreeMap<Arc<str>, SavedRoster> {
        let config = self.config();
        if config.organizations.is_empty() {
            return BTreeMap::new();
        }
        match self.lasting.store.rosters().await {
            Ok(mut kept) => {
                kept.retain(|name, _| config.organizations.iter().any(|one| one.name == *name));
                kept
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "who other replicas have found cannot be read");
                BTreeMap::new()
            }
        }
    }

    async fn regenerate(&mut self, config: Arc<Config>) -> Result<(), StoreError> {
        let (before, rosters) = (Arc::clone(&self.fleet), self.found.rosters.clone());
        let (asked, region) = (Arc::clone(&config), self.lasting.aws.region().clone());
        let shards = self.replicas.as_ref().map(Replicas::shards);
        let made = spawn_blocking(move || {
            let (fleet, whole) = dealt(asked.fleet_with(&region, &rosters), shards.as_ref());
            let fleet = Fleet { generation: before.generation.next(), ..fleet };
            let succession = Succession::between(&before, &fleet, &HashSet::new());
            let needed = Needed::of(&asked, &fleet);
            (fleet, whole, succession, needed)
        });
        let (fleet, whole, succession, needed) = made.await.expect("it does not panic, and nobody ends it");
        let kept = self.kept(&fleet, &succession).await?;
        let next = Next {
            config,
            fleet: Arc::new(fleet),
            whole,
            succession: Arc::new(succession),
            redefined: Arc::default(),
            kept,
            needed,
            fresh: None,
        };
        // It fails only when the daemon is ending.
        if self.adopt(next).await.is_ok() {
            warn_of_small_quotas(&self.fleet);
        }
        Ok(())
    }

    /// What the store keeps of what is new.
    pub(super) async fn kept(&self, fleet: &Fleet, succession: &Succession) -> Result<Kept, StoreError> {
        let Lasting { store, around, .. } = &self.lasting;
        let gates = match succession.new_scopes() {
            [] => BTreeMap::new(),
            _ => store.gates(around.clock.now()).await?,
        };
        if succession.new_targets().is_empty() {
            return Ok(Kept { gates, ..Kept::default() });
        }
        let new = succession.new_targets().iter().map(|&id| TargetKey::from(fleet.target(id)));
        let new: HashSet<_> = new.filter(|key| !self.found.ended.contains(key)).collect();
        let mut states = store.states().await?;
        states.retain(|(key, _)| new.contains(key));
        Ok(Kept { states, gates })
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.lasting.applied.borrow())
    }
}

/// Whether this replica lists an organization. Where there is but one, it lists all.
fn is_listed_in(fleet: &Fleet, organization: &str) -> bool {
    fleet.organizations.iter().any(|listed| *listed.name == *organization)
}

/// What this process watches of a fleet; and, if that is a part, the whole.
pub(super) fn dealt(fleet: Fleet, shards: Option<&Shards>) -> (Fleet, Option<Arc<Fleet>>) {
    match shards {
        Some(shards) => (fleet.part(shards), Some(Arc::new(fleet))),
        None => (fleet, None),
    }
}

fn log_turnover(name: &str, listing: &Listing, turnover: &Turnover, is_first: bool) {
    let (organization, id) = (name, listing.organization.as_deref());
    let Turnover { joined, returned, left, renamed } = turnover;
    if !turnover.is_empty() {
        tracing::info!(
            organization,
            organization.id = id,
            accounts = listing.accounts.len(),
            joined = joined.len(),
            returned = returned.len(),
            left = left.len(),
            renamed = renamed.len(),
            "the organization has changed"
        );
    }
    // At the first listing all of them are new, and the line above says so.
    for account in joined.iter().filter(|_| !is_first) {
        tracing::info!(organization, account.id = %account, "an account has joined");
    }
    for account in returned {
        tracing::info!(organization, account.id = %account, "an account is back");
    }
    for account in left {
        tracing::info!(organization, account.id = %account, "an account has left: it is shown until the grace is over");
    }
}
