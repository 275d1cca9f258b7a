//! What a write is made of.

use std::collections::{BTreeMap, BTreeSet};

use super::super::saved::saved;
use crate::model::{Event, Snapshot, Succession, TargetId};
use crate::store::{Batch, SavedState, Silence, TargetKey};

/// From so many waiting events on, those of one resource become one: some 5 MB of them. What is lost by
/// it is steps in between, never where they led; and however long the store cannot be written, memory
/// stays bounded by the resources that there are.
pub(in crate::tracker) const MANY: usize = 10_000;

/// What is not in the store yet. A target's state is taken from the snapshot when it is written; that of a
/// target which has gone is kept here.
#[derive(Default)]
pub(super) struct Waiting {
    /// In the order in which they happened.
    events: Vec<Event>,
    /// So many of them, from the first, were in a write that failed. They may be in the log, so they stay
    /// as they are.
    tried: usize,
    /// Targets of which something else is known than is kept.
    changed: BTreeSet<TargetId>,
    /// Targets that have answered since it was last written that they did.
    answered: BTreeSet<TargetId>,
    /// Silences that have ended, each of a target of which something else is known since.
    silences: Vec<Silence>,
    /// Targets that have changed or answered, and have gone from the configuration since, with what was known of them.
    gone: BTreeMap<TargetKey, Gone>,
    /// Targets that have come to their end, of which nothing is to be kept. What is known of one that has
    /// come back since is written after.
    ended: BTreeSet<TargetKey>,
}

struct Gone {
    state: SavedState,
    is_changed: bool,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        !self.is_urgent() && self.answered.is_empty()
    }

    /// Whether it is more than who has answered.
    pub(super) fn is_urgent(&self) -> bool {
        !self.changed.is_empty() || !self.gone.is_empty() || !self.ended.is_empty()
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
    pub(super) fn silent(&mut self, target: TargetId, silence: Silence) {
        if self.silences.len() < MANY {
            self.silences.push(silence);
            self.changed.insert(target);
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        let full = self.events.len() >= MANY;
        let of = |event: &Event| (event.account.id, event.probe, event.transition.resource);
        let same = |earlier: &&mut Event| of(earlier) == of(&event) && earlier.region == event.region;
        match self.events[self.tried..].iter_mut().rev().filter(|_| full).find(same) {
            Some(earlier) => earlier.absorb(event),
            None => self.events.push(event),
        }
    }

    pub(super) fn batch(&self, snapshot: &Snapshot) -> Batch {
        let key = |id: TargetId| TargetKey::from(snapshot.fleet.target(id));
        let state = |id: TargetId| &snapshot.targets[id.0 as usize];
        let changed = self.changed.iter().map(|&id| (key(id), saved(state(id))));
        let answered = self.answered.difference(&self.changed);
        let answered = answered.filter_map(|&id| Some((key(id), state(id).last_success?)));
        let gone = |is_changed| self.gone.iter().filter(move |(_, gone)| gone.is_changed == is_changed);
        let gone_changed = gone(true).map(|(key, gone)| (key.clone(), gone.state.clone()));
        let gone_answered =
            gone(false).filter_map(|(key, gone)| Some((key.clone(), gone.state.last_success?)));
        Batch {
            states: changed.chain(gone_changed).collect(),
            events: self.events.clone(),
            answered: answered.chain(gone_answered).collect(),
            silences: self.silences.clone(),
            ended: self.ended.iter().cloned().collect(),
            ..Batch::default()
        }
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
        for (key, gone) in earlier.gone {
            let later = self.gone.entry(key).or_insert(Gone { is_changed: false, ..gone });
            later.is_changed |= gone.is_changed;
        }
    }

    /// Has nothing to write of a target any more.
    pub(super) fn drop_state(&mut self, target: TargetId) {
        self.changed.remove(&target);
        self.answered.remove(&target);
    }

    /// A target has come to its end.
    pub(super) fn end(&mut self, key: TargetKey) {
        self.gone.remove(&key);
        self.ended.insert(key);
    }

    /// Gives everybody the place that it has in the next fleet, and keeps what was known of who has none.
    pub(super) fn adopt(&mut self, succession: &Succession, before: &Snapshot) {
        for (targets, is_changed) in [(&mut self.changed, true), (&mut self.answered, false)] {
            for id in std::mem::take(targets) {
                if let Some(now) = succession.target(id) {
                    targets.insert(now);
                    continue;
                }
                let key = TargetKey::from(before.fleet.target(id));
                let state = || saved(&before.targets[id.0 as usize]);
                let gone = self.gone.entry(key).or_insert_with(|| Gone { state: state(), is_changed });
                gone.is_changed |= is_changed;
            }
        }
    }

    /// What was known of the targets that are gone.
    pub(super) fn into_gone(self) -> impl Iterator<Item = (TargetKey, SavedState)> {
        self.gone.into_iter().map(|(key, gone)| (key, gone.state))
    }

    /// A target that had gone is here again.
    pub(super) fn come_back(&mut self, key: &TargetKey, target: TargetId) -> Option<SavedState> {
        let Gone { state, is_changed } = self.gone.remove(key)?;
        if is_changed {
            self.changed.insert(target)
        } else {
            self.answered.insert(target)
        };
        Some(state)
    }
}
