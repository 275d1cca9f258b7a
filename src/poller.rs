//! The loop that polls the targets of one quota scope.
//!
//! It knows nothing of states but how closely they want to be watched. Being throttled is a fact about
//! the scope's bucket, so the gate and the learnt rate are local to the loop, and no other scope notices.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::liveness::Liveness;
use crate::model::{Failure, Fleet, Pacing, Phase, Poll, Report, Scope, ScopeId, TargetId};
use crate::probe::{Asked, Prober};
use crate::schedule::{Answer, Backoff, Cadence, DueQueue, Pace, Permit, interval};

/// Calls of one scope that may be in flight at once, as seconds of its limit: as many as answers that
/// take the usual timeout keep open, so that some silent targets do not hold up the others.
const IN_FLIGHT_SECONDS: f64 = 10.0;

/// The fewest and the most of them, whatever the limit.
const IN_FLIGHT: (f64, f64) = (2.0, 64.0);

/// The longest that anything can be on its way: five minutes for credentials, as much for the longest
/// timeout that can be configured, and the rest for a slot, when thousands of other targets hang.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What all pollers of a generation share.
#[derive(Debug)]
pub struct Surroundings<P> {
    /// What is watched.
    pub fleet: Arc<Fleet>,
    /// Who asks AWS.
    pub prober: P,
    /// Where reports go.
    pub reports: mpsc::Sender<Report>,
    /// Where the loops prove that they turn.
    pub liveness: Arc<Liveness>,
    /// What the wall time in reports is taken from.
    pub clock: Clock,
    /// When the generation began: the origin of every target's cadence.
    pub anchor: Instant,
    /// Over how long the first polls are spread.
    pub start_window: Duration,
}

/// The loop of one quota scope.
pub struct Poller<P: Prober> {
    around: Arc<Surroundings<P>>,
    scope: ScopeId,
    pace: Pace,
    due: DueQueue,
    /// How each target is doing, in the order of the scope's targets.
    courses: Vec<Course>,
    /// What is under way: signing in and calling.
    steps: FuturesUnordered<BoxFuture<'static, Step<P::Session>>>,
    /// Signed in, and waiting for the pace.
    ready: VecDeque<(Due, P::Session)>,
    calls: usize,
    most_steps: usize,
    random: fastrand::Rng,
}

/// What the scheduling of one target needs to remember.
struct Course {
    phase: Phase,
    /// There only while the target fails: most never do.
    backoff: Option<Box<Backoff>>,
}

/// A target whose time has come, and since when.
#[derive(Clone, Copy)]
struct Due {
    target: TargetId,
    at: Instant,
}

/// What has come to its end.
enum Step<S> {
    SignedIn(Due, Result<S, Failure>),
    Answered(Due, Permit, Asked),
}

impl<P: Prober> Poller<P> {
    /// A poller for a scope, with every target due within the start window.
    pub fn new(around: Arc<Surroundings<P>>, scope: ScopeId, seed: u64) -> Self {
        let Scope { limit, targets, .. } = around.fleet.scope(scope);
        let mut due = DueQueue::with_capacity(targets.len());
        for &target in targets {
            let cadence = Cadence::new(around.fleet.target(target), around.anchor);
            due.push(target, cadence.first(around.start_window));
        }
        Self {
            pace: Pace::new(*limit, around.anchor, seed),
            due,
            courses: targets.iter().map(|_| Course { phase: Phase::Settled, backoff: None }).collect(),
            steps: FuturesUnordered::new(),
            ready: VecDeque::new(),
            calls: 0,
            most_steps: (limit * IN_FLIGHT_SECONDS).ceil().clamp(IN_FLIGHT.0, IN_FLIGHT.1) as usize,
            random: fastrand::Rng::with_seed(seed),
            scope,
            around,
        }
    }

    /// Polls until it is told to stop; a call in flight then still ends, or times out.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let next = self.next_turn();
            self.promise(next);
            tokio::select! {
                // What has come to its end comes before what is next: an answer may close the gate.
                biased;
                () = stop.cancelled() => break,
                Some(step) = self.steps.next() => self.go_on(step).await,
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => self.turn(),
            }
        }
        while self.calls > 0
            && let Some(step) = self.steps.next().await
        {
            if let Step::Answered(due, permit, asked) = step {
                self.answered(due, permit, asked).await;
            }
        }
        self.around.liveness.poller_rests(self.scope);
    }

    /// When the next step may be begun; `None` while only the end of another can bring it nearer.
    fn next_turn(&self) -> Option<Instant> {
        let paced = self.pace.next_call(Instant::now())?;
        if !self.ready.is_empty() {
            return Some(paced);
        }
        if self.steps.len() >= self.most_steps {
            return None;
        }
        Some(self.due.peek()?.max(paced))
    }

    /// Calls for who has signed in, or lets the next target sign in.
    fn turn(&mut self) {
        let now = Instant::now();
        let around = Arc::clone(&self.around);
        if let Some((due, session)) = self.ready.pop_front() {
            let permit = self.pace.start(now);
            self.calls += 1;
            self.steps.push(Box::pin(async move {
                let asked = around.prober.ask(around.fleet.target(due.target), session).await;
                Step::Answered(due, permit, asked)
            }));
        } else if let Some((target, at)) = self.due.pop_due(now) {
            self.steps.push(Box::pin(async move {
                let session = around.prober.sign_in(around.fleet.target(target)).await;
                Step::SignedIn(Due { target, at }, session)
            }));
        }
    }

    async fn go_on(&mut self, step: Step<P::Session>) {
        match step {
            Step::SignedIn(due, Ok(session)) => self.ready.push_back((due, session)),
            Step::SignedIn(due, Err(failure)) => {
                self.conclude(due, Asked { at: Instant::now(), outcome: Err(failure) }).await;
            }
            Step::Answered(due, permit, asked) => self.answered(due, permit, asked).await,
        }
    }

    async fn answered(&mut self, due: Due, permit: Permit, asked: Asked) {
        self.calls -= 1;
        self.pace.finish(permit, Answer::of(&asked.outcome), Instant::now());
        self.conclude(due, asked).await;
    }

    /// Sets the target's next time, and reports.
    async fn conclude(&mut self, due: Due, asked: Asked) {
        let now = Instant::now();
        let next = self.reschedule(due.target, &asked, now);
        self.due.push(due.target, next);
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
        // The tracker ends after the pollers; when it has gone, nobody is left to tell.
        let _ = self.around.reports.send(Report::Polled { poll, pacing }).await;
    }

    /// When the target is asked again.
    fn reschedule(&mut self, target: TargetId, asked: &Asked, now: Instant) -> Instant {
        let config = self.around.fleet.target(target);
        let targets = &self.around.fleet.scope(self.scope).targets;
        let place = targets.binary_search(&target).expect("a scope's targets are in ascending order");
        let course = &mut self.courses[place];
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
        let liveness = &self.around.liveness;
        match next {
            Some(at) => liveness.poller_back_by(self.scope, at),
            None if self.steps.is_empty() => liveness.poller_rests(self.scope),
            None => liveness.poller_back_by(self.scope, Instant::now() + LONGEST_WAIT),
        }
    }
}

#[cfg(test)]
mod tests;
