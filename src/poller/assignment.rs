//! What a generation of configuration asks of the pollers, and how a poller goes over to the next.
//!
//! All pollers look at the same place, so that a hundred thousand of them need no mailboxes. A generation
//! takes over in two steps. At the first each poller goes on with what it still polls and lets go of the
//! rest at once, calls in flight included; one whose scope has gone ends. When the last has done so, the
//! generation is settled, and what is new to a scope may be asked: a target that has moved from one scope
//! to another is never asked from both.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::step::{Due, Step, Work};
use super::{Course, Poller, most_steps};
use crate::config::Organization;
use crate::model::{Fleet, Scope, ScopeId, Succession, TargetId};
use crate::probe::Prober;
use crate::schedule::{Answer, Cadence, DueQueue, Pace, interval};

/// What one generation of configuration lays down.
#[derive(Debug)]
pub struct Assignment {
    /// What is watched.
    pub fleet: Arc<Fleet>,
    /// What became of the targets and scopes of the generation before.
    pub succession: Arc<Succession>,
    /// The identities that stand for somebody else than in the generation before.
    pub redefined: Arc<HashSet<Arc<str>>>,
    /// The organizations whose accounts are found.
    pub organizations: Vec<Arc<Organization>>,
    /// Over how long the first polls of what is new are spread.
    pub start_window: Duration,
    /// What is known of what is new because somebody else had it.
    pub inheritance: Inheritance,
    /// Never used, and dropped with the assignment: its receiver hears when the last poller has let go.
    pub held: mpsc::Sender<Infallible>,
}

/// What somebody has left who asked before: another replica, or this program before it was started anew.
#[derive(Clone, Debug, Default)]
pub struct Inheritance {
    /// When targets are due.
    pub due: HashMap<TargetId, Instant>,
    /// Until when nothing may be sent in quota scopes.
    pub gates: HashMap<ScopeId, Instant>,
}

impl Assignment {
    /// When a target is asked first that is new.
    pub(super) fn first_turn(&self, target: TargetId, anchor: Instant, now: Instant) -> Instant {
        let cadence = || Cadence::new(self.fleet.target(target), anchor);
        let due = self.inheritance.due.get(&target).copied();
        due.unwrap_or_else(|| cadence().first(now, self.start_window))
    }

    /// The pace of a scope that is new, which begins no sooner than whoever had it before would have gone on.
    pub fn pace(&self, scope: ScopeId, now: Instant, seed: u64) -> Pace {
        let mut pace = Pace::new(self.fleet.scope(scope).limit, now, seed);
        if let Some(&gate) = self.inheritance.gates.get(&scope) {
            pace.hold_until(gate);
        }
        pace
    }
}

/// The assignment that holds, for pollers to look at. Once nobody can change it any more, they end.
#[derive(Clone, Debug)]
pub struct Orders {
    /// What it says.
    pub assignment: Arc<Assignment>,
    /// Whether every poller has let go of the assignment before.
    pub is_settled: bool,
}

/// The scope of a poller is not in the fleet any more.
pub(super) struct Dissolved;

impl<P: Prober> Poller<P> {
    /// Does as the orders of now say.
    pub(super) fn obey(&mut self) -> Result<(), Dissolved> {
        let Orders { assignment, is_settled } = self.orders.borrow_and_update().clone();
        if !Arc::ptr_eq(&assignment, &self.assignment) {
            let scope = assignment.succession.scope(self.scope).ok_or(Dissolved)?;
            self.adopt(assignment, scope);
        }
        if is_settled {
            self.welcome();
        }
        Ok(())
    }

    /// Goes over to the next assignment.
    fn adopt(&mut self, next: Arc<Assignment>, scope: ScopeId) {
        let now = Instant::now();
        let Scope { limit, targets, .. } = next.fleet.scope(scope);
        let before = Arc::clone(&self.assignment);
        let passage = Passage { before: &before, next: &next, scope };
        let mut courses: Vec<Option<Course>> = targets.iter().map(|_| None).collect();
        let polled_so_far = &before.fleet.scope(self.scope).targets;
        for (old, course) in polled_so_far.iter().zip(std::mem::take(&mut self.courses)) {
            if let Some(new) = passage.of(*old).filter(|_| self.newcomers.binary_search(old).is_err()) {
                courses[place_among(targets, new)] = Some(course);
            }
        }
        self.newcomers =
            targets.iter().zip(&courses).filter(|(_, c)| c.is_none()).map(|(id, _)| *id).collect();
        self.courses = courses.into_iter().map(Option::unwrap_or_default).collect();
        let anchor = self.around.anchor;
        let courses = &self.courses;
        self.due.revise(|old, due| {
            let new = passage.of(old)?;
            let (was, target) = (before.fleet.target(old), next.fleet.target(new));
            if was.polling == target.polling {
                return Some((new, due));
            }
            let interval = interval(&target.polling, courses[place_among(targets, new)].phase);
            Some((new, due.min(Cadence::new(target, anchor).next(now, interval))))
        });
        let (ready, steps) = std::mem::take(&mut self.under_way).into_parts();
        for (due, session) in ready {
            if let Some(moved) = passage.go_on(due, &mut self.due) {
                self.under_way.ready(moved, session);
            }
        }
        for Step { due, work } in steps {
            let moved = match &work {
                Work::SigningIn(_) => passage.go_on(due, &mut self.due),
                Work::Calling(..) => passage.of(due.target).map(|target| Due { target, ..due }),
            };
            match (moved, work.permit()) {
                (Some(due), _) => self.under_way.begin(due, work),
                // Nobody waits for the answer any more.
                (None, Some(permit)) => {
                    self.calls -= 1;
                    self.pace.finish(permit, Answer::Unanswered, now);
                }
                (None, None) => {}
            }
        }
        self.pace.set_limit(*limit);
        self.most_steps = most_steps(*limit);
        self.scope = scope;
        self.assignment = next;
    }

    /// Lets what is new to the scope be polled.
    fn welcome(&mut self) {
        let now = Instant::now();
        for target in std::mem::take(&mut self.newcomers) {
            self.due.push(target, self.assignment.first_turn(target, self.around.anchor, now));
        }
    }
}

/// From one assignment to the next, in the eyes of one poller.
struct Passage<'a> {
    before: &'a Assignment,
    next: &'a Assignment,
    scope: ScopeId,
}

impl Passage<'_> {
    /// What a target is now; `None` if it has gone, or to another scope, or is not asked any more.
    fn of(&self, old: TargetId) -> Option<TargetId> {
        let new = self.next.succession.target(old)?;
        let fleet = &self.next.fleet;
        (fleet.target(new).scope == self.scope && !fleet.leaving.contains_key(&new)).then_some(new)
    }

    /// The same for one that is about to be asked. If somebody else asks for it now, it begins anew, as
    /// due as it was.
    fn go_on(&self, due: Due, queue: &mut DueQueue) -> Option<Due> {
        let target = self.of(due.target)?;
        let (was, is) =
            (&self.before.fleet.target(due.target).identity, &self.next.fleet.target(target).identity);
        if was == is && !self.next.redefined.contains(is) {
            return Some(Due { target, ..due });
        }
        queue.push(target, due.at);
        None
    }
}

/// The place of a target among those of a scope, which are in ascending order.
pub(super) fn place_among(targets: &[TargetId], target: TargetId) -> usize {
    targets.binary_search(&target).expect("a scope's targets are in ascending order, and it is one of them")
}
