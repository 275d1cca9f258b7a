//! What the store tells of those who asked before: another replica, or this program before it was started anew.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::model::{Fleet, ScopeId, TargetId};
use crate::poller::Inheritance;
use crate::schedule::{Cadence, HINT_MAX, interval};
use crate::store::{SavedState, TargetKey};

/// What tells the places in a line apart, and nothing else.
const PLACE: Duration = Duration::from_micros(1);

/// What is kept of what is new, from the store.
#[derive(Default)]
pub(super) struct Kept {
    /// The states of targets.
    pub(super) states: Vec<(TargetKey, SavedState)>,
    /// Until when nothing may be sent in quota scopes, by their names.
    pub(super) gates: BTreeMap<String, Timestamp>,
}

/// What replicas have in common: how they tell when a target is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) clock: Clock,
    pub(super) anchor: Instant,
    pub(super) start_window: Duration,
}

impl Kept {
    /// What it means for the loops. Where others may have asked until a moment ago, targets go on where they
    /// were; after a start of the only one who asks, all are asked within the start window.
    pub(super) fn inheritance(
        &self,
        fleet: &Fleet,
        new_targets: &[TargetId],
        timing: Timing,
        is_shared: bool,
    ) -> Inheritance {
        let due = if is_shared { self.due(fleet, new_targets, timing) } else { HashMap::new() };
        Inheritance { due, gates: self.gates(fleet, timing.clock) }
    }

    fn due(&self, fleet: &Fleet, new_targets: &[TargetId], timing: Timing) -> HashMap<TargetId, Instant> {
        let Timing { clock, anchor, start_window } = timing;
        let now = Instant::now();
        let states: HashMap<_, _> = self.states.iter().map(|(key, state)| (key, state)).collect();
        let mut due = HashMap::new();
        // Those that a scope asks one after another anyway, and for how long nobody has.
        let mut in_line = Vec::new();
        for &id in new_targets {
            let target = fleet.target(id);
            let Some(state) = states.get(&TargetKey::from(target)) else { continue };
            let Some(last) = state.last_success else { continue };
            let (since_last, interval) = (clock.since(last), interval(&target.polling, state.phase()));
            if since_last >= interval && fleet.scope(target.scope).targets.len() > 1 {
                in_line.push((since_last, id));
            } else {
                let cadence = Cadence::new(target, anchor);
                due.insert(id, cadence.taken_over(now, since_last, interval, start_window));
            }
        }
        // A scope that cannot keep its interval would begin its round anew at each change of hands, and never
        // come to those at its end: whoever has waited longest is first.
        in_line.sort_by_key(|&(since_last, _)| Reverse(since_last));
        let places = (0..).map(|place| now + PLACE * place);
        due.extend(in_line.into_iter().zip(places).map(|((_, id), at)| (id, at)));
        due
    }

    /// No longer than a gate of our own is ever closed, whatever the clock of another says.
    fn gates(&self, fleet: &Fleet, clock: Clock) -> HashMap<ScopeId, Instant> {
        if self.gates.is_empty() {
            return HashMap::new();
        }
        let now = Instant::now();
        let scopes = (0..).map(ScopeId).zip(&fleet.scopes);
        let gate = |(id, until): (ScopeId, &Timestamp)| (id, now + clock.until(*until).min(HINT_MAX));
        scopes.filter_map(|(id, scope)| Some((id, self.gates.get(&scope.key())?))).map(gate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::{Details, Region, Resource, ResourceReading, ResourceState, Status, Succession};

    const CONFIG: &str = "identities: {hub: {}}\npolling: {interval: 5m, pending_interval: 15s, start_window: 30s}\n\
                          accounts: [{id: '111111111111', govcloud: {identity: hub}}]\n";

    const MINUTE: Duration = Duration::from_secs(60);

    /// What comes of one target, of which was heard so long ago, in a state; and of a gate.
    fn inherited(
        ago: Duration,
        status: Status,
        gate: Duration,
        is_shared: bool,
    ) -> (Option<Duration>, Option<Duration>) {
        let (config, _) = Config::parse("config.yaml", CONFIG).unwrap();
        let fleet = config.fleet(&Region::new("us-east-1"));
        let clock = Clock::starting_at("2026-11-22T10:00:00Z".parse().unwrap());
        let (now, anchor) = (clock.now(), Instant::now());
        let target = &fleet.targets[0];
        let reading = ResourceReading::new(Resource::GovCloudAccount, status);
        let state = SavedState {
            resources: vec![ResourceState { reading, since: now }],
            details: Details::None,
            created_at: None,
            modified_at: None,
            last_success: Some(now - ago),
        };
        let gates =
            BTreeMap::from([(fleet.scope(target.scope).key(), now + gate), ("gone".into(), now + gate)]);
        let kept = Kept { states: vec![(target.into(), state)], gates };
        let timing = Timing { clock, anchor, start_window: config.start_window };
        let new = Succession::between(&Fleet::default(), &fleet, &Default::default());
        let Inheritance { due, gates } = kept.inheritance(&fleet, new.new_targets(), timing, is_shared);
        assert!(gates.len() <= 1);
        (due.get(&TargetId(0)).map(|at| *at - anchor), gates.get(&target.scope).map(|at| *at - anchor))
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_is_due_when_it_would_have_been_by_whoever_had_it() {
        let due = |ago, status| inherited(ago, status, MINUTE, true).0.unwrap();
        assert_eq!(due(MINUTE, Status::Active), 4 * MINUTE);
        assert_eq!(due(MINUTE / 6, Status::PendingActivation), MINUTE / 12);
        assert!(due(6 * MINUTE, Status::Active) <= MINUTE / 16);
        assert_eq!(
            inherited(MINUTE, Status::Active, MINUTE, false).0,
            None,
            "the only one has its start window"
        );
    }

    /// Two hundred accounts behind one identity, all of them overdue, in an order of its own.
    #[tokio::test(start_paused = true)]
    async fn whoever_has_waited_longest_in_a_scope_is_first() {
        let accounts: String = (0..200)
            .map(|number| format!(", {{id: '{:012}', govcloud: {{identity: hub}}}}", 199 - number))
            .collect();
        let (config, _) =
            Config::parse("config.yaml", &CONFIG.replace("}}]", &format!("}}}}{accounts}]"))).unwrap();
        let fleet = config.fleet(&Region::new("us-east-1"));
        let clock = Clock::starting_at("2026-11-22T10:00:00Z".parse().unwrap());
        let asked = |number: u32| clock.now() - 10 * MINUTE - Duration::from_secs(1) * (number * 37 % 200);
        let numbered = (0u32..).zip(&fleet.targets);
        let states = numbered.map(|(number, target)| {
            let state = SavedState {
                resources: Vec::new(),
                details: Details::None,
                created_at: None,
                modified_at: None,
                last_success: Some(asked(number)),
            };
            (TargetKey::from(target), state)
        });
        let kept = Kept { states: states.collect(), gates: BTreeMap::new() };
        let timing = Timing { clock, anchor: Instant::now(), start_window: config.start_window };
        let new: Vec<_> = (0..).map(TargetId).take(fleet.targets.len()).collect();
        let due = kept.inheritance(&fleet, &new, timing, true).due;
        let mut order = new;
        order.sort_by_key(|id| due[id]);
        assert!(order.is_sorted_by_key(|id| asked(id.0)), "{order:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_is_kept_but_no_clock_of_another_closes_one_for_days() {
        let gate = |until| inherited(MINUTE, Status::Active, until, false).1.unwrap();
        assert_eq!(gate(MINUTE), MINUTE);
        assert_eq!(gate(10_000 * MINUTE), HINT_MAX);
    }
}
