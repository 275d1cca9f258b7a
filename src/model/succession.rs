//! How one fleet follows another: what became of each target and of each quota scope.
//!
//! A target is the same as long as its account, probe and region are: its name, labels, identity and
//! cadence may change. A scope is the same as long as AWS counts in the same bucket.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{AccountId, Caller, Fleet, Probe, Region, Scope, ScopeId, Service, Snapshot, Target, TargetId};

/// Where the targets and scopes of one fleet are in the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Succession {
    targets: Vec<Option<TargetId>>,
    scopes: Vec<Option<ScopeId>>,
    new_targets: Vec<TargetId>,
    new_scopes: Vec<ScopeId>,
}

impl Succession {
    /// From one fleet to the next. `redefined` are the identities that now stand for somebody else: of a
    /// scope whose caller only such a name tells, nobody knows that it is the same bucket.
    pub fn between(before: &Fleet, now: &Fleet, redefined: &HashSet<Arc<str>>) -> Self {
        let mut targets: HashMap<_, _> =
            now.targets.iter().map(target_key).zip((0..).map(TargetId)).collect();
        let mut scopes: HashMap<_, _> = now.scopes.iter().map(scope_key).zip((0..).map(ScopeId)).collect();
        let is_same = |scope: &Scope| match &scope.caller {
            Caller::Account(_) => true,
            Caller::Identity(name) => !redefined.contains(name),
        };
        // Under another claim it is another time of watching: somebody else may have watched in between.
        let is_one_tenure = |was: ScopeId, is: ScopeId| before.claims.get(&was) == now.claims.get(&is);
        // Who is taken out here is not new; who is left is.
        let old_targets = before.targets.iter().map(|target| {
            let place = targets.get(&target_key(target))?;
            let goes_on = is_one_tenure(target.scope, now.target(*place).scope);
            goes_on.then(|| targets.remove(&target_key(target)))?
        });
        let old_targets = old_targets.collect();
        let old_scopes = (0..).map(ScopeId).zip(&before.scopes).map(|(was, scope)| {
            let place = scopes.get(&scope_key(scope))?;
            (is_same(scope) && is_one_tenure(was, *place)).then(|| scopes.remove(&scope_key(scope)))?
        });
        let old_scopes = old_scopes.collect();
        let mut new_targets: Vec<_> = targets.into_values().collect();
        let mut new_scopes: Vec<_> = scopes.into_values().collect();
        new_targets.sort_unstable();
        new_scopes.sort_unstable();
        Self { targets: old_targets, scopes: old_scopes, new_targets, new_scopes }
    }

    /// Where a target is now; `None` if it is gone.
    ///
    /// # Panics
    /// If the id is of neither fleet.
    pub fn target(&self, before: TargetId) -> Option<TargetId> {
        self.targets[before.0 as usize]
    }

    /// Where a scope is now; `None` if it is gone.
    ///
    /// # Panics
    /// If the id is of neither fleet.
    pub fn scope(&self, before: ScopeId) -> Option<ScopeId> {
        self.scopes[before.0 as usize]
    }

    /// The targets that were not there before, in ascending order.
    pub fn new_targets(&self) -> &[TargetId] {
        &self.new_targets
    }

    /// The scopes that were not there before, in ascending order.
    pub fn new_scopes(&self) -> &[ScopeId] {
        &self.new_scopes
    }

    /// What has stayed of the targets: before, and now.
    pub fn stayed(&self) -> impl Iterator<Item = (TargetId, TargetId)> {
        (0..).map(TargetId).zip(&self.targets).filter_map(|(before, now)| Some((before, (*now)?)))
    }

    /// What has gone of the targets.
    pub fn gone(&self) -> impl Iterator<Item = TargetId> {
        (0..).map(TargetId).zip(&self.targets).filter(|(_, now)| now.is_none()).map(|(before, _)| before)
    }

    /// What has gone of the scopes.
    pub fn gone_scopes(&self) -> impl Iterator<Item = ScopeId> {
        (0..).map(ScopeId).zip(&self.scopes).filter(|(_, now)| now.is_none()).map(|(before, _)| before)
    }

    /// What has stayed of the scopes: before, and now.
    pub fn stayed_scopes(&self) -> impl Iterator<Item = (ScopeId, ScopeId)> {
        (0..).map(ScopeId).zip(&self.scopes).filter_map(|(before, now)| Some((before, (*now)?)))
    }
}

impl Snapshot {
    /// What of it is still known under the fleet that follows: everything of what has stayed, nothing of
    /// what is new, which is watched from now on.
    pub fn under(&self, fleet: Arc<Fleet>, succession: &Succession, now: Timestamp) -> Self {
        let mut next = Self::new(fleet, now);
        let mut watched_since = next.watched_since.to_vec();
        for (before, now) in succession.stayed() {
            let (before, now) = (before.0 as usize, now.0 as usize);
            next.targets[now] = Arc::clone(&self.targets[before]);
            watched_since[now] = self.watched_since[before];
        }
        for (before, now) in succession.stayed_scopes() {
            let (was, limit) = (self.fleet.scope(before).limit, next.fleet.scope(now).limit);
            let mut state = self.scopes[before.0 as usize];
            let is_learnt = state.pacing.allowed < was;
            state.pacing.allowed = if is_learnt { state.pacing.allowed.min(limit) } else { limit };
            next.scopes[now.0 as usize] = state;
        }
        next.name_new_scopes(succession);
        next.inherit(self, succession);
        let asked = self.fleet.organizations.iter().zip(&self.organizations);
        let asked: HashMap<_, _> = asked.map(|(organization, state)| (&organization.name, state)).collect();
        for (organization, state) in next.fleet.organizations.iter().zip(&mut next.organizations) {
            if let Some(asked) = asked.get(&organization.name) {
                state.clone_from(asked);
            }
        }
        Self { watched_since: watched_since.into(), was_ready: self.is_ready(), ..next }
    }
}

fn target_key(target: &Target) -> (AccountId, Probe, Option<&Region>) {
    (target.account.id, target.probe, target.region.as_ref())
}

fn scope_key(scope: &Scope) -> (Service, &Caller, &Region) {
    (scope.service, &scope.caller, &scope.region)
}

#[cfg(test)]
mod tests;
