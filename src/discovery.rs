//! The loop that lists the organizations of one quota scope.
//!
//! It lists each at the start and every `refresh`, call by call at the scope's pace, and hands each listing
//! on as a whole: what fails half-way is of no use to anybody. A call that may succeed yet is repeated; a
//! listing that has failed is begun anew, less and less soon. Who has joined and who has left is not decided
//! here.

mod course;
mod selection;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, OptionFuture};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use self::course::Course;
use self::walk::Walk;
use crate::aws::Listed;
use crate::clock::Clock;
use crate::config::Organization;
use crate::lease::{Held, is_ours};
use crate::liveness::{Liveness, Loop, Promise};
use crate::model::{Failure, FailureReason, Listing, Pacing, Report, ScopeId};
use crate::poller::{Assignment, Finish, Orders, UNCERTAIN};
use crate::probe::Directory;
use crate::schedule::{Answer, Backoff, Cadence, HINT_MAX, Pace, Permit};

/// How often a call is made before the listing has failed.
const TRIES: u32 = 5;

/// How soon a call is made again that may succeed yet, at first and at the latest; one that was throttled
/// waits for the scope's gate instead.
const CALL_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How soon a listing is begun anew that has failed, at first and at the latest.
const LISTING_RETRY: (Duration, Duration) = (Duration::from_secs(15), Duration::from_mins(15));

/// The longest that a call can be on its way: five minutes for credentials, and the rest for a slot when
/// thousands of targets hang.
const LONGEST_CALL: Duration = Duration::from_secs(3600);

/// What all of these loops share for as long as the process lives.
#[derive(Debug)]
pub struct Surroundings<D> {
    /// Who tells which accounts there are.
    pub directory: D,
    /// Where listings go.
    pub outcomes: mpsc::Sender<Outcome>,
    /// Where it is reported how the scopes are paced.
    pub reports: mpsc::Sender<Report>,
    /// Where the loops prove that they turn.
    pub liveness: Arc<Liveness>,
    /// What the wall time of listings is taken from.
    pub clock: Clock,
    /// The origin of every organization's place in time.
    pub anchor: Instant,
    /// What this replica holds; `None` where there is but one.
    pub held: Option<watch::Receiver<Arc<Held>>>,
}

/// What came of listing an organization.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The organization, as it was configured then.
    pub organization: Arc<Organization>,
    /// When the listing ended.
    pub at: Timestamp,
    /// Its accounts, all of them, or why there are none.
    pub listing: Result<Listing, Failure>,
}

/// The loop of one quota scope.
pub struct Discoverer<D> {
    around: Arc<Surroundings<D>>,
    orders: watch::Receiver<Orders>,
    assignment: Arc<Assignment>,
    scope: ScopeId,
    promise: Promise,
    pace: Pace,
    courses: Vec<Course>,
    /// The listing under way.
    current: Option<Current>,
    /// A call under way.
    call: Option<Call>,
    /// What nobody has taken yet.
    ended: Option<Outcome>,
    random: fastrand::Rng,
}

/// A listing under way.
struct Current {
    walk: Walk,
    /// How often the call at hand has failed.
    failed: u32,
    backoff: Backoff,
    not_before: Instant,
}

struct Call {
    permit: Permit,
    page: BoxFuture<'static, Result<Listed, Failure>>,
}

impl<D: Directory> Discoverer<D> {
    /// A loop for a scope of the orders of now. Every organization is due at once.
    pub fn new(
        around: Arc<Surroundings<D>>,
        mut orders: watch::Receiver<Orders>,
        scope: ScopeId,
        seed: u64,
    ) -> Self {
        let assignment = Arc::clone(&orders.borrow_and_update().assignment);
        let (config, now) = (assignment.fleet.scope(scope), Instant::now());
        let who = Loop::Discovery { caller: config.caller.clone() };
        let mut discoverer = Self {
            promise: around.liveness.promise(who),
            pace: assignment.pace(scope, now, seed),
            courses: Vec::new(),
            current: None,
            call: None,
            ended: None,
            random: fastrand::Rng::with_seed(seed),
            around,
            orders,
            scope,
            assignment,
        };
        discoverer.plan(now);
        discoverer
    }

    /// Lists until its scope is gone, or nobody can give orders any more; what is under way then is given up.
    pub async fn run(mut self) -> Finish {
        let outcomes = self.around.outcomes.clone();
        loop {
            let next = self.next_turn();
            self.promise(next);
            let page = OptionFuture::from(self.call.as_mut().map(|call| &mut call.page));
            tokio::select! {
                biased;
                changed = self.orders.changed() => match changed.map(|()| self.obey()) {
                    Ok(true) => {}
                    Ok(false) => return Finish::Dissolved,
                    Err(_) => return Finish::Stopped(self.promise.who().clone()),
                },
                Some(page) = page => self.take(page).await,
                // Who takes them may be waiting for this loop to obey, so it does not wait in turn.
                Ok(place) = outcomes.reserve(), if self.ended.is_some() => {
                    if let Some(ended) = self.ended.take() {
                        place.send(ended);
                    }
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => self.turn(),
            }
        }
    }

    /// When something is to be begun; `None` while something else has to end first.
    fn next_turn(&self) -> Option<Instant> {
        if self.call.is_some() || self.ended.is_some() {
            return None;
        }
        let now = Instant::now();
        match &self.current {
            Some(current) => Some(self.pace.next_call(now)?.max(current.not_before)),
            None => self.courses.iter().map(|course| course.due).min(),
        }
    }

    /// Begins a listing, asks for the next page of the one under way, or ends it.
    fn turn(&mut self) {
        let now = Instant::now();
        let Some(current) = &mut self.current else {
            let due = self.courses.iter().filter(|course| course.due <= now).min_by_key(|course| course.due);
            self.current = due.map(|course| Current {
                walk: Walk::new(Arc::clone(&course.organization)),
                failed: 0,
                backoff: Backoff::new(CALL_RETRY.0, CALL_RETRY.1),
                not_before: now,
            });
            return;
        };
        let Some((list, token)) = current.walk.question() else {
            let Some(Current { walk, .. }) = self.current.take() else { return };
            let organization = Arc::clone(walk.organization());
            return self.conclude(organization, walk.finish());
        };
        if !is_ours(self.around.held.as_ref(), self.assignment.fleet.claims.get(&self.scope), now) {
            return self.pace.hold_until(now + UNCERTAIN);
        }
        let identity = Arc::clone(&current.walk.organization().identity);
        let (permit, around) = (self.pace.start(now), Arc::clone(&self.around));
        let page = Box::pin(async move { around.directory.list(identity, list, token).await });
        self.call = Some(Call { permit, page });
    }

    /// Takes in the page that was asked for.
    async fn take(&mut self, page: Result<Listed, Failure>) {
        let now = Instant::now();
        if let Some(Call { permit, .. }) = self.call.take() {
            self.pace.finish(permit, Answer::of(&page), now);
        }
        self.report_pace(now).await;
        let Some(current) = &mut self.current else { return };
        let failure = match page {
            Ok(listed) => {
                current.failed = 0;
                current.backoff = Backoff::new(CALL_RETRY.0, CALL_RETRY.1);
                match current.walk.take(listed) {
                    Ok(()) => return,
                    Err(failure) => failure,
                }
            }
            Err(failure) if may_succeed_yet(&failure) && current.failed + 1 < TRIES => {
                current.failed += 1;
                if failure.reason != FailureReason::Throttled {
                    let delay = current.backoff.next(&mut self.random);
                    let hint = failure.retry_after.unwrap_or_default().min(HINT_MAX);
                    current.not_before = now + delay.max(hint);
                }
                return;
            }
            Err(failure) => failure,
        };
        let organization = Arc::clone(current.walk.organization());
        self.current = None;
        self.conclude(organization, Err(failure));
    }

    /// Sets the organization's next time, and keeps what came of it for whoever takes it.
    fn conclude(&mut self, organization: Arc<Organization>, listing: Result<Listing, Failure>) {
        let now = Instant::now();
        let course = self.courses.iter_mut().find(|course| course.organization.name == organization.name);
        let course = course.expect("what is not to be listed any more is not under way");
        let regular = place_of(&organization, self.around.anchor).next(now, organization.refresh);
        course.due = if listing.is_ok() {
            course.backoff = None;
            regular
        } else {
            let (first, most) = LISTING_RETRY;
            let backoff = course.backoff.get_or_insert_with(|| Backoff::new(first, most));
            regular.min(now + backoff.next(&mut self.random))
        };
        self.ended = Some(Outcome { organization, at: self.around.clock.at(now), listing });
    }

    async fn report_pace(&mut self, now: Instant) {
        let (clock, generation) = (self.around.clock, self.assignment.fleet.generation);
        let pacing = Pacing {
            allowed: self.pace.allowed(now),
            backoff_until: self.pace.backoff_until().map(|until| clock.at(until)),
            throttled: self.pace.throttled(),
        };
        // The tracker ends last; when it has gone, nobody is left to tell.
        let _ = self.around.reports.send(Report::Paced { generation, scope: self.scope, pacing }).await;
    }

    fn promise(&self, next: Option<Instant>) {
        match next {
            Some(at) => self.promise.back_by(at),
            None if self.call.is_some() => self.promise.back_by(Instant::now() + LONGEST_CALL),
            None => self.promise.rests(),
        }
    }
}

/// An organization's place in time, the same in each run.
fn place_of(organization: &Organization, anchor: Instant) -> Cadence {
    Cadence::of(["organization", &organization.name, ""], anchor)
}

/// Whether it is worth while to make the same call again.
fn may_succeed_yet(failure: &Failure) -> bool {
    match failure.reason {
        FailureReason::Throttled
        | FailureReason::Timeout
        | FailureReason::Unreachable
        | FailureReason::ServerError
        | FailureReason::Unavailable => true,
        FailureReason::Credentials => failure.retry_after.is_some(),
        FailureReason::AccessDenied
        | FailureReason::InvalidRequest
        | FailureReason::WrongAccount
        | FailureReason::MalformedReply
        | FailureReason::Other => false,
    }
}

#[cfg(test)]
mod tests;
