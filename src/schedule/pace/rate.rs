//! The rate that a quota allows, learnt from what it accepts and when it throttles.
//!
//! AWS does not tell how much of a quota is left. What can be known is when it throttles and how much
//! went through before. A throttle sets a ceiling at what was accepted, and the rate falls just under
//! it; from there it comes back along a cubic curve: fast to the ceiling, flat there, then ever faster
//! beyond, as in RFC 9438 (CUBIC). That one is made for congestion windows; ours is for token buckets,
//! where every token counts, so its constants are its own: a random search found them in the simulation
//! beside this file, which weighed waste against throttles under a steady quota and under one that drops
//! to a third for a minute.

use std::time::Duration;

use tokio::time::Instant;

/// What the rate falls to, as a share of the ceiling. The bucket's burst saves what is not used.
const FALL: f64 = 0.95;

/// What each further throttle in a row leaves of ceiling and rate.
const DEEPER: f64 = 0.435;

/// The least that throttles in a row leave of the usual ceiling. In an outage it is the growing delay
/// that protects AWS; the rate only has to find back afterwards.
const DEEPEST: f64 = 0.1;

/// The least that a first throttle leaves of the ceiling. That few calls were accepted may only mean that
/// few were made.
const STEEPEST: f64 = 0.59;

/// One call a minute, in requests per second: below that the delay is what counts.
const LOWEST: f64 = 1.0 / 60.0;

/// Seconds until the rate is back at a ceiling that is as high as usual.
const PLATEAU_MAX: f64 = 43.0;

/// Seconds until it is back at one that is hardly believed: a quota that dropped may come back soon.
const PLATEAU_MIN: f64 = 6.1;

/// How much sooner a doubtful ceiling is tried: the power of its share of the highest rate believed in.
const DOUBT: f64 = 2.5;

/// How fast the rate grows beyond the ceiling: by this share of the usual ceiling in as much time as it
/// took to come back.
const BEYOND: f64 = 0.85;

/// Seconds in which the memory of a higher ceiling fades to about a third.
const MEMORY: f64 = 257.0;

/// How far the count between two throttles may be off, in calls: the bucket held less than one token at
/// both, and a call may come a moment too early.
const ERROR: f64 = 1.9;

/// Where the new ceiling lies between the accepted and the allowed rate, as a power of their ratio, when
/// more was accepted than the old one could explain. The old ceiling held the accepted rate down, and the
/// allowed one has gone beyond the quota.
const RISE: f64 = 0.52;

/// Seconds in which too little is accepted, and too much of a burst, to tell what is usual.
const SHORT: f64 = 3.0;

/// The allowed rate of one quota scope, in requests per second.
#[derive(Debug)]
pub(super) struct Rate {
    limit: f64,
    began: Instant,
    meter: Meter,
    /// Until the first throttle the limit is all that is known. Most scopes never see one.
    learnt: Option<Box<Learnt>>,
}

/// What throttles have taught.
#[derive(Debug)]
struct Learnt {
    /// Where the curve starts; the rate itself while the gate is closed.
    start: f64,
    ceiling: f64,
    /// The highest ceiling of late, fading; 0 when none is known.
    usual: f64,
    /// Seconds from the start of the curve to the ceiling.
    plateau: f64,
    /// When the rate set out along the curve.
    since: Option<Instant>,
    fell_at: Instant,
}

impl Rate {
    /// A rate at its limit.
    pub(super) fn new(limit: f64, now: Instant) -> Self {
        Self { limit, began: now, meter: Meter::new(now), learnt: None }
    }

    /// Another limit. What was learnt is kept, for the limit says nothing about the quota.
    pub(super) fn set_limit(&mut self, limit: f64) {
        self.limit = limit;
    }

    /// The rate now, never above the limit.
    pub(super) fn at(&self, now: Instant) -> f64 {
        self.learnt.as_ref().map_or(self.limit, |learnt| learnt.at(now).min(self.limit))
    }

    /// A call was accepted.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.meter.count(now);
    }

    /// The first throttle after successes: the ceiling becomes what was accepted, and the rate falls
    /// under it until it resumes.
    pub(super) fn fall(&mut self, now: Instant) {
        let (rate, lowest) = (self.at(now), self.lowest());
        let (calls, secs) = self.meter.read(now);
        let accepted = calls / secs;
        self.meter = Meter::new(now);
        let learnt = self.learnt();
        let surplus = (accepted - learnt.ceiling) * secs;
        let ceiling = if surplus.abs() < ERROR && secs > SHORT {
            // The same ceiling, measured once more.
            f64::midpoint(accepted, learnt.ceiling)
        } else if surplus > 0.0 {
            accepted.powf(1.0 - RISE) * rate.powf(RISE)
        } else {
            accepted.max(learnt.ceiling * STEEPEST)
        };
        learnt.ceiling = ceiling.min(rate).max(lowest);

        let fading = (-now.duration_since(learnt.fell_at).as_secs_f64() / MEMORY).exp();
        learnt.usual = learnt.ceiling + (learnt.usual - learnt.ceiling) * fading;
        if secs > SHORT {
            learnt.usual = learnt.usual.max(accepted);
        }
        learnt.plateau = learnt.plateau_below(learnt.usual.max(rate));
        learnt.start = learnt.ceiling * FALL;
        learnt.since = None;
        learnt.fell_at = now;
    }

    /// A throttle in a row: the ceiling was too high.
    pub(super) fn fall_deeper(&mut self) {
        let lowest = self.lowest();
        let learnt = self.learnt();
        learnt.ceiling = (learnt.ceiling * DEEPER).max(learnt.usual * DEEPEST).max(lowest);
        learnt.plateau = learnt.plateau.min(learnt.plateau_below(learnt.usual));
        learnt.start = learnt.ceiling * FALL;
    }

    /// The quota accepts calls again: the rate sets out along the curve.
    pub(super) fn resume(&mut self, now: Instant) {
        if let Some(learnt) = &mut self.learnt {
            learnt.since = Some(now);
        }
    }

    fn learnt(&mut self) -> &mut Learnt {
        let Self { limit, began, .. } = *self;
        let nothing = || Learnt {
            start: limit,
            ceiling: limit,
            usual: 0.0,
            plateau: PLATEAU_MAX,
            since: None,
            fell_at: began,
        };
        self.learnt.get_or_insert_with(|| Box::new(nothing()))
    }

    fn lowest(&self) -> f64 {
        LOWEST.min(self.limit)
    }
}

impl Learnt {
    /// The rate now, whatever the limit.
    fn at(&self, now: Instant) -> f64 {
        let Some(since) = self.since else { return self.start };
        let time = now.duration_since(since).as_secs_f64() / self.plateau - 1.0;
        let height =
            if time < 0.0 { self.ceiling - self.start } else { BEYOND * self.usual.max(self.ceiling) };
        self.ceiling + height * time.powi(3)
    }

    /// How long to stay under the ceiling when a rate this high was believed in.
    fn plateau_below(&self, believed: f64) -> f64 {
        let doubt = (self.ceiling / believed).min(1.0).powf(DOUBT);
        (PLATEAU_MAX * doubt).max(PLATEAU_MIN)
    }
}

/// How long calls are counted before the count becomes the earlier one. The bucket is empty at each
/// throttle, so a count from one to the next tells the quota best: two spans hold a usual cycle.
const SPAN: Duration = Duration::from_secs(33);

/// What was accepted since a throttle set the ceiling, or over the last two spans where that is longer
/// ago: two counts, so that the earlier can be forgotten.
#[derive(Debug)]
struct Meter {
    since: Instant,
    calls: u32,
    earlier_calls: u32,
    earlier_secs: f64,
}

impl Meter {
    fn new(now: Instant) -> Self {
        Self { since: now, calls: 0, earlier_calls: 0, earlier_secs: 0.0 }
    }

    fn count(&mut self, now: Instant) {
        self.calls += 1;
        let span = now.duration_since(self.since);
        if span >= SPAN {
            *self =
                Self { since: now, calls: 0, earlier_calls: self.calls, earlier_secs: span.as_secs_f64() };
        }
    }

    /// Calls, and the seconds that they took.
    fn read(&self, now: Instant) -> (f64, f64) {
        let secs = self.earlier_secs + now.duration_since(self.since).as_secs_f64();
        // A millisecond, so that a throttle in the same instant does not divide by zero.
        (f64::from(self.earlier_calls + self.calls), secs.max(1e-3))
    }
}
