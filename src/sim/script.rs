//! A value that changes at known times after the start.

use std::time::Duration;

use jiff::SignedDuration;

/// What something is over time: a first state, and from given offsets on another.
#[derive(Clone, Debug, PartialEq)]
pub struct Script<T> {
    /// Sorted by offset from the start; the first entry is at zero, so every time has a state.
    entries: Vec<(Duration, T)>,
    /// How long the first state had held when the simulation started.
    age: Duration,
}

impl<T> Script<T> {
    /// A state that holds from the start on.
    pub fn new(first: T) -> Self {
        Self { entries: vec![(Duration::ZERO, first)], age: Duration::ZERO }
    }

    /// The first state had held for so long already when the simulation started.
    #[must_use]
    pub fn held_for(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Another state from an offset on.
    ///
    /// # Panics
    /// If the offset is before one already given: a script reads in the order of time.
    #[must_use]
    pub fn then(mut self, offset: Duration, state: T) -> Self {
        let last = self.entries[self.entries.len() - 1].0;
        assert!(offset >= last, "a script is written in the order of time: {offset:?} comes before {last:?}");
        self.entries.push((offset, state));
        self
    }

    /// The state at an offset.
    pub(super) fn at(&self, offset: Duration) -> &T {
        &self.entries[self.index_at(offset)].1
    }

    /// From now on another state, whatever the script had in store.
    pub(super) fn set(&mut self, now: Duration, state: T) {
        self.entries.retain(|(offset, _)| *offset <= now);
        self.entries.push((now, state));
    }

    /// Each state that holds within a period, with how long it does.
    pub(super) fn spans(&self, from: Duration, to: Duration) -> impl Iterator<Item = (Duration, &T)> {
        let ends = self.entries.iter().skip(1).map(|(offset, _)| *offset).chain([Duration::MAX]);
        self.entries.iter().zip(ends).filter_map(move |((begin, state), end)| {
            let span = end.min(to).checked_sub((*begin).max(from))?;
            (!span.is_zero()).then_some((span, state))
        })
    }

    /// Each state until now, with the offset from which on it held.
    pub(super) fn until(&self, now: Duration) -> impl Iterator<Item = (Duration, &T)> {
        self.entries.iter().map(|(begin, state)| (*begin, state)).take_while(move |(begin, _)| *begin <= now)
    }

    fn index_at(&self, offset: Duration) -> usize {
        self.entries.partition_point(|(begin, _)| *begin <= offset).max(1) - 1
    }

    /// When an entry began, from the start of the simulation; the first one before it.
    fn began(&self, index: usize) -> SignedDuration {
        let signed = |duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        if index == 0 { -signed(self.age) } else { signed(self.entries[index].0) }
    }
}

/// A thing that exists, and since when; offsets from the start of the simulation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Existing<'a, T> {
    pub(super) state: &'a T,
    pub(super) created: SignedDuration,
    pub(super) modified: SignedDuration,
}

impl<T> Script<Option<T>> {
    /// What exists at an offset: created when it last came to be, modified when it last changed.
    pub(super) fn existing_at(&self, offset: Duration) -> Option<Existing<'_, T>> {
        let current = self.index_at(offset);
        let state = self.entries[current].1.as_ref()?;
        let absent = self.entries[..current].iter().rposition(|(_, state)| state.is_none());
        let created = absent.map_or(0, |index| index + 1);
        Some(Existing { state, created: self.began(created), modified: self.began(current) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn each_state_holds_from_its_offset_on() {
        let script = Script::new('a').then(secs(5), 'b').then(secs(5), 'c').then(secs(9), 'd');
        let states: String = [0, 4, 5, 8, 9, 99].map(|at| *script.at(secs(at))).iter().collect();
        assert_eq!(states, "aaccdd");
    }

    #[test]
    fn a_state_that_is_set_replaces_what_was_to_come() {
        let mut script = Script::new('a').then(secs(5), 'b').then(secs(9), 'c');
        script.set(secs(6), 'x');
        let states: String = [4, 5, 6, 99].map(|at| *script.at(secs(at))).iter().collect();
        assert_eq!(states, "abxx");
    }

    #[test]
    fn spans_cover_the_period_once() {
        let script = Script::new('a').then(secs(5), 'b').then(secs(9), 'c');
        let spans: Vec<_> = script.spans(secs(3), secs(12)).map(|(span, state)| (span, *state)).collect();
        assert_eq!(spans, [(secs(2), 'a'), (secs(4), 'b'), (secs(3), 'c')]);
        assert_eq!(script.spans(secs(7), secs(6)).count(), 0);
    }

    #[test]
    fn creation_is_the_last_coming_into_being_and_modification_the_last_change() {
        let script = Script::new(Some(1))
            .held_for(secs(100))
            .then(secs(5), Some(2))
            .then(secs(6), None)
            .then(secs(7), Some(3))
            .then(secs(8), Some(3));
        let times =
            |at| script.existing_at(secs(at)).map(|now| (now.created.as_secs(), now.modified.as_secs()));
        assert_eq!(
            [0, 5, 6, 7, 8].map(times),
            [Some((-100, -100)), Some((-100, 5)), None, Some((7, 7)), Some((7, 8))]
        );
    }
}
