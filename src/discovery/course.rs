//! Which organizations a loop lists, and how it goes over to another generation of configuration.
//!
//! What is listed in the same way keeps its time, and a listing under way goes on; all else begins anew.

use std::sync::Arc;

use tokio::time::Instant;

use super::walk::Walk;
use super::{Call, Discoverer};
use crate::config::Organization;
use crate::poller::Assignment;
use crate::probe::Directory;
use crate::schedule::{Answer, Backoff};

/// When an organization is listed.
pub(super) struct Course {
    pub(super) organization: Arc<Organization>,
    pub(super) due: Instant,
    /// There while it fails.
    pub(super) backoff: Option<Backoff>,
}

impl<D: Directory> Discoverer<D> {
    /// Does as the orders of now say; `false` if its scope is gone.
    pub(super) fn obey(&mut self) -> bool {
        let assignment = Arc::clone(&self.orders.borrow_and_update().assignment);
        if Arc::ptr_eq(&assignment, &self.assignment) {
            return true;
        }
        let Some(scope) = assignment.succession.scope(self.scope) else { return false };
        (self.scope, self.assignment) = (scope, assignment);
        let now = Instant::now();
        self.pace.set_limit(self.assignment.fleet.scope(scope).limit);
        self.plan(now);
        let is_planned = |walk: &Walk| {
            self.courses.iter().any(|course| {
                course.organization.name == walk.organization().name
                    && course.organization.is_listed_like(walk.organization())
                    && !self.assignment.redefined.contains(&walk.organization().identity)
            })
        };
        if !self.current.as_ref().is_some_and(|current| is_planned(&current.walk)) {
            self.current = None;
            if let Some(Call { permit, .. }) = self.call.take() {
                self.pace.finish(permit, Answer::Unanswered, now);
            }
        }
        true
    }

    /// Finds its organizations. Those that are listed as before keep their time; all others are due now.
    pub(super) fn plan(&mut self, now: Instant) {
        let Assignment { fleet, organizations, redefined, .. } = &*self.assignment;
        let of_scope = fleet.organizations.iter().filter(|organization| organization.scope == self.scope);
        let is_own =
            |organization: &&Arc<Organization>| of_scope.clone().any(|own| own.name == organization.name);
        let mut before = std::mem::take(&mut self.courses);
        for organization in organizations.iter().filter(is_own) {
            let is_same = |course: &Course| {
                course.organization.name == organization.name
                    && course.organization.is_listed_like(organization)
                    && !redefined.contains(&organization.identity)
            };
            let course = match before.iter().position(is_same) {
                Some(place) => before.swap_remove(place),
                None => Course { organization: Arc::clone(organization), due: now, backoff: None },
            };
            let due = course.due.min(now + organization.refresh);
            self.courses.push(Course { organization: Arc::clone(organization), due, ..course });
        }
    }
}
