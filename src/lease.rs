//! The loop that keeps the leases of this replica.
//!
//! It goes round by round: what is held is renewed, and how everything stands is seen; then a fair share of what
//! is free is taken, and what is too much is given up. A store that cannot be reached is tried again soon, and
//! nothing that is held is touched until its time is over.
//!
//! # What holding means
//!
//! Whoever is gone is to be replaced within the length of a lease. So the store is asked for less, and others
//! have the rest to see that it is free, and to take it.
//!
//! A claim is held until *the moment before the request was sent* + what was asked for − a margin, by this
//! machine's own clock. The store began to count later than that, so it ends later, and it may count faster by
//! the margin. At that moment the claim vanishes from [`Held`] by itself, whatever the store does, and nobody begins anything
//! under it any more. A clock that stands still, as that of a suspended machine may, is what the epoch is for:
//! whoever writes under one that has passed is refused.
//!
//! A claim that has vanished never comes back, even if the store still knows it: a write of before may be on its
//! way, and whoever began anew from what is stored would be overtaken by it. It is released, and taken again under
//! the next epoch, which that write is refused for. The same goes for a claim of which the store's answer was
//! lost.
//!
//! # How a lease is given up
//!
//! In two steps. [`Held`] has it *going*: whoever works under it begins nothing more and writes what it has. Then
//! it lets go, through [`LetGo`], and the lease is released.

mod ending;
mod held;
mod plan;
mod request;
mod tenancy;
mod terms;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use self::held::{Held, Tenure, is_ours};
pub use self::tenancy::{Tenancy, Tenant};

use self::plan::Planner;
use self::request::{Failed, Outcome, Reply, Request};
use self::terms::Terms;
use crate::clock::Clock;
use crate::liveness::{Liveness, Loop, Promise};
use crate::metrics::{Handover, LeaseMeters};
use crate::model::{Claim, Lease};
use crate::store::{Contact, Leases, Replica, Roll, Touch};

/// How many may have let go of a claim before this loop takes note: all sinks and shards of a usual replica.
const LET_GO: usize = 64;

/// How long after a lease was to end it is looked whether it has.
const AFTER_ITS_END: Duration = Duration::from_millis(20);

/// Where whoever worked under a claim says that all it had is written, and that it will not use it again.
pub type LetGo = mpsc::Sender<Claim>;

/// Keeps the leases of one replica.
pub struct Keeper<L> {
    leases: Arc<L>,
    me: Replica,
    terms: Terms,
    known: watch::Receiver<Arc<[Lease]>>,
    shown: watch::Sender<Arc<Held>>,
    roll: watch::Sender<Arc<Roll>>,
    touch: watch::Sender<Touch>,
    clock: Clock,
    let_go: mpsc::Receiver<Claim>,
    meters: LeaseMeters,
    promise: Promise,
    held: Held,
    planner: Planner,
    /// What the store is asked now: one thing after another, so that no answer is about what was before.
    request: Option<Request>,
    next_round: Instant,
    /// Nothing is asked before then, because something has failed.
    not_before: Instant,
    /// What the store may know for held that is not, or not any more.
    to_release: BTreeSet<Claim>,
    to_take: Vec<Lease>,
    is_failing: bool,
    is_ending: bool,
    has_left: bool,
}

impl<L: Leases> Keeper<L> {
    /// A loop that holds nothing yet, of a replica that can do what `known` says; and where those let go who
    /// work under its claims.
    pub fn new(
        leases: Arc<L>,
        me: Replica,
        lease: Duration,
        known: watch::Receiver<Arc<[Lease]>>,
        meters: LeaseMeters,
        clock: Clock,
        liveness: &Arc<Liveness>,
    ) -> (Self, LetGo) {
        let (letting_go, let_go) = mpsc::channel(LET_GO);
        let now = Instant::now();
        let keeper = Self {
            leases,
            me,
            terms: Terms(lease),
            known,
            shown: watch::Sender::default(),
            roll: watch::Sender::default(),
            touch: watch::Sender::new(Touch { at: clock.now(), lasts_until: now }),
            clock,
            let_go,
            meters,
            promise: liveness.promise(Loop::Leases),
            held: Held::default(),
            planner: Planner::default(),
            request: None,
            next_round: now,
            not_before: now,
            to_release: BTreeSet::new(),
            to_take: Vec::new(),
            is_failing: false,
            is_ending: false,
            has_left: false,
        };
        (keeper, letting_go)
    }

    /// What is held. A change is told when something else is held or going; that something is held for longer
    /// is seen by whoever looks. Another epoch is another tenure, even if nobody saw the end of the one before:
    /// what was known under that may not be true any more.
    pub fn held(&self) -> watch::Receiver<Arc<Held>> {
        self.shown.subscribe()
    }

    /// How everything stood in the last round that succeeded.
    pub fn roll(&self) -> watch::Receiver<Arc<Roll>> {
        self.roll.subscribe()
    }

    /// Whether the store answers.
    pub fn contact(&self) -> Contact {
        Contact::new(self.touch.subscribe())
    }

    /// Keeps leases until `stop` is cancelled, then hands all of them over and leaves. What nobody has let go of
    /// within the grace is left to expire.
    pub async fn run(mut self, stop: CancellationToken, grace: Duration) {
        let mut end = Instant::now();
        while !self.has_left {
            self.ask();
            self.show();
            let (next, first_end) = (self.next_request(), self.held.first_end());
            self.promise.back_by(Instant::now() + self.terms.patience() + self.terms.round());
            let is_idle = self.request.is_none();
            let outcome = OptionFuture::from(self.request.as_mut().map(|request| &mut request.outcome));
            tokio::select! {
                // What has expired is gone before anything else is looked at, however late this is.
                biased;
                () = sleep_until(first_end.unwrap_or(next)), if first_end.is_some() => self.expire(),
                () = sleep_until(end), if self.is_ending => break,
                Some(outcome) = outcome => self.take_in(outcome),
                Some(claim) = self.let_go.recv() => self.release(claim),
                Ok(()) = self.known.changed() => self.give_up_unknown(),
                () = stop.cancelled(), if !self.is_ending => {
                    end = Instant::now() + grace;
                    self.begin_to_end();
                }
                () = sleep_until(next), if is_idle => {}
            }
        }
        if !self.has_left {
            self.give_in().await;
        }
        self.show();
    }

    /// When there is something to ask, if nothing else happens.
    fn next_request(&self) -> Instant {
        let is_pending = !self.to_release.is_empty() || !self.to_take.is_empty() || self.is_done();
        if is_pending { self.not_before } else { self.next_round.max(self.not_before) }
    }

    /// Asks the store for what is next, unless it is at it, or is left alone for a moment.
    fn ask(&mut self) {
        let now = Instant::now();
        if self.request.is_some() || now < self.not_before {
            return;
        }
        let (leases, me, lease) = (Arc::clone(&self.leases), self.me.clone(), self.terms.granted());
        let patience = self.terms.patience();
        self.request = if now >= self.next_round && !self.is_done() {
            let (known, held) = (Arc::clone(&self.known.borrow()), self.held.claims().collect());
            Some(Request::renew(leases, me, known, held, lease, patience))
        } else if !self.to_release.is_empty() {
            Some(Request::release(leases, me, self.to_release.iter().cloned().collect(), patience))
        } else if !self.to_take.is_empty() {
            Some(Request::take(leases, me, std::mem::take(&mut self.to_take), lease, patience))
        } else if self.is_done() {
            Some(Request::leave(leases, me, patience))
        } else {
            None
        };
    }

    fn take_in(&mut self, outcome: Outcome) {
        let Some(Request { sent, .. }) = self.request.take() else { return };
        match outcome {
            Ok(Reply::Renewed(asked, roll)) => self.renewed(sent, &asked, roll),
            Ok(Reply::Taken(claims)) => self.taken(sent, claims),
            Ok(Reply::Released(claims)) => claims.iter().for_each(|claim| {
                self.to_release.remove(claim);
            }),
            Ok(Reply::Left) => self.has_left = true,
            Err(failed) => self.failed(&failed),
        }
    }

    /// Takes note of a round: what was asked for, and how everything stands.
    fn renewed(&mut self, sent: Instant, asked: &[Claim], roll: Roll) {
        let now = Instant::now();
        self.meters.renewed(now - sent);
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("the store answers again, and leases are renewed");
        }
        // Those who are there renew what they hold long before; who is not is followed at once.
        let next_end = roll.next_end.map_or(Duration::MAX, |end| end + AFTER_ITS_END);
        self.next_round = now + self.terms.round().min(next_end);
        let lasts_until = self.terms.certain_until(sent);
        self.touch.send_replace(Touch { at: self.clock.now(), lasts_until });
        let mine = roll.leases.iter().filter(|state| state.holder == Some(self.me.id));
        let mine: BTreeSet<_> =
            mine.map(|state| Claim { lease: state.lease.clone(), epoch: state.epoch }).collect();
        for claim in asked {
            if mine.contains(claim) {
                self.held.prolong(claim, lasts_until);
            } else if self.held.end(claim) {
                tracing::warn!(%claim, "a lease is lost: the store does not know it for held any more");
                self.count(claim, Handover::Lost);
            }
        }
        self.to_release =
            mine.into_iter().filter(|claim| self.held.claim(&claim.lease).as_ref() != Some(claim)).collect();
        if !self.is_ending {
            let known = Arc::clone(&self.known.borrow());
            let share = self.planner.plan(self.me.id, &roll, &known, &self.held);
            share.give_up.iter().for_each(|lease| self.give_up(lease));
            self.to_take = share.take;
        }
        self.roll.send_replace(Arc::new(roll));
    }

    fn taken(&mut self, sent: Instant, claims: Vec<Claim>) {
        let certain_until = self.terms.certain_until(sent);
        for claim in claims {
            // Too late to be of use, one way or the other.
            let is_known = self.known.borrow().contains(&claim.lease);
            if self.is_ending || !is_known || certain_until <= Instant::now() {
                self.to_release.insert(claim);
                continue;
            }
            tracing::info!(%claim, "a lease is held from now on");
            self.count(&claim, Handover::Taken);
            self.planner.taken(&claim.lease);
            self.held.begin(claim, certain_until);
        }
    }

    /// Tries again soon. What was to be taken is planned anew with the next round.
    fn failed(&mut self, failed: &Failed) {
        let error = failed as &dyn std::error::Error;
        if failed.is_renewal {
            self.meters.renewal_failed();
        }
        if std::mem::replace(&mut self.is_failing, true) {
            tracing::debug!(error, "leases cannot be kept");
        } else {
            tracing::warn!(error, "leases cannot be kept; what is held is held until its time is over");
        }
        self.not_before = Instant::now() + self.terms.retry();
    }

    /// Holds no more what nobody can be certain of.
    fn expire(&mut self) {
        for claim in self.held.expire(Instant::now()) {
            tracing::error!(%claim, "a lease could not be renewed in time, and is not held any more");
            self.count(&claim, Handover::Expired);
            self.to_release.insert(claim);
        }
    }

    /// Begins to give up a lease.
    fn give_up(&mut self, lease: &Lease) {
        if self.held.give_up(lease) {
            tracing::info!(%lease, "a lease is being given up");
        }
    }

    /// Begins to give up what this replica has forgotten how to do.
    fn give_up_unknown(&mut self) {
        let known = Arc::clone(&self.known.borrow_and_update());
        let unknown = self.held.tenures().map(|(lease, _)| lease).filter(|lease| !known.contains(lease));
        let unknown: Vec<_> = unknown.cloned().collect();
        unknown.iter().for_each(|lease| self.give_up(lease));
        self.to_take.retain(|lease| known.contains(lease));
        self.next_round = Instant::now();
    }

    /// Gives back a claim that its user has let go of.
    fn release(&mut self, claim: Claim) {
        if self.held.end(&claim) {
            let handover = if self.is_ending { Handover::HandedOver } else { Handover::GivenUp };
            self.count(&claim, handover);
            self.to_release.insert(claim);
        }
    }

    /// Lets others see what is held.
    fn show(&self) {
        self.meters.holding(self.held.shards());
        self.shown.send_if_modified(|shown| {
            let is_news = !shown.is_like(&self.held);
            if **shown != self.held {
                *shown = Arc::new(self.held.clone());
            }
            is_news
        });
    }

    fn count(&self, claim: &Claim, handover: Handover) {
        if matches!(claim.lease, Lease::Shard(_)) {
            self.meters.changed_hands(handover);
        }
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod fencing;
#[cfg(test)]
mod tests;
