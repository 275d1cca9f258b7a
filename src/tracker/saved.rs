//! What the store keeps of a target, and what a restart makes of it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Snapshot, TargetState};
use crate::store::{SavedState, TargetKey};

/// What is kept of a target.
pub(super) fn saved(state: &TargetState) -> SavedState {
    SavedState {
        resources: state.resources.clone(),
        details: state.details.clone(),
        created_at: state.created_at,
        modified_at: state.modified_at,
        last_success: state.last_success,
    }
}

/// Puts what was kept into a snapshot that knows nothing yet, and tells of how many targets it was. What
/// is kept of targets that are no longer watched stays in the store.
pub fn restore(snapshot: &mut Snapshot, kept: impl IntoIterator<Item = (TargetKey, SavedState)>) -> usize {
    let fleet = Arc::clone(&snapshot.fleet);
    let places: HashMap<TargetKey, usize> = fleet.targets.iter().map(TargetKey::from).zip(0..).collect();
    let mut restored = 0;
    for (key, saved) in kept {
        if let Some(&place) = places.get(&key) {
            let state = TargetState::restored(saved.resources, saved.last_success);
            let SavedState { details, created_at, modified_at, .. } = saved;
            snapshot.targets[place] = Arc::new(TargetState { details, created_at, modified_at, ..state });
            restored += 1;
        }
    }
    restored
}
