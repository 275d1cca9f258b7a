//! The part of a fleet that one of several replicas watches.
//!
//! A quota scope is never divided, so pacing stays the affair of one loop. Scopes are spread over a fixed
//! number of shards by a hash of what names them, which all replicas compute alike, whatever else their
//! configurations say.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Account, AccountId, Claim, Epoch, Fleet, Lease, Organization, Scope, ScopeId, Service};

/// The shards that a replica holds, of all that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shards {
    /// How many there are; at least one.
    pub count: u16,
    /// Those that are held, and since which change of hands.
    pub held: BTreeMap<u16, Epoch>,
    /// Among how many replicas what all of them need is divided; 0 counts as one.
    pub among: usize,
}

impl Shards {
    /// The shard of a scope.
    pub fn of(&self, scope: &Scope) -> u16 {
        let hash = Sha256::digest(scope.key());
        let first = hash.first_chunk().expect("a hash has 32 bytes");
        u16::try_from(u64::from_be_bytes(*first) % u64::from(self.count))
            .expect("less than a count of 16 bits")
    }

    /// The right to call in a scope; `None` if the replica has none.
    pub fn claim(&self, scope: &Scope) -> Option<Claim> {
        let shard = self.of(scope);
        self.held.get(&shard).map(|&epoch| Claim { lease: Lease::Shard(shard), epoch })
    }
}

impl Fleet {
    /// What of it is in the shards that are held. Of STS all scopes are: each replica signs in for itself,
    /// and has its part of that quota.
    #[must_use]
    pub fn part(&self, shards: &Shards) -> Self {
        let mut part = Self { generation: self.generation, ..Self::default() };
        let places: Vec<Option<ScopeId>> = self
            .scopes
            .iter()
            .map(|scope| {
                let claim = match scope.service {
                    Service::Sts => None,
                    _ => Some(shards.claim(scope)?),
                };
                let place = ScopeId(index(part.scopes.len()));
                let among = if claim.is_some() { 1 } else { shards.among.max(1) };
                let limit = scope.limit / among as f64;
                part.scopes.push(Scope { targets: Vec::new(), limit, ..scope.clone() });
                part.claims.extend(claim.map(|claim| (place, claim)));
                Some(place)
            })
            .collect();
        let place = |scope: ScopeId| places[scope.0 as usize];
        let mut watched: HashSet<AccountId> = HashSet::new();
        for (before, target) in (0..).map(super::TargetId).zip(&self.targets) {
            let Some(scope) = place(target.scope) else { continue };
            let id = super::TargetId(index(part.targets.len()));
            match self.leaving.get(&before) {
                Some(&since) => drop(part.leaving.insert(id, since)),
                None => part.scopes[scope.0 as usize].targets.push(id),
            }
            watched.insert(target.account.id);
            part.targets.push(super::Target { scope, ..target.clone() });
        }
        let is_watched = |account: &&Arc<Account>| watched.contains(&account.id);
        part.accounts = self.accounts.iter().filter(is_watched).cloned().collect();
        part.sts_scopes = self
            .sts_scopes
            .iter()
            .map(|(identity, &scope)| (Arc::clone(identity), place(scope).expect("of STS all are kept")))
            .collect();
        part.organizations = self
            .organizations
            .iter()
            .filter_map(|organization| {
                Some(Organization { scope: place(organization.scope)?, ..organization.clone() })
            })
            .collect();
        part
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("no more than there were")
}

#[cfg(test)]
mod tests;
