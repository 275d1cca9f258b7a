//! What a write is made of.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::saved::saved;
use crate::model::{Claim, Event, Snapshot, Succession, TargetId};
use crate::store::{Batch, SavedState, Silence, TargetKey};

/// From so many waiting events on, those of one resource become one: some 5 MB of them. What is lost by
/// it is steps in between, never where they led; and however long the store cannot be written, memory
/// stays bounded by the resources that there are.
pub(in crate::tracker) const MANY: usize = 10_000;

/// What is not in the store yet. A target's state is taken from the snapshot when it is written; that of a
/// target which has gone is kept here.
#[derive(Default)]
pub(super) struct Waiting {
    /// In the order in which they happened, each with the claim under which it was seen.
    events: Vec<(Option<Claim>, Event)>,
    /// So many of them, from the first, were in a write that failed. They may be in the log, so they stay
    /// as they are.
    tried: usize,
    /// Targets of which something else is known than is kept.
    changed: BTreeSet<TargetId>,
    /// Targets that have answered since it was last written that they did.
    answered: BTreeSet<TargetId>,
    /// Silences that have ended, each of a target of which something else is known since.
    silences: Vec<(Option<Claim>, Silence)>,
    /// Targets that have changed or answered, and have gone from the configuration since, with what was known of
    /// them. One that was watched under several claims since the last write has gone under each of them.
    gone: BTreeMap<Past, Gone>,
    /// Targets that have come to their end, of which nothing is to be kept. What is known of one that has
    /// come back since is written after.
    ended: BTreeMap<TargetKey, Option<Claim>>,
    /// Until when nothing may be sent in quota scopes, by their keys.
    gates: BTreeMap<String, (Option<Claim>, Timestamp)>,
}

/// A target that has gone, and the claim under which it was watched.
pub(super) type Past = (TargetKey, Option<Claim>);

/// What was known of a target that has gone.
pub(super) struct Gone {
    pub(super) state: SavedState,
    is_changed: bool,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        !self.is_urgent() && self.answered.is_empty()
    }

    /// Whether it is more than who has answered.
    pub(super) fn is_urgent(&self) -> bool {
        !(self.changed.is_empty() && self.gone.is_empty() && self.ended.is_empty() && self.gates.is_empty())
    }

    /// How many events.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn answered(&mut self, target: TargetId) {
        self.answered.insert(target);
    }

    pub(super) fn changed(&mut self, target: TargetId) {
        self.changed.insert(target);
    }

    /// Beyond so many that cannot be written, what is lost is a gap in a picture.
    pub(super) fn silent(&mut self, target: TargetId, claim: Option<Claim>, silence: Silence) {
        if self.silences.len() < MANY {
            self.silences.push((claim, silence));
            self.changed.insert(target);
        }
    }

    pub(super) fn push(&mut self, claim: Option<Claim>, event: Event) {
        let full = self.events.len() >= MANY;
        let of = |event: &Event| (event.account.id, event.probe, event.transition.resource);
        let same = |(under, earlier): &&mut (Option<Claim>, Event)| {
            of(earlier) == of(&event) && earlier.region == event.region && *under == claim
        };
        match self.events[self.tried..].iter_mut().rev().filter(|_| full).find(same) {
            Some((_, earlier)) => earlier.absorb(event),
            None => self.events.push((claim, event)),
        }
    }

    /// Nothing may be sent in a quota scope until then.
    pub(super) fn gate(&mut self, scope: String, claim: Option<Claim>, until: Timestamp) {
        self.gates.insert(scope, (claim, until));
    }

    /// All of it, by the claim that it is written under.
    pub(super) fn batches(&self, snapshot: &Snapshot) -> Vec<Batch> {
        let mut batches: BTreeMap<Option<&Claim>, Batch> = BTreeMap::new();
        let fleet = &snapshot.fleet;
        let key = |id: TargetId| TargetKey::from(fleet.target(id));
        let claim = |id: TargetId| fleet.claim(fleet.target(id));
        let state = |id: TargetId| &snapshot.targets[id.0 as usize];
        for &id in &self.changed {
            batches.entry(claim(id)).or_default().states.push((key(id), saved(state(id))));
        }
        for &id in self.answered.difference(&self.changed) {
            let at = state(id).last_success.map(|at| (key(id), at));
            batches.entry(claim(id)).or_default().answered.extend(at);
        }
        for ((key, claim), Gone { state, is_changed }) in &self.gone {
            let batch = batches.entry(claim.as_ref()).or_default();
            if *is_changed {
                batch.states.push((key.clone(), state.clone()));
            } else {
                batch.answered.extend(state.last_success.map(|at| (key.clone(), at)));
            }
        }
        for (claim, event) in &self.events {
            batches.entry(claim.as_ref()).or_default().events.push(event.clone());
        }
        for (claim, silence) in &self.silences {
            batches.entry(claim.as_ref()).or_default().silences.push(silence.clone());
        }
        for (key, claim) in &self.ended {
            batches.entry(claim.as_ref()).or_default().ended.push(key.clone());
        }
        for (scope, (claim, until)) in &self.gates {
            batches.entry(claim.as_ref()).or_default().gates.push((scope.clone(), Some(*until)));
        }
        let under = |(claim, batch): (Option<&Claim>, Batch)| Batch { claim: claim.cloned(), ..batch };
        batches.into_iter().map(under).collect()
    }

    /// Takes back what comes before all that has been waiting since.
    pub(super) fn put_back(&mut self, mut earlier: Self) {
        self.tried = earlier.events.len();
        earlier.events.append(&mut self.events);
        self.events = earlier.events;
        earlier.silences.append(&mut self.silences);
        self.silences = earlier.silences;
        self.changed.append(&mut earlier.changed);
        self.answered.append(&mut earlier.answered);
        self.ended.append(&mut earlier.ended);
        for (scope, gate) in earlier.gates {
            self.gates.entry(scope).or_insert(gate);
        }
        for (past, gone) in earlier.gone {
            let later = self.gone.entry(past).or_insert(Gone { is_changed: false, ..gone });
            later.is_changed |= gone.is_changed;
        }
    }

    /// Has nothing to write of a target any more.
    pub(super) fn drop_state(&mut self, target: TargetId) {
        self.changed.remove(&target);
        self.answered.remove(&target);
    }

    /// A target has come to its end.
    pub(super) fn end(&mut self, key: TargetKey, claim: Option<Claim>) {
        self.gone.retain(|(gone, _), _| *gone != key);
        self.ended.insert(key, claim);
    }

    /// Gives everybody the place that it has in the next fleet, and keeps what was known of who has none.
    pub(super) fn adopt(&mut self, succession: &Succession, before: &Snapshot) {
        for (targets, is_changed) in [(&mut self.changed, true), (&mut self.answered, false)] {
            for id in std::mem::take(targets) {
                if let Some(now) = succession.target(id) {
                    targets.insert(now);
                    continue;
                }
                let target = before.fleet.target(id);
                let past = (target.into(), before.fleet.claim(target).cloned());
                let state = saved(&before.targets[id.0 as usize]);
                let gone = self.gone.entry(past).or_insert(Gone { state, is_changed });
                gone.is_changed |= is_changed;
            }
        }
    }

    /// What was known of the targets that are gone.
    pub(super) fn into_gone(self) -> impl Iterator<Item = (Past, Gone)> {
        self.gone.into_iter()
    }

    /// A target that had gone is here again. Under another claim it begins with what is stored: somebody else
    /// may have had it meanwhile.
    pub(super) fn come_back(&mut self, past: &Past, target: TargetId) -> Option<SavedState> {
        let Gone { state, is_changed } = self.gone.remove(past)?;
        if is_changed {
            self.changed.insert(target)
        } else {
            self.answered.insert(target)
        };
        Some(state)
    }
}
