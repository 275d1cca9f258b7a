//! Who is asked next in one quota scope.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tokio::time::Instant;

use crate::model::TargetId;

/// Targets by the instant that each is due: the earliest first, and among equals the one that waits
/// longest. So a target that is put back after its poll goes behind everyone who is overdue, and none
/// starves however small the quota.
#[derive(Debug, Default)]
pub struct DueQueue {
    heap: BinaryHeap<Reverse<(Instant, u32, TargetId)>>,
    /// How many were ever pushed, modulo 2^32: 24 bytes a target instead of 32. When it wraps, the
    /// order is off once, among targets due in the same nanosecond.
    pushed: u32,
}

impl DueQueue {
    /// An empty queue with room for exactly this many targets; most scopes have one.
    pub fn with_capacity(targets: usize) -> Self {
        Self { heap: BinaryHeap::with_capacity(targets), pushed: 0 }
    }

    /// Adds a target, due at an instant.
    pub fn push(&mut self, target: TargetId, due: Instant) {
        self.heap.push(Reverse((due, self.pushed, target)));
        self.pushed = self.pushed.wrapping_add(1);
    }

    /// Gives each target another id and another time, or drops it. Among equals the order stays.
    pub fn revise(&mut self, revised: impl Fn(TargetId, Instant) -> Option<(TargetId, Instant)>) {
        let entries = std::mem::take(&mut self.heap).into_iter();
        self.heap = entries
            .filter_map(|Reverse((due, place, target))| {
                let (target, due) = revised(target, due)?;
                Some(Reverse((due, place, target)))
            })
            .collect();
    }

    /// When the first target is due; `None` if there is none.
    pub fn peek(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((due, ..))| *due)
    }

    /// Takes the first target out, if it is due by now, with the instant that it was due.
    pub fn pop_due(&mut self, now: Instant) -> Option<(TargetId, Instant)> {
        if self.peek()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((due, _, target))| (target, due))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_come_out_when_due_the_earliest_first_and_equals_in_order(
            dues in prop::collection::vec(0u64..20, 0..50),
            now in 0u64..20,
        ) {
            let base = Instant::now();
            let at = |secs| base + Duration::from_secs(secs);
            let mut queue = DueQueue::default();
            for (id, &due) in (0..).zip(&dues) {
                queue.push(TargetId(id), at(due));
            }
            prop_assert_eq!(queue.peek(), dues.iter().min().map(|&due| at(due)));
            let mut expected: Vec<_> =
                (0..).zip(&dues).filter(|&(_, &due)| due <= now).map(|(id, &due)| (TargetId(id), at(due))).collect();
            expected.sort_by_key(|&(_, due)| due);
            let popped: Vec<_> = std::iter::from_fn(|| queue.pop_due(at(now))).collect();
            prop_assert_eq!(popped, expected);
            prop_assert!(queue.peek().is_none_or(|due| due > at(now)));
        }

        #[test]
        fn revising_keeps_the_order_of_equals(dues in prop::collection::vec(0u64..5, 0..40)) {
            let base = Instant::now();
            let at = |secs| base + Duration::from_secs(secs);
            let mut queue = DueQueue::default();
            for (id, &due) in (0..).zip(&dues) {
                queue.push(TargetId(id), at(due));
            }
            // Every third is gone, the others have moved, and those of one second come a second sooner.
            queue.revise(|TargetId(id), due| {
                let due = if due == at(3) { at(2) } else { due };
                (id % 3 > 0).then_some((TargetId(id + 100), due))
            });
            let stayed = (0..).zip(&dues).filter(|(id, _)| id % 3 > 0);
            let mut expected: Vec<_> =
                stayed.map(|(id, &due)| (TargetId(id + 100), at(if due == 3 { 2 } else { due }))).collect();
            expected.sort_by_key(|&(_, due)| due);
            let popped: Vec<_> = std::iter::from_fn(|| queue.pop_due(at(9))).collect();
            prop_assert_eq!(popped, expected);
        }

        /// Ten times as much is wanted as can be asked, and some want to be asked again at once.
        #[test]
        fn none_starves_when_more_is_wanted_than_the_rate_allows(
            hasty in prop::collection::vec(any::<bool>(), 2..40),
        ) {
            let base = Instant::now();
            let mut queue = DueQueue::with_capacity(hasty.len());
            for (id, _) in (0..).zip(&hasty) {
                queue.push(TargetId(id), base);
            }
            let interval = Duration::from_millis(hasty.len() as u64 * 100);
            let rounds = 5;
            let mut asked = vec![0; hasty.len()];
            for call in 0..hasty.len() * rounds {
                let now = base + Duration::from_secs(call as u64);
                let (target, _) = queue.pop_due(now).expect("more is due than can be asked");
                let index = target.0 as usize;
                asked[index] += 1;
                queue.push(target, if hasty[index] { now } else { now + interval });
            }
            prop_assert!(asked.iter().all(|&count| count >= rounds - 1), "{asked:?}");
        }
    }
}
