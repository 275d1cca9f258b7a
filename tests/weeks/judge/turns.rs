//! Who was asked, and when: rates, gates, and that nobody is forgotten.
//!
//! - **Rate.** In any span of time a scope makes no more calls than its limit allows, and two. A process
//!   that begins and a limit that changes may add one.
//! - **Gate.** After a throttle nothing is called in the scope before what AWS asked for, an hour at most,
//!   and before regwatch's own least delay: 250 ms, doubled with each throttle in a row up to 250 s, less
//!   20 % of jitter. Then one call tries, and nothing else is called before it is let through.
//! - **Turns.** A target is due an interval after its answer at the latest, by the state that it told; at
//!   once after a throttle; within the start window when it is new. From then on no other target of its
//!   scope gets a second turn before it has its own; and as long as anybody waits in a scope, it makes its
//!   calls: with as little as a gap between them at its limit, or at the least rate that is ever learnt
//!   where AWS has throttled within the last 20 minutes. So who is late is late for its scope's sake alone.
//! - Nobody is asked by two at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use regwatch::model::Reading;

use super::super::journal::{Ending, Entry, Journal, Scope, Target, Watched};
use super::super::settings::{MINUTE, Ms, SECOND, Times};
use super::gate::Gate;

/// The calls that a scope may be ahead of its limit.
const BURST: f64 = 2.0;

/// How late anything may be: timers tick in milliseconds.
const SLACK: Ms = 20;

/// After so long without a throttle the rate is back at its limit, whatever was learnt.
const LEARNT: Ms = 20 * MINUTE;

/// The longest gap between two calls at a rate that was learnt, if the limit's own is not longer.
const LEARNT_GAP: Ms = 64 * SECOND;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Doing {
    /// Nothing, and it is due by then.
    Waiting(Ms),
    SigningIn,
    Signed,
    /// How often the gate had closed when it was called for.
    Called(u32),
}

struct Course {
    scope: Scope,
    times: Times,
    doing: Doing,
    /// What it last told, by its place in the target's story.
    told: Option<usize>,
}

#[derive(Default)]
struct Lane {
    limit: f64,
    /// The lowest that it has been since the last call.
    least: f64,
    tokens: f64,
    counted_at: Ms,
    gate: Gate,
    targets: usize,
    /// Signing in, or called.
    under_way: usize,
    signed: usize,
    due: BTreeSet<(Ms, Target)>,
    /// Of this configuration.
    turns: Vec<Ms>,
    /// When anything last happened.
    stirred: Ms,
}

struct Judge<'a> {
    readings: &'a dyn Fn(Target, usize) -> Reading,
    courses: HashMap<Target, Course>,
    lanes: HashMap<Scope, Lane>,
    watched: Arc<Watched>,
    is_up: bool,
    breaches: Vec<String>,
}

/// What is wrong with who was asked when.
pub(crate) fn turns(journal: &Journal, readings: &dyn Fn(Target, usize) -> Reading) -> Vec<String> {
    let mut judge = Judge {
        readings,
        courses: HashMap::new(),
        lanes: HashMap::new(),
        watched: Arc::default(),
        is_up: false,
        breaches: Vec::new(),
    };
    for (now, entry) in &journal.entries {
        judge.take(*now, entry);
    }
    judge.breaches
}

impl Judge<'_> {
    fn take(&mut self, now: Ms, entry: &Entry) {
        match *entry {
            Entry::Begun(ref watched) => {
                self.courses.clear();
                for lane in self.lanes.values_mut() {
                    *lane = Lane { tokens: lane.tokens, counted_at: lane.counted_at, ..Lane::default() };
                }
                self.watched = Arc::default();
                self.is_up = true;
                self.adopt(now, watched);
            }
            Entry::Reloaded(ref watched) => self.adopt(now, watched),
            Entry::Stopping | Entry::Ended { .. } => {
                if std::mem::replace(&mut self.is_up, false) {
                    self.look_everywhere(now);
                }
            }
            Entry::Turn(target, scope) => self.turn(now, target, scope),
            Entry::Ready(target, scope) => {
                self.look(now, scope);
                self.set(target, scope, Doing::Signed);
            }
            Entry::TurnedAway(target, scope, _) => self.conclude(now, target, scope, None),
            Entry::Called(target, scope) => self.call(now, target, scope),
            Entry::Answered(target, scope, ending, _) => {
                self.look(now, scope);
                self.finish(now, target, scope, ending);
                self.conclude(now, target, scope, Some(ending));
            }
            Entry::Dropped(target, scope) => {
                self.look(now, scope);
                if self.courses.get(&target).is_some_and(|course| course.scope == scope) {
                    self.finish(now, target, scope, Ending::Lost);
                    self.set(target, scope, Doing::Waiting(now));
                }
            }
        }
    }

    fn breach(&mut self, now: Ms, text: impl FnOnce() -> String) {
        if self.breaches.len() < 20 {
            self.breaches.push(format!("at {now} ms: {}", text()));
        }
    }

    fn adopt(&mut self, now: Ms, next: &Arc<Watched>) {
        if self.is_up {
            self.look_everywhere(now);
        }
        let before = std::mem::replace(&mut self.watched, Arc::clone(next));
        // Who has gone, and who has moved, is let go of.
        let gone: Vec<_> = self
            .courses
            .iter()
            .filter(|(target, course)| {
                next.targets.get(target).is_none_or(|(scope, _)| *scope != course.scope)
            })
            .map(|(target, course)| (*target, course.scope))
            .collect();
        for (target, scope) in gone {
            self.finish(now, target, scope, Ending::Lost);
            self.set(target, scope, Doing::Waiting(now));
            self.lane(scope).due.remove(&(now, target));
            self.lane(scope).targets -= 1;
            self.courses.remove(&target);
        }
        for (&scope, &limit) in &next.limits {
            let is_new = !before.limits.contains_key(&scope);
            let lane =
                self.lanes.entry(scope).or_insert_with(|| Lane { tokens: BURST - 1.0, ..Lane::default() });
            if is_new {
                *lane = Lane {
                    tokens: lane.tokens,
                    counted_at: lane.counted_at,
                    least: limit,
                    ..Lane::default()
                };
            }
            lane.count(now);
            if is_new || lane.limit != limit {
                lane.tokens += 1.0;
            }
            lane.least = lane.least.min(limit);
            lane.limit = limit;
            lane.stirred = now;
            lane.turns.clear();
        }
        for (&target, &(scope, times)) in &next.targets {
            let Some(course) = self.courses.get_mut(&target) else {
                let due = now + next.start_window;
                let course = Course { scope, times, doing: Doing::Waiting(due), told: None };
                self.courses.insert(target, course);
                let lane = self.lane(scope);
                lane.due.insert((due, target));
                lane.targets += 1;
                continue;
            };
            let was = std::mem::replace(&mut course.times, times);
            let (told, doing) = (course.told, course.doing);
            let interval = times.after(told.map(|stage| (self.readings)(target, stage)).as_ref());
            match doing {
                Doing::Waiting(due) if was != times => {
                    self.set(target, scope, Doing::Waiting(due.min(now + interval)));
                }
                // Who has signed in may have to do so again.
                Doing::Signed => self.set(target, scope, Doing::Waiting(now)),
                _ => {}
            }
        }
    }

    fn lane(&mut self, scope: Scope) -> &mut Lane {
        self.lanes.entry(scope).or_default()
    }

    /// Has a target do something else, and its scope know.
    fn set(&mut self, target: Target, scope: Scope, doing: Doing) {
        let Some(course) = self.courses.get_mut(&target) else { return };
        let was = std::mem::replace(&mut course.doing, doing);
        let lane = self.lanes.entry(scope).or_default();
        match was {
            Doing::Waiting(due) => drop(lane.due.remove(&(due, target))),
            Doing::Signed => lane.signed -= 1,
            Doing::SigningIn | Doing::Called(_) => lane.under_way -= 1,
        }
        match doing {
            Doing::Waiting(due) => drop(lane.due.insert((due, target))),
            Doing::Signed => lane.signed += 1,
            Doing::SigningIn | Doing::Called(_) => lane.under_way += 1,
        }
    }

    fn turn(&mut self, now: Ms, target: Target, scope: Scope) {
        self.look(now, scope);
        match self.courses.get(&target).map(|course| (course.scope, course.doing)) {
            Some((of, Doing::Waiting(due))) if of == scope => {
                let lane = self.lane(scope);
                let turns = lane.turns.len() - lane.turns.partition_point(|at| *at <= due);
                let others = lane.targets;
                if turns > others {
                    self.breach(now, || {
                        format!("target {target}, due by {due}, had to wait for {turns} turns of {others} in scope {scope}")
                    });
                }
            }
            course => self.breach(now, || {
                format!("target {target} of scope {scope} has a turn, while it is {course:?}")
            }),
        }
        self.lane(scope).turns.push(now);
        self.set(target, scope, Doing::SigningIn);
    }

    fn call(&mut self, now: Ms, target: Target, scope: Scope) {
        self.look(now, scope);
        let doing = self.courses.get(&target).map(|course| course.doing);
        if !matches!(doing, Some(Doing::Signed | Doing::Waiting(_))) {
            self.breach(now, || format!("target {target} is called for, while it is {doing:?}"));
        }
        let lane = self.lane(scope);
        lane.count(now);
        lane.tokens -= 1.0;
        lane.least = lane.limit;
        let (tokens, limit) = (lane.tokens, lane.limit);
        let Gate { is_closed, trial, opens: (opens, _), .. } = lane.gate;
        let closings = lane.gate.call(target);
        if tokens < -1e-6 {
            self.breach(now, || format!("scope {scope} makes more calls than {limit} a second: {tokens}"));
        }
        if is_closed && (trial.is_some() || now < opens) {
            self.breach(now, || {
                format!(
                    "scope {scope} calls behind a gate that is closed until {opens}, while {trial:?} tries"
                )
            });
        }
        self.set(target, scope, Doing::Called(closings));
    }

    /// What the gate learns from a call's end.
    fn finish(&mut self, now: Ms, target: Target, scope: Scope, ending: Ending) {
        let Some(&Course { doing: Doing::Called(closings), .. }) = self.courses.get(&target) else { return };
        self.lane(scope).gate.finish(now, target, closings, ending);
    }

    /// When a target is due again.
    fn conclude(&mut self, now: Ms, target: Target, scope: Scope, ending: Option<Ending>) {
        self.look(now, scope);
        let Some(course) = self.courses.get_mut(&target).filter(|course| course.scope == scope) else {
            return;
        };
        if let Some(Ending::Told(stage)) = ending {
            course.told = Some(stage);
        }
        let told = course.told.map(|stage| (self.readings)(target, stage));
        let wait = match ending {
            Some(Ending::Throttled(_)) => 0,
            _ => course.times.after(told.as_ref()),
        };
        self.set(target, scope, Doing::Waiting(now + wait));
    }

    fn look_everywhere(&mut self, now: Ms) {
        let scopes: Vec<_> = self.watched.limits.keys().copied().collect();
        for scope in scopes {
            self.look(now, scope);
        }
    }

    /// Nothing has happened in a scope for a while, and now something does: whether it should have sooner.
    fn look(&mut self, now: Ms, scope: Scope) {
        let is_up = self.is_up || !self.watched.limits.contains_key(&scope);
        let lane = self.lane(scope);
        let since = std::mem::replace(&mut lane.stirred, now);
        let slots = (lane.limit * 10.0).ceil().clamp(2.0, 64.0) as usize;
        let wanted = match lane.due.first() {
            _ if lane.signed > 0 => Some(since),
            Some((due, _)) if lane.under_way < slots => Some(*due),
            _ => None,
        };
        let Some(wanted) = wanted.filter(|_| lane.gate.trial.is_none() && is_up) else { return };
        let mut from = since.max(wanted);
        if lane.gate.is_closed {
            from = from.max(lane.gate.opens.1);
        }
        let own_gap = (1000.0 / lane.least).ceil() as Ms;
        let is_calm = !lane.gate.is_closed && lane.gate.opened_at.is_none_or(|at| since >= at + LEARNT);
        let gap = if is_calm { own_gap } else { LEARNT_GAP.max(own_gap * 106 / 100) };
        if now > from + gap + SLACK {
            let first = lane.due.first().copied();
            self.breach(now, || {
                format!("scope {scope} has been idle since {from}, beyond its gap of {gap}: {first:?} is due")
            });
        }
    }
}

impl Lane {
    /// Refills the tokens.
    fn count(&mut self, now: Ms) {
        let gained = (now - self.counted_at) as f64 / 1000.0 * self.limit;
        self.counted_at = now;
        self.tokens = self.tokens.max((self.tokens + gained).min(BURST));
    }
}
