//! The STS calls that wait for their scope's pace.

use std::collections::{BTreeMap, VecDeque};

use aws_credential_types::Credentials;
use tokio::time::Instant;

use super::credentials::Key;
use crate::clock::Clock;
use crate::model::{Fleet, Pacing, ScopeId, Succession};
use crate::schedule::{Answer, Pace, Permit};

/// A call whose time has come.
pub(super) struct Turn {
    pub(super) permit: Permit,
    pub(super) key: Key,
    /// What to call with.
    pub(super) credentials: Credentials,
}

/// The lines before STS, one for each of its scopes.
pub(super) struct Lines(BTreeMap<ScopeId, Line>);

struct Line {
    pace: Pace,
    waiting: VecDeque<(Key, Credentials)>,
}

impl Line {
    fn new(limit: f64, random: &mut fastrand::Rng) -> Self {
        Self { pace: Pace::new(limit, Instant::now(), random.u64(..)), waiting: VecDeque::new() }
    }
}

impl Lines {
    /// Empty lines for the STS scopes of a fleet.
    pub(super) fn new(fleet: &Fleet, random: &mut fastrand::Rng) -> Self {
        let line = |&scope: &ScopeId| (scope, Line::new(fleet.scope(scope).limit, random));
        Self(fleet.sts_scopes.values().map(line).collect())
    }

    /// Goes over to the next fleet: what a line has learnt stays with its scope, and only calls that are
    /// still wanted stay in it.
    pub(super) fn adopt(
        &mut self,
        fleet: &Fleet,
        succession: &Succession,
        is_wanted: impl Fn(&Key) -> bool,
        random: &mut fastrand::Rng,
    ) {
        let mut before = std::mem::take(&mut self.0);
        for (old, scope) in succession.stayed_scopes() {
            if let Some(mut line) = before.remove(&old) {
                line.pace.set_limit(fleet.scope(scope).limit);
                line.waiting.retain(|(key, _)| is_wanted(key));
                self.0.insert(scope, line);
            }
        }
        for &scope in fleet.sts_scopes.values() {
            self.0.entry(scope).or_insert_with(|| Line::new(fleet.scope(scope).limit, random));
        }
    }

    /// Puts a call at the end of its line.
    pub(super) fn push(&mut self, scope: ScopeId, key: Key, credentials: Credentials) {
        self.line(scope).waiting.push_back((key, credentials));
    }

    /// When the next waiting call may be made.
    pub(super) fn next_call(&self) -> Option<Instant> {
        let now = Instant::now();
        let waiting = self.0.values().filter(|line| !line.waiting.is_empty());
        waiting.filter_map(|line| line.pace.next_call(now)).min()
    }

    /// A call whose time has come; it is to be made at once.
    pub(super) fn turn(&mut self) -> Option<Turn> {
        let now = Instant::now();
        self.0.values_mut().find_map(|line| {
            line.pace.next_call(now).filter(|at| *at <= now)?;
            let (key, credentials) = line.waiting.pop_front()?;
            Some(Turn { permit: line.pace.start(now), key, credentials })
        })
    }

    /// A call has ended. How the scope is paced after it, and until when it waits.
    pub(super) fn finish(
        &mut self,
        scope: ScopeId,
        permit: Permit,
        answer: Answer,
        clock: Clock,
    ) -> (Pacing, Option<Instant>) {
        let now = Instant::now();
        let pace = &mut self.line(scope).pace;
        pace.finish(permit, answer, now);
        let backoff_until = pace.backoff_until();
        let pacing = Pacing {
            allowed: pace.allowed(now),
            backoff_until: backoff_until.map(|until| clock.at(until)),
            throttled: pace.throttled(),
        };
        (pacing, backoff_until)
    }

    fn line(&mut self, scope: ScopeId) -> &mut Line {
        self.0.get_mut(&scope).expect("every STS scope of the fleet has a line")
    }
}
