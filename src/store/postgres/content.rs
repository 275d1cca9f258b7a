//! What several batches are to write, as if they were one.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;

use crate::model::Event;
use crate::store::{Batch, SavedState, Silence, TargetKey};

/// The rows of some batches, none of them twice: a statement cannot touch a row of the database twice. Each
/// batch is of other targets, and of what is there twice nevertheless the last counts.
pub(super) struct Content<'b> {
    pub(super) ended: Vec<&'b TargetKey>,
    pub(super) states: Vec<(&'b TargetKey, &'b SavedState)>,
    pub(super) answered: Vec<(&'b TargetKey, Timestamp)>,
    /// In the order of the batches.
    pub(super) events: Vec<&'b Event>,
    /// By the target and the last answer before it, with the first answer after it.
    pub(super) silences: Vec<((&'b TargetKey, Timestamp), Timestamp)>,
    pub(super) gates: Vec<(&'b str, Option<Timestamp>)>,
}

impl Batch {
    /// About how many rows it is.
    pub(super) fn rows(&self) -> u32 {
        let Self { states, events, answered, silences, ended, gates, claim: _ } = self;
        // A target has up to three resources.
        let rows =
            4 * states.len() + events.len() + answered.len() + silences.len() + ended.len() + gates.len();
        u32::try_from(rows).unwrap_or(u32::MAX)
    }
}

impl<'b> Content<'b> {
    pub(super) fn of(batches: &[&'b Batch]) -> Self {
        let ended: BTreeSet<_> = batches.iter().flat_map(|batch| &batch.ended).collect();
        let states: BTreeMap<_, _> =
            batches.iter().flat_map(|batch| &batch.states).map(|(key, state)| (key, state)).collect();
        let mut answered = BTreeMap::new();
        for (key, at) in batches.iter().flat_map(|batch| &batch.answered) {
            let latest = answered.entry(key).or_insert(*at);
            *latest = (*latest).max(*at);
        }
        let mut seen = HashSet::new();
        let events = batches.iter().flat_map(|batch| &batch.events).filter(|event| seen.insert(event.id));
        let mut silences = BTreeMap::new();
        for Silence { target, from, until } in batches.iter().flat_map(|batch| &batch.silences) {
            let end = silences.entry((target, *from)).or_insert(*until);
            *end = (*end).max(*until);
        }
        let gates: BTreeMap<_, _> =
            batches.iter().flat_map(|batch| &batch.gates).map(|(scope, until)| (&**scope, *until)).collect();
        Self {
            ended: ended.into_iter().collect(),
            states: states.into_iter().collect(),
            answered: answered.into_iter().collect(),
            events: events.collect(),
            silences: silences.into_iter().collect(),
            gates: gates.into_iter().collect(),
        }
    }
}
