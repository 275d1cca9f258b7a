//! The loop that owns all state: it takes in what the pollers report, compares, hands what changed to the
//! store, and shows the result to whoever looks.
//!
//! What it shows is what it knows, whether or not the store can be written; the sinks hear of an event
//! when it is in the store, and not before.

mod adoption;
mod outbox;
mod saved;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::liveness::{Liveness, Loop, Promise};
use crate::metrics::Metrics;
use crate::model::{
    AccountId, Caller, Event, Failure, FailureReason, Pacing, Poll, Region, Report, Scope, ScopeId,
    ScopeState, Snapshot, Target, TargetState,
};
use crate::store::Ledger;

pub use self::adoption::Adoption;
use self::adoption::Earlier;
use self::outbox::Outbox;
pub use self::saved::restore;

/// How long a change may wait to be seen together with others. To share a snapshot of 100,000 targets takes
/// a few thousand copies of a pointer, so ten a second cost next to nothing, and no reader looks oftener.
const PUBLISH_AFTER: Duration = Duration::from_millis(100);

/// How long the tracker sleeps at most, to prove that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How many reports are taken in before anything else is looked at.
const BATCH: usize = 256;

/// A pause that is shorter is over before anybody else could call.
const GATE_WORTH_KEEPING: SignedDuration = SignedDuration::from_secs(5);

/// How long the last of what happened may take to reach the store once the pollers have ended. What does
/// not get there is found anew after the restart, which compares with the older state that is kept.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// The only owner of state.
pub struct Tracker<L> {
    snapshot: Snapshot,
    published: watch::Sender<Arc<Snapshot>>,
    outbox: Outbox<L>,
    metrics: Arc<Metrics>,
    promise: Promise,
    earlier: Option<Earlier>,
}

impl<L: Ledger + Clone> Tracker<L> {
    /// A tracker that begins with a snapshot, and where to look at what it knows.
    pub fn new(
        snapshot: Snapshot,
        ledger: L,
        metrics: Arc<Metrics>,
        liveness: &Arc<Liveness>,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (published, look) = watch::channel(Arc::new(snapshot.clone()));
        let outbox = Outbox::new(ledger, Arc::clone(&metrics));
        let promise = liveness.promise(Loop::Tracker);
        (Self { snapshot, published, outbox, metrics, promise, earlier: None }, look)
    }

    /// Takes in reports until the last sender has gone, and goes over to another generation when it is told
    /// to.
    pub async fn run(mut self, mut reports: mpsc::Receiver<Report>, mut adoptions: mpsc::Receiver<Adoption>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut publish_at: Option<Instant> = None;
        loop {
            let wake = publish_at.unwrap_or_else(|| Instant::now() + HEARTBEAT);
            self.promise.back_by(wake);
            tokio::select! {
                // The rare before the frequent. By chance would do as well, but could not be replayed.
                biased;
                Some(adoption) = adoptions.recv() => self.adopt(adoption, &mut reports),
                () = self.outbox.turn() => {}
                count = reports.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    publish_at = publish_at.or_else(|| Some(Instant::now() + PUBLISH_AFTER));
                    batch.drain(..).for_each(|report| self.take(report));
                }
                () = sleep_until(wake) => {}
            }
            self.outbox.begin(&self.snapshot);
            if publish_at.is_some_and(|at| at <= Instant::now()) {
                publish_at = None;
                self.publish();
            }
        }
        self.publish();
        if timeout(LAST_WRITES, self.outbox.drain(&self.snapshot)).await.is_err() {
            let events = self.outbox.len();
            tracing::error!(
                events,
                "the store could not be written to the last; the next start finds out anew"
            );
        }
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Polled { generation, poll, scope, pacing } => {
                if let Some(scope) = self.scope_now(generation, scope) {
                    self.keep_gate(scope, pacing, poll.attempted_at);
                    self.pace(scope, pacing);
                    self.snapshot.scopes[scope.0 as usize].attempted = true;
                }
                if let Some(target) = self.target_now(generation, poll.target) {
                    self.record(Poll { target, ..poll });
                }
            }
            Report::Paced { generation, scope, pacing } => {
                if let Some(scope) = self.scope_now(generation, scope) {
                    self.pace(scope, pacing);
                }
            }
            Report::Caller { identity, account } => self.name_callers(&Caller::Identity(identity), account),
            Report::Listed { organization, at, outcome } => self.listed(&organization, at, outcome),
            Report::Refreshed(outcome) => self.metrics.credentials_refreshed(outcome),
        }
    }

    fn pace(&mut self, id: ScopeId, pacing: Pacing) {
        log_throttle(self.snapshot.fleet.scope(id), &self.snapshot.scopes[id.0 as usize], pacing);
        self.snapshot.pace(id, pacing);
    }

    /// Keeps a long pause that AWS has asked for: neither a restart nor another replica is to call before.
    fn keep_gate(&mut self, id: ScopeId, pacing: Pacing, now: Timestamp) {
        let before = self.snapshot.scopes[id.0 as usize].pacing.backoff_until;
        let later = pacing.backoff_until.filter(|until| Some(*until) != before);
        if let Some(until) = later.filter(|until| until.duration_since(now) >= GATE_WORTH_KEEPING) {
            let fleet = &self.snapshot.fleet;
            self.outbox.gate(fleet.scope(id).key(), fleet.claims.get(&id), until);
        }
    }

    fn record(&mut self, poll: Poll) {
        let fleet = Arc::clone(&self.snapshot.fleet);
        let target = fleet.target(poll.target);
        self.metrics.polled(target.probe, poll.lag, poll.duration);
        let state = &mut self.snapshot.targets[poll.target.0 as usize];
        let before = Arc::clone(state);
        let id = poll.target;
        let transitions = Arc::make_mut(state).record(poll);
        log_health(target, before.failure.as_ref().map(|failure| failure.reason), state);
        if state.is_up() {
            self.outbox.answered(id);
            self.outbox.heard(id, target, fleet.claim(target), (before.last_success, state.last_success));
        }
        if !state.knows_the_same_as(&before) {
            self.outbox.changed(id);
        }
        for transition in transitions {
            self.outbox.push(fleet.claim(target), Event::new(target, transition, &state.details));
        }
    }

    fn name_callers(&mut self, caller: &Caller, account: AccountId) {
        let fleet = Arc::clone(&self.snapshot.fleet);
        for (id, _) in (0..).map(ScopeId).zip(&fleet.scopes).filter(|(_, scope)| scope.caller == *caller) {
            self.snapshot.name_caller(id, account);
        }
    }

    fn listed(&mut self, name: &str, at: Timestamp, outcome: Result<(), Failure>) {
        // It may have gone from the configuration meanwhile.
        let Some(state) = self.snapshot.organization_mut(name) else { return };
        log_listing(name, state.failure.as_ref().map(|failure| failure.reason), &outcome);
        state.record(at, outcome);
    }

    fn publish(&self) {
        self.published.send_replace(Arc::new(self.snapshot.clone()));
    }
}

/// One line when a target begins to fail, fails otherwise than before, or has recovered: not one a poll,
/// and none for being throttled, which is its scope's affair.
fn log_health(target: &Target, before: Option<FailureReason>, state: &TargetState) {
    let Target { account, probe, .. } = target;
    let (id, name, probe) = (account.id, &account.name, probe.as_str());
    let region = target.region.as_ref().map(Region::as_str);
    let quiet = |reason: FailureReason| reason == FailureReason::Throttled;
    match (before, &state.failure) {
        (before, Some(failure)) if before == Some(failure.reason) || quiet(failure.reason) => {
            tracing::debug!(
                account.id = %id, aws.region = region, probe,
                reason = failure.reason.as_str(), detail = %failure.message,
                "polling failed"
            )
        }
        (_, Some(failure)) => tracing::warn!(
            account.id = %id, account.name = %name, aws.region = region, probe,
            reason = failure.reason.as_str(), detail = %failure.message,
            "polling fails"
        ),
        (Some(reason), None) if !quiet(reason) => tracing::info!(
            account.id = %id, account.name = %name, aws.region = region, probe,
            reason = reason.as_str(),
            "polling has recovered"
        ),
        (_, None) => tracing::debug!(account.id = %id, aws.region = region, probe, "polled"),
    }
}

/// One line when an organization cannot be listed, or for another reason than before, or can be again.
fn log_listing(organization: &str, before: Option<FailureReason>, outcome: &Result<(), Failure>) {
    match (before, outcome) {
        (before, Err(failure)) if before == Some(failure.reason) => tracing::debug!(
            organization, reason = failure.reason.as_str(), detail = %failure.message,
            "the organization still cannot be listed"
        ),
        (_, Err(failure)) => tracing::warn!(
            organization, reason = failure.reason.as_str(), detail = %failure.message,
            "the organization cannot be listed: who was found before is watched on"
        ),
        (Some(reason), Ok(())) => {
            tracing::info!(organization, reason = reason.as_str(), "the organization can be listed again");
        }
        (None, Ok(())) => tracing::debug!(organization, "listed"),
    }
}

/// One line when a scope is throttled for the first time: from then on the rate is learnt, and an
/// occasional throttle is how.
fn log_throttle(scope: &Scope, before: &ScopeState, now: Pacing) {
    let (service, caller, throttled) = (scope.service.as_str(), before.caller, now.throttled);
    let caller = caller.map(tracing::field::display);
    if before.pacing.throttled == 0 && throttled > 0 {
        tracing::warn!(
            aws.service = service, caller.id = caller, aws.region = %scope.region,
            "AWS throttles this quota scope: backing off, and learning what it accepts"
        );
    } else if throttled > before.pacing.throttled {
        tracing::debug!(aws.service = service, caller.id = caller, aws.region = %scope.region, throttled, "throttled");
    }
}

#[cfg(test)]
mod tests;
