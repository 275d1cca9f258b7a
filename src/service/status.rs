//! How all targets are doing, in a line.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{Health, Snapshot, TargetId};

/// How many targets there are, and of those how many are in each state that any is in, the worst first:
/// `12 targets: 1 failed, 2 pending, 9 well`.
pub(super) fn line(snapshot: &Snapshot, now: Timestamp) -> String {
    let mut counts: BTreeMap<Health, usize> = BTreeMap::new();
    for (place, state) in snapshot.targets.iter().enumerate() {
        let id = TargetId(u32::try_from(place).expect("a target's place fits its id"));
        *counts.entry(Health::of_target(state, snapshot.is_stale(id, now))).or_default() += 1;
    }
    let targets = snapshot.targets.len();
    let counts: Vec<_> =
        counts.iter().rev().map(|(health, count)| format!("{count} {}", health.word())).collect();
    match &counts[..] {
        // As of a replica to which nothing has fallen.
        [] => "0 targets".to_owned(),
        _ => format!("{targets} target{}: {}", if targets == 1 { "" } else { "s" }, counts.join(", ")),
    }
}
