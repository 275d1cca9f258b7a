//! What was last heard of each target that others hold: from the store, or when this replica held it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::TargetState;
use crate::store::{Changes, SavedState, TargetKey};

/// What the store keeps, up to a revision, and what this replica knew later than that.
#[derive(Default)]
pub(super) struct Kept {
    revision: Option<u64>,
    states: HashMap<TargetKey, Arc<TargetState>>,
}

/// Of which targets something else is kept than before.
pub(super) enum Changed {
    /// Of these.
    These(Vec<TargetKey>),
    /// Perhaps of any.
    Any,
}

impl Kept {
    /// Up to which revision it was read; `None` before the first time.
    pub(super) fn revision(&self) -> Option<u64> {
        self.revision
    }

    /// What is kept of a target.
    pub(super) fn state(&self, key: &TargetKey) -> Option<&Arc<TargetState>> {
        self.states.get(key)
    }

    /// Takes in what this replica knew of a target that it held, if that is later. It may never have been written;
    /// whatever the store tells of the target from now on takes its place.
    pub(super) fn remember(&mut self, key: TargetKey, known: &TargetState) {
        let kept = self.states.get(&key).and_then(|kept| kept.last_success);
        if known.last_success > kept {
            let TargetState { resources, details, created_at, modified_at, last_success, .. } = known.clone();
            let saved = SavedState { resources, details, created_at, modified_at, last_success };
            self.states.insert(key, Arc::new(told(saved)));
        }
    }

    /// Takes in what has become of the states.
    pub(super) fn take(&mut self, changes: Changes) -> Changed {
        let Changes { revision, is_whole, states, ended } = changes;
        self.revision = Some(revision);
        if is_whole {
            self.states.clear();
        }
        let mut changed = ended;
        for key in &changed {
            self.states.remove(key);
        }
        for (key, saved) in states {
            if !is_whole {
                changed.push(key.clone());
            }
            self.states.insert(key, Arc::new(told(saved)));
        }
        if is_whole { Changed::Any } else { Changed::These(changed) }
    }
}

/// What is known of a target that another replica asks: that it answered is all that is known of its being
/// asked.
fn told(saved: SavedState) -> TargetState {
    let SavedState { resources, details, created_at, modified_at, last_success } = saved;
    TargetState {
        resources,
        details,
        created_at,
        modified_at,
        last_attempt: last_success,
        last_success,
        ..TargetState::default()
    }
}
