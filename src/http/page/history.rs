//! What was known of a target over time, from its events, its silences, and what is known now.

use jiff::{SignedDuration, Timestamp};

use super::health::Health;
use crate::model::TargetState;
use crate::store::{Silence, Step};

/// For how long a target was doing how. Where nothing was known there is no span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) health: Health,
}

impl Span {
    /// How long it lasted.
    pub(super) fn duration(&self) -> SignedDuration {
        self.until.duration_since(self.from)
    }

    /// The part of it that is in a window; `None` if none is.
    pub(super) fn within(self, from: Timestamp, until: Timestamp) -> Option<Self> {
        let part = Self { from: self.from.max(from), until: self.until.min(until), ..self };
        (part.from < part.until).then_some(part)
    }
}

/// What was known of a target until now, the oldest first. The steps are its own, the oldest first.
pub(super) fn spans(
    state: &TargetState,
    steps: &[&Step],
    silences: &[&Silence],
    is_stale: bool,
    now: Timestamp,
) -> Vec<Span> {
    let mut edges = Vec::new();
    for resource in &state.resources {
        for span in track(resource.since, Health::of_status(resource.reading.status), now, || {
            steps.iter().filter(|step| step.resource == resource.reading.resource).rev().copied()
        }) {
            edges.extend([(span.from, Edge::Begins(span.health)), (span.until, Edge::Ends(span.health))]);
        }
    }
    let lasting = state.last_success.filter(|_| is_stale).map(|heard| (heard, now));
    for (from, until) in silences.iter().map(|silence| (silence.from, silence.until)).chain(lasting) {
        edges.extend([(from, Edge::FallsSilent), (until, Edge::IsHeard)]);
    }
    sweep(edges)
}

/// What was known of one resource, the latest first: what is known now, and before it what each step tells
/// of the state that it led to and of the one that it led from.
fn track<'a, I: Iterator<Item = &'a Step>>(
    since: Timestamp,
    health: Health,
    now: Timestamp,
    steps: impl FnOnce() -> I,
) -> Vec<Span> {
    let mut track = vec![Span { from: since, until: now, health }];
    let mut known_from = since;
    for step in steps() {
        let before = step.from.zip(step.previous_since);
        if step.is_end {
            known_from = known_from.min(step.at);
        }
        let told = [(!step.is_end).then_some((step.to, step.at)), before];
        for (status, from) in told.into_iter().flatten() {
            if from < known_from {
                track.push(Span { from, until: known_from, health: Health::of_status(status) });
                known_from = from;
            }
        }
    }
    track
}

#[derive(Clone, Copy)]
enum Edge {
    Begins(Health),
    Ends(Health),
    FallsSilent,
    IsHeard,
}

/// The worst that was known at each time.
fn sweep(mut edges: Vec<(Timestamp, Edge)>) -> Vec<Span> {
    edges.sort_by_key(|(at, _)| *at);
    let mut spans: Vec<Span> = Vec::new();
    let mut known = [0_i32; Health::ALL.len()];
    let mut silences = 0;
    let mut last = None;
    for (at, edge) in edges {
        let worst = Health::ALL.into_iter().find(|health| known[*health as usize] > 0);
        if let (Some(from), Some(health)) = (last, worst.filter(|_| silences == 0))
            && from < at
        {
            match spans.last_mut() {
                Some(span) if span.until == from && span.health == health => span.until = at,
                _ => spans.push(Span { from, until: at, health }),
            }
        }
        match edge {
            Edge::Begins(health) => known[health as usize] += 1,
            Edge::Ends(health) => known[health as usize] -= 1,
            Edge::FallsSilent => silences += 1,
            Edge::IsHeard => silences -= 1,
        }
        last = Some(at);
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Probe, Resource, ResourceReading, ResourceState, Status};
    use crate::store::TargetKey;

    const NOW: i64 = 1_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn key() -> TargetKey {
        TargetKey { account: "111122223333".parse().unwrap(), probe: Probe::FleetWise, region: None }
    }

    fn step(resource: Resource, from: Option<(Status, i64)>, to: Status, second: i64) -> Step {
        Step {
            target: key(),
            resource,
            from: from.map(|(status, _)| status),
            to,
            previous_since: from.map(|(_, since)| at(since)),
            at: at(second),
            is_end: false,
        }
    }

    fn state(resources: &[(Resource, Status, i64)]) -> TargetState {
        let resources = resources.iter().map(|&(resource, status, since)| ResourceState {
            reading: ResourceReading::new(resource, status),
            since: at(since),
        });
        TargetState { resources: resources.collect(), last_success: Some(at(900)), ..TargetState::default() }
    }

    /// The spans as seconds and words.
    fn drawn(
        state: &TargetState,
        steps: &[Step],
        silences: &[(i64, i64)],
        is_stale: bool,
    ) -> Vec<(i64, i64, &'static str)> {
        let silence =
            |&(from, until): &(i64, i64)| Silence { target: key(), from: at(from), until: at(until) };
        let silences: Vec<_> = silences.iter().map(silence).collect();
        let (steps, silences): (Vec<_>, Vec<_>) = (steps.iter().collect(), silences.iter().collect());
        let spans = spans(state, &steps, &silences, is_stale, at(NOW));
        spans.iter().map(|s| (s.from.as_second(), s.until.as_second(), s.health.word())).collect()
    }

    use Resource::{Account, Iam};
    use Status::{
        RegistrationFailure as Failure, RegistrationPending as Pending, RegistrationSuccess as Success,
    };

    #[test]
    fn without_events_the_present_state_fills_its_time() {
        assert_eq!(drawn(&TargetState::default(), &[], &[], false), []);
        assert_eq!(drawn(&state(&[(Account, Success, 100)]), &[], &[], false), [(100, 1000, "well")]);
    }

    #[test]
    fn each_step_tells_of_what_came_before_it_too() {
        let now = state(&[(Account, Success, 500)]);
        let steps = [
            step(Account, Some((Failure, 100)), Pending, 400),
            step(Account, Some((Pending, 400)), Success, 500),
        ];
        let all = [(100, 400, "failed"), (400, 500, "pending"), (500, 1000, "well")];
        assert_eq!(drawn(&now, &steps, &[], false), all);
        // The earlier step has been pruned.
        assert_eq!(drawn(&now, &steps[1..], &[], false), all[1..]);
        // The later one is not in the store yet, or what changed was modified meanwhile.
        assert_eq!(drawn(&now, &steps[..1], &[], false), all);
        let modified = [&steps[..], &[step(Account, Some((Success, 500)), Success, 700)]].concat();
        assert_eq!(drawn(&now, &modified, &[], false), all);
        let seen = step(Account, None, Success, 500);
        assert_eq!(drawn(&now, &[seen], &[], false), [(500, 1000, "well")]);
    }

    #[test]
    fn what_ended_and_began_anew_was_unknown_in_between() {
        let now = state(&[(Account, Success, 700)]);
        let end = Step { is_end: true, ..step(Account, Some((Success, 100)), Success, 400) };
        let steps = [end, step(Account, None, Success, 700)];
        assert_eq!(drawn(&now, &steps, &[], false), [(100, 400, "well"), (700, 1000, "well")]);
    }

    #[test]
    fn the_worst_of_the_resources_counts() {
        let now = state(&[(Account, Success, 600), (Iam, Success, 300)]);
        let steps = [
            step(Iam, Some((Failure, 200)), Success, 300),
            step(Account, Some((Pending, 250)), Success, 600),
        ];
        assert_eq!(
            drawn(&now, &steps, &[], false),
            [(200, 300, "failed"), (300, 600, "pending"), (600, 1000, "well")]
        );
    }

    #[test]
    fn silences_are_gaps() {
        let now = state(&[(Account, Success, 100)]);
        let both = [(200, 300), (250, 400)];
        assert_eq!(drawn(&now, &[], &both, false), [(100, 200, "well"), (400, 1000, "well")]);
        assert_eq!(drawn(&now, &[], &[], true), [(100, 900, "well")], "since the last answer");
    }
}
