//! The loop that polls the targets of one quota scope.
//!
//! It knows nothing of states but how closely they want to be watched. Being throttled is a fact about
//! the scope's bucket, so the gate and the learnt rate are local to the loop, and no other scope notices.
//! A new configuration changes what the loop polls and how often, and not what it has learnt: see
//! `assignment`.

mod assignment;
mod step;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::lease::{Held, is_ours};
use crate::liveness::{Liveness, Loop, Promise};
use crate::model::{Failure, FailureReason, Pacing, Phase, Poll, Reading, Report, Scope, ScopeId, TargetId};
use crate::probe::{Asked, Prober};
use crate::schedule::{Answer, Backoff, Cadence, DueQueue, Pace, interval};

pub use self::assignment::{Assignment, Inheritance, Orders};
use self::assignment::{Dissolved, place_among};
use self::step::{Due, Ended, UnderWay, Work};

/// Calls of one scope that may be in flight at once, as seconds of its limit: as many as answers that
/// take the usual timeout keep open, so that some silent targets do not hold up the others.
const IN_FLIGHT_SECONDS: f64 = 10.0;

/// The fewest and the most of them, whatever the limit.
const IN_FLIGHT: (f64, f64) = (2.0, 64.0);

/// The longest that anything can be on its way: five minutes for credentials, as much for the longest
/// timeout that can be configured, and the rest for a slot, when thousands of other targets hang.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How soon it is looked again whether a claim is certain. Most likely the scope has gone by then.
pub const UNCERTAIN: Duration = Duration::from_secs(1);

/// What all pollers share for as long as the process lives.
#[derive(Debug)]
pub struct Surroundings<P> {
    /// Who asks AWS.
    pub prober: P,
    /// Where reports go.
    pub reports: mpsc::Sender<Report>,
    /// Where the loops prove that they turn.
    pub liveness: Arc<Liveness>,
    /// What the wall time in reports is taken from.
    pub clock: Clock,
    /// The origin of every target's cadence, the same for all generations: an unchanged target keeps its
    /// place in time.
    pub anchor: Instant,
    /// What this replica holds; `None` where there is but one. A poller whose claim is not certain any more
    /// begins nothing, even before it hears that its scope has gone: the process may have been stopped.
    pub held: Option<watch::Receiver<Arc<Held>>>,
}

/// The loop of one quota scope.
pub struct Poller<P: Prober> {
    around: Arc<Surroundings<P>>,
    orders: watch::Receiver<Orders>,
    assignment: Arc<Assignment>,
    scope: ScopeId,
    promise: Promise,
    pace: Pace,
    due: DueQueue,
    /// How each target is doing, in the order of the scope's targets.
    courses: Vec<Course>,
    /// Targets that are not due yet because somebody else may still be asking about them.
    newcomers: Vec<TargetId>,
    under_way: UnderWay<P::Session>,
    calls: usize,
    most_steps: usize,
    /// Whether a target that has its answer is not asked again.
    asks_once: bool,
    random: fastrand::Rng,
}

/// Why a poller has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Nobody gives it orders any more. Who it was.
    Stopped(Loop),
    /// Its scope is not in the configuration any more.
    Dissolved,
}

/// What the scheduling of one target needs to remember.
#[derive(Default)]
struct Course {
    phase: Phase,
    /// There only while the target fails: most never do.
    backoff: Option<Box<Backoff>>,
}

impl<P: Prober> Poller<P> {
    /// A poller for a scope of the orders of now, which are settled: every target is due within the start
    /// window.
    pub fn new(
        around: Arc<Surroundings<P>>,
        mut orders: watch::Receiver<Orders>,
        scope: ScopeId,
        seed: u64,
    ) -> Self {
        let assignment = Arc::clone(&orders.borrow_and_update().assignment);
        let Scope { limit, targets, service, region, caller, .. } = assignment.fleet.scope(scope);
        let now = Instant::now();
        let mut due = DueQueue::with_capacity(targets.len());
        for &target in targets {
            due.push(target, assignment.first_turn(target, around.anchor, now));
        }
        let who = Loop::Poller { service: *service, region: region.clone(), caller: caller.clone() };
        Self {
            promise: around.liveness.promise(who),
            pace: assignment.pace(scope, now, seed),
            due,
            courses: targets.iter().map(|_| Course::default()).collect(),
            newcomers: Vec::new(),
            under_way: UnderWay::default(),
            calls: 0,
            most_steps: most_steps(*limit),
            asks_once: false,
            random: fastrand::Rng::with_seed(seed),
            scope,
            assignment,
            orders,
            around,
        }
    }

    /// The same poller, who asks for each target until the answer is [conclusive](is_conclusive), and then
    /// no more.
    #[must_use]
    pub fn asking_once(self) -> Self {
        Self { asks_once: true, ..self }
    }

    /// Polls until its scope is gone, or nobody can give orders any more; then a call in flight still ends,
    /// or times out.
    #[expect(clippy::manual_async_fn, reason = "an async fn keeps room for its arguments twice")]
    pub fn run(mut self) -> impl Future<Output = Finish> + Send {
        async move {
            loop {
                let next = self.next_turn();
                self.promise(next);
                let room = tokio::select! {
                    // What has come to its end comes before what is next: an answer may close the gate.
                    biased;
                    changed = self.orders.changed() => match changed.map(|()| self.obey()) {
                        Ok(Ok(())) => None,
                        Ok(Err(Dissolved)) => return Finish::Dissolved,
                        Err(_) => break,
                    },
                    Some(step) = self.under_way.next() => self.go_on(step),
                    () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                        self.turn();
                        None
                    }
                };
                if let Some(room) = room {
                    room.await;
                }
            }
            while self.calls > 0 {
                let room = match self.under_way.next().await {
                    Some(step @ Ended::Answered(..)) => self.go_on(step),
                    Some(Ended::SignedIn(..)) => None,
                    None => break,
                };
                if let Some(room) = room {
                    room.await;
                }
            }
            Finish::Stopped(self.promise.who().clone())
        }
    }

    /// When the next step may be begun; `None` while only the end of another can bring it nearer.
    fn next_turn(&self) -> Option<Instant> {
        let paced = self.pace.next_call(Instant::now())?;
        if self.under_way.is_anybody_ready() {
            return Some(paced);
        }
        if self.under_way.steps() >= self.most_steps {
            return None;
        }
        Some(self.due.peek()?.max(paced))
    }

    /// Calls for who has signed in, or lets the next target sign in.
    fn turn(&mut self) {
        let now = Instant::now();
        let around = Arc::clone(&self.around);
        let claim = self.assignment.fleet.claims.get(&self.scope);
        if !is_ours(around.held.as_ref(), claim, now) {
            self.pace.hold_until(now + UNCERTAIN);
        } else if let Some((due, session)) = self.under_way.next_ready() {
            let permit = self.pace.start(now);
            self.calls += 1;
            // Its own copy, or a call that hangs would keep a whole fleet of long ago in memory.
            let target = self.assignment.fleet.target(due.target).clone();
            let call = Box::pin(async move { around.prober.ask(&target, session).await });
            self.under_way.begin(due, Work::Calling(permit, call));
        } else if let Some((id, at)) = self.due.pop_due(now) {
            let target = self.assignment.fleet.target(id).clone();
            let work = Work::SigningIn(Box::pin(async move { around.prober.sign_in(&target).await }));
            self.under_way.begin(Due { target: id, at }, work);
        }
    }

    /// Does what follows from the end of a step, and returns what has to be waited for.
    fn go_on(&mut self, step: Ended<P::Session>) -> Option<BoxFuture<'static, ()>> {
        match step {
            Ended::SignedIn(due, Ok(session)) => {
                self.under_way.ready(due, session);
                None
            }
            Ended::SignedIn(due, Err(failure)) => {
                self.conclude(due, Asked { at: Instant::now(), outcome: Err(failure) })
            }
            Ended::Answered(due, permit, asked) => {
                self.calls -= 1;
                self.pace.finish(permit, Answer::of(&asked.outcome), Instant::now());
                self.conclude(due, asked)
            }
        }
    }

    /// Sets the target's next time, and reports.
    fn conclude(&mut self, due: Due, asked: Asked) -> Option<BoxFuture<'static, ()>> {
        let now = Instant::now();
        let next = self.reschedule(due.target, &asked, now);
        if !(self.asks_once && is_conclusive(&asked.outcome)) {
            self.due.push(due.target, next);
        }
        let clock = self.around.clock;
        let backoff_until = self.pace.backoff_until();
        let poll = Poll {
            target: due.target,
            attempted_at: clock.at(asked.at),
            next_poll: clock.at(backoff_until.map_or(next, |until| until.max(next))),
            lag: asked.at.saturating_duration_since(due.at),
            duration: now.saturating_duration_since(asked.at),
            outcome: asked.outcome,
        };
        let pacing = Pacing {
            allowed: self.pace.allowed(now),
            backoff_until: backoff_until.map(|until| clock.at(until)),
            throttled: self.pace.throttled(),
        };
        let generation = self.assignment.fleet.generation;
        self.report(Report::Polled { generation, poll, scope: self.scope, pacing })
    }

    /// Tells the tracker. It ends after the pollers; when it has gone, nobody is left to tell. Where there is
    /// no room now, which is seldom, the wait for it is on the heap: a hundred thousand pollers that sleep
    /// would each have a place for it.
    fn report(&self, report: Report) -> Option<BoxFuture<'static, ()>> {
        let Err(TrySendError::Full(report)) = self.around.reports.try_send(report) else { return None };
        let around = Arc::clone(&self.around);
        Some(Box::pin(async move {
            let _ = around.reports.send(report).await;
        }))
    }

    /// When the target is asked again.
    fn reschedule(&mut self, target: TargetId, asked: &Asked, now: Instant) -> Instant {
        let fleet = &self.assignment.fleet;
        let config = fleet.target(target);
        let course = &mut self.courses[place_among(&fleet.scope(self.scope).targets, target)];
        let cadence = Cadence::new(config, self.around.anchor);
        match &asked.outcome {
            Ok(reading) => {
                course.phase = reading.phase();
                course.backoff = None;
                cadence.next(now, interval(&config.polling, course.phase))
            }
            Err(failure) => {
                let interval = interval(&config.polling, course.phase);
                cadence.after_failure(failure, &mut course.backoff, now, interval, &mut self.random)
            }
        }
    }

    fn promise(&self, next: Option<Instant>) {
        match next {
            Some(at) => self.promise.back_by(at),
            None if self.under_way.steps() == 0 => self.promise.rests(),
            None => self.promise.back_by(Instant::now() + LONGEST_WAIT),
        }
    }
}

/// How many steps may be under way at once.
fn most_steps(limit: f64) -> usize {
    (limit * IN_FLIGHT_SECONDS).ceil().clamp(IN_FLIGHT.0, IN_FLIGHT.1) as usize
}

/// Whether asking again at once could tell no more: a throttle is no answer, and credentials for which STS
/// asks to wait may be had yet.
pub fn is_conclusive(outcome: &Result<Reading, Failure>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(failure) => match failure.reason {
            FailureReason::Throttled => false,
            FailureReason::Credentials => failure.retry_after.is_none(),
            _ => true,
        },
    }
}

#[cfg(test)]
mod tests;
