//! What is known of the quota scopes, and how their throttles are counted.
//!
//! A scope is told of by its service, the account that calls, and its region. Several may have the same of
//! these: two identities of one account, or several whose account STS has not told yet. Scopes come, get
//! their names and go; the sum over those of the same labels never falls for that, as long as there is one.

use std::collections::HashMap;
use std::sync::Arc;

use super::{AccountId, Caller, Pacing, Region, Scope, ScopeId, Service, Snapshot, Succession};

/// What is known of a quota scope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScopeState {
    /// The calling account, once known.
    pub caller: Option<AccountId>,
    /// Whether the first attempt has been made.
    pub attempted: bool,
    /// How it is paced.
    pub pacing: Pacing,
    /// How many throttled calls are counted under its labels for its sake: its own, those of scopes that had
    /// the same labels and have gone, and none that it has left to others with its labels of before.
    pub throttled: u64,
}

impl ScopeState {
    /// Nothing is known yet.
    pub(super) fn new(scope: &Scope) -> Self {
        let caller = match scope.caller {
            Caller::Account(account) => Some(account),
            Caller::Identity(_) => None,
        };
        let pacing = Pacing { allowed: scope.limit, ..Pacing::default() };
        Self { caller, attempted: false, pacing, throttled: 0 }
    }
}

/// What scopes are told apart by.
type Labels<'a> = (Service, Option<AccountId>, &'a Region);

impl Snapshot {
    /// Takes in how a scope is paced.
    pub fn pace(&mut self, id: ScopeId, pacing: Pacing) {
        let state = &mut self.scopes[id.0 as usize];
        state.throttled += pacing.throttled.saturating_sub(state.pacing.throttled);
        state.pacing = pacing;
    }

    /// Takes in which account calls in a scope.
    pub fn name_caller(&mut self, id: ScopeId, account: AccountId) {
        let state = self.scopes[id.0 as usize];
        if state.caller == Some(account) {
            return;
        }
        // What was counted stays where it was, if anybody is left there.
        let labels = self.labels(id);
        let heir = self.labelled().find(|(other, of)| *other != id && *of == labels);
        if let Some(heir) = heir.map(|(heir, _)| heir) {
            self.scopes[heir.0 as usize].throttled += state.throttled;
            self.scopes[id.0 as usize].throttled = 0;
        }
        self.scopes[id.0 as usize].caller = Some(account);
    }

    /// STS tells once who is behind an identity; scopes that come later are told by those that know.
    pub(super) fn name_new_scopes(&mut self, succession: &Succession) {
        let fleet = Arc::clone(&self.fleet);
        let stayed = succession.stayed_scopes().map(|(_, now)| now);
        let known =
            stayed.filter_map(|id| Some((&fleet.scope(id).caller, self.scopes[id.0 as usize].caller?)));
        let known: HashMap<_, _> = known.collect();
        for &id in succession.new_scopes() {
            if let Some(&account) = known.get(&fleet.scope(id).caller) {
                self.name_caller(id, account);
            }
        }
    }

    /// Leaves what was counted for scopes that go to those that have their labels now.
    pub(super) fn inherit(&mut self, before: &Self, succession: &Succession) {
        let gone = succession.gone_scopes().map(|id| (id, before.scopes[id.0 as usize].throttled));
        let gone: Vec<_> = gone.filter(|(_, throttled)| *throttled > 0).collect();
        if gone.is_empty() {
            return;
        }
        let heirs: HashMap<_, _> = self.labelled().map(|(id, labels)| (labels, id)).collect();
        let left =
            gone.into_iter().map(|(id, throttled)| (heirs.get(&before.labels(id)).copied(), throttled));
        for (heir, throttled) in left.collect::<Vec<_>>() {
            if let Some(heir) = heir {
                self.scopes[heir.0 as usize].throttled += throttled;
            }
        }
    }

    /// All scopes, with what they are told of by.
    fn labelled(&self) -> impl Iterator<Item = (ScopeId, Labels<'_>)> {
        let scopes = (0..).map(ScopeId).zip(&self.fleet.scopes).zip(self.scopes.iter());
        scopes.map(|((id, scope), state)| (id, (scope.service, state.caller, &scope.region)))
    }

    fn labels(&self, id: ScopeId) -> Labels<'_> {
        let scope = self.fleet.scope(id);
        (scope.service, self.scopes[id.0 as usize].caller, &scope.region)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashSet};

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::model::Fleet;

    #[derive(Clone, Debug)]
    enum Step {
        Throttle(u8, u64),
        Name(u8, u8),
        Watch(BTreeSet<u8>),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..5u8, 1..9u64).prop_map(|(identity, times)| Step::Throttle(identity, times)),
            (0..5u8, 0..2u8).prop_map(|(identity, account)| Step::Name(identity, account)),
            prop::collection::btree_set(0..5u8, 0..5).prop_map(Step::Watch),
        ]
    }

    /// A scope for each of these identities.
    fn fleet(identities: &BTreeSet<u8>) -> Arc<Fleet> {
        let scope = |identity: &u8| Scope {
            service: Service::Account,
            caller: Caller::Identity(identity.to_string().into()),
            region: Region::new("us-east-1"),
            limit: 2.0,
            wanted: 0.0,
            targets: Vec::new(),
        };
        Arc::new(Fleet { scopes: identities.iter().map(scope).collect(), ..Fleet::default() })
    }

    fn told(snapshot: &Snapshot) -> BTreeMap<Option<AccountId>, u64> {
        let mut told = BTreeMap::new();
        for state in snapshot.scopes.iter() {
            *told.entry(state.caller).or_default() += state.throttled;
        }
        told
    }

    proptest! {
        #[test]
        fn what_is_told_of_labels_never_falls_and_nothing_is_told_twice(
            steps in prop::collection::vec(step(), 1..40),
        ) {
            let mut identities = BTreeSet::from([0, 1, 2, 3]);
            let mut snapshot = Snapshot::new(fleet(&identities), Timestamp::UNIX_EPOCH);
            let mut throttled = 0;
            for step in steps {
                let before = told(&snapshot);
                let place = |identity| identities.iter().position(|one| *one == identity);
                match step {
                    Step::Throttle(identity, times) => if let Some(place) = place(identity) {
                        let state = snapshot.scopes[place];
                        let pacing = Pacing { throttled: state.pacing.throttled + times, ..state.pacing };
                        snapshot.pace(ScopeId(place as u32), pacing);
                        throttled += times;
                        prop_assert_eq!(told(&snapshot)[&state.caller], before[&state.caller] + times);
                    },
                    Step::Name(identity, account) => if let Some(place) = place(identity) {
                        let account = format!("{account:012}").parse().unwrap();
                        snapshot.name_caller(ScopeId(place as u32), account);
                        prop_assert_eq!(snapshot.scopes[place].caller, Some(account));
                        prop_assert_eq!(
                            told(&snapshot).values().sum::<u64>(),
                            before.values().sum::<u64>()
                        );
                    },
                    Step::Watch(next) => {
                        let fleet = fleet(&next);
                        let succession = Succession::between(&snapshot.fleet, &fleet, &HashSet::new());
                        snapshot = snapshot.under(fleet, &succession, Timestamp::UNIX_EPOCH);
                        identities = next;
                    }
                }
                let now = told(&snapshot);
                for (caller, was) in &before {
                    prop_assert!(now.get(caller).is_none_or(|is| is >= was), "{:?} {:?}", before, now);
                }
                prop_assert!(now.values().sum::<u64>() <= throttled);
            }
        }
    }
}
