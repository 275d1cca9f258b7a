//! What is known, and how an observation changes it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    Details, Failure, FailureCounts, Fleet, OrganizationState, Poll, Reading, Resource, ResourceReading,
    ScopeState, Shelves, Status, TargetId, Transition, TransitionKind,
};

/// What is known of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceState {
    /// What AWS last said.
    pub reading: ResourceReading,
    /// Since when regwatch knows this status.
    pub since: Timestamp,
}

/// What is known of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetState {
    /// The resources that AWS last told of, the target itself first.
    pub resources: Vec<ResourceState>,
    /// Names of what AWS last told of.
    pub details: Details,
    /// When AWS first knew of it, by AWS's clock.
    pub created_at: Option<Timestamp>,
    /// When AWS last changed it, by AWS's clock.
    pub modified_at: Option<Timestamp>,
    /// When it was last asked.
    pub last_attempt: Option<Timestamp>,
    /// When it last answered.
    pub last_success: Option<Timestamp>,
    /// When it will be asked next.
    pub next_poll: Option<Timestamp>,
    /// Why the last attempt failed; `None` if it succeeded.
    pub failure: Option<Box<Failure>>,
    /// How often it was asked.
    pub polls: u64,
    /// How often asking failed.
    pub failures: FailureCounts,
    /// How often each transition was seen; those that usually come next are there from the start, at 0.
    pub transitions: Vec<TransitionCount>,
}

/// How often a transition was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransitionCount {
    /// What changed.
    pub resource: Resource,
    /// The state before.
    pub from: Status,
    /// The state after; the same for a [`TransitionKind::Modified`].
    pub to: Status,
    /// How often.
    pub count: u32,
}

impl TargetState {
    /// What was known of a target before a restart. What is counted begins anew, so everything that may
    /// come next begins at 0.
    pub fn restored(resources: Vec<ResourceState>, last_success: Option<Timestamp>) -> Self {
        let mut state = Self { resources, last_success, ..Self::default() };
        for at in 0..state.resources.len() {
            let ResourceReading { resource, status, .. } = state.resources[at].reading;
            state.expect_successors(resource, status);
        }
        state
    }

    /// Takes in one poll and tells what changed. A failure changes no state.
    pub fn record(&mut self, poll: Poll) -> Vec<Transition> {
        self.polls += 1;
        self.last_attempt = Some(poll.attempted_at);
        self.next_poll = Some(poll.next_poll);
        match poll.outcome {
            Err(failure) => {
                self.failures.count(failure.reason);
                self.failure = Some(Box::new(failure));
                Vec::new()
            }
            Ok(reading) => {
                self.failure = None;
                self.last_success = Some(poll.attempted_at);
                self.take(reading, poll.attempted_at)
            }
        }
    }

    /// Whether the last attempt succeeded.
    pub fn is_up(&self) -> bool {
        self.last_attempt.is_some() && self.failure.is_none()
    }

    fn take(&mut self, reading: Reading, observed_at: Timestamp) -> Vec<Transition> {
        let mut transitions: Vec<Transition> = reading
            .resources
            .iter()
            .filter_map(|now| {
                let before = self.resources.iter().find(|state| state.reading.resource == now.resource);
                let kind = match before {
                    None => TransitionKind::FirstSeen,
                    Some(state) if same_status(&state.reading, now) => return None,
                    Some(_) => TransitionKind::Changed,
                };
                Some(transition(kind, before, now, observed_at, reading.modified_at))
            })
            .collect();
        if transitions.is_empty()
            && self.aws_times_moved(&reading)
            && let Some(now) = reading.resources.first()
        {
            let before = self.resources.first();
            let kind = TransitionKind::Modified;
            transitions.push(transition(kind, before, now, observed_at, reading.modified_at));
        }
        for seen in &transitions {
            if let Some(from) = seen.from {
                self.counter(seen.resource, from, seen.to).count += 1;
            }
            self.expect_successors(seen.resource, seen.to);
        }
        self.resources = reading
            .resources
            .into_iter()
            .map(|now| {
                let before = self.resources.iter().find(|s| same_status(&s.reading, &now));
                ResourceState { since: before.map_or(observed_at, |s| s.since), reading: now }
            })
            .collect();
        self.details = reading.details;
        self.created_at = reading.created_at;
        self.modified_at = reading.modified_at;
        transitions
    }

    /// What is told when it is not watched any more: the end of each resource that was known.
    pub fn ended(&self, now: Timestamp) -> Vec<Transition> {
        let end = |state: &ResourceState| {
            transition(TransitionKind::Ended, Some(state), &state.reading, now, self.modified_at)
        };
        self.resources.iter().map(end).collect()
    }

    /// Whether both say the same of what AWS last told, whenever it was told and how often it was asked.
    pub fn knows_the_same_as(&self, other: &Self) -> bool {
        let told = |state: &Self| (state.created_at, state.modified_at);
        told(self) == told(other) && self.details == other.details && self.resources == other.resources
    }

    /// Whether both readings have AWS's times and they differ.
    fn aws_times_moved(&self, reading: &Reading) -> bool {
        let moved = |before: Option<Timestamp>, now: Option<Timestamp>| {
            before.zip(now).is_some_and(|(before, now)| before != now)
        };
        moved(self.created_at, reading.created_at) || moved(self.modified_at, reading.modified_at)
    }

    /// Makes the counters of what usually follows a status.
    fn expect_successors(&mut self, resource: Resource, status: Status) {
        for &next in status.successors() {
            self.counter(resource, status, next);
        }
    }

    /// The counter of a transition, at 0 if there was none.
    fn counter(&mut self, resource: Resource, from: Status, to: Status) -> &mut TransitionCount {
        let is_it = |c: &TransitionCount| (c.resource, c.from, c.to) == (resource, from, to);
        let place = self.transitions.iter().position(is_it).unwrap_or_else(|| {
            self.transitions.push(TransitionCount { resource, from, to, count: 0 });
            self.transitions.len() - 1
        });
        &mut self.transitions[place]
    }
}

fn same_status(before: &ResourceReading, now: &ResourceReading) -> bool {
    (before.resource, before.status, before.text()) == (now.resource, now.status, now.text())
}

fn transition(
    kind: TransitionKind,
    before: Option<&ResourceState>,
    now: &ResourceReading,
    observed_at: Timestamp,
    aws_modified_at: Option<Timestamp>,
) -> Transition {
    Transition {
        kind,
        resource: now.resource,
        from: before.map(|state| state.reading.status),
        to: now.status,
        text: now.text().map(Into::into),
        error_message: now.error_message().map(Into::into),
        previous_since: before.map(|state| state.since),
        observed_at,
        aws_modified_at,
    }
}

/// Everything that is known, at one moment. Readers look at the latest; they never ask.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What is watched.
    pub fleet: Arc<Fleet>,
    /// What is known of each target; a [`TargetId`] is an index.
    pub targets: Shelves<Arc<TargetState>>,
    /// What is known of each quota scope; a [`super::ScopeId`] is an index.
    pub scopes: Shelves<ScopeState>,
    /// What is known of asking each organization; in the order of [`Fleet::organizations`].
    pub organizations: Vec<OrganizationState>,
    /// Since when each target has been watched: silence is measured from here until the first answer.
    pub watched_since: Arc<[Timestamp]>,
    /// Whether there was something to show of every scope before the latest generation took over. Who was
    /// ready once stays so: what came with a reload is no reason to send visitors away.
    pub was_ready: bool,
}

impl Snapshot {
    /// Nothing is known yet of what is watched from now on.
    pub fn new(fleet: Arc<Fleet>, now: Timestamp) -> Self {
        let unknown = Arc::default();
        let targets = fleet.targets.iter().map(|_| Arc::clone(&unknown)).collect();
        let scopes = fleet.scopes.iter().map(ScopeState::new);
        let watched_since = vec![now; fleet.targets.len()].into();
        let organizations = vec![OrganizationState::default(); fleet.organizations.len()];
        Self { targets, scopes: scopes.collect(), organizations, fleet, watched_since, was_ready: false }
    }

    /// When the target was last heard of: its last answer, or when it began to be watched.
    pub fn silent_since(&self, id: TargetId) -> Timestamp {
        let place = id.0 as usize;
        self.targets[place].last_success.unwrap_or(self.watched_since[place])
    }

    /// Whether the target has not answered for as long as its configuration allows. One that is leaving is
    /// not asked.
    pub fn is_stale(&self, id: TargetId, now: Timestamp) -> bool {
        if self.fleet.leaving.contains_key(&id) {
            return false;
        }
        let allowed = self.fleet.target(id).polling.stale_after;
        now.duration_since(self.silent_since(id))
            >= SignedDuration::try_from(allowed).unwrap_or(SignedDuration::MAX)
    }

    /// Whether there is, or was before the last reload, something to show of every quota scope that has
    /// targets, and something to go by of who belongs to each organization.
    pub fn is_ready(&self) -> bool {
        let (begun, all) = self.begun_scopes();
        let has_begun = OrganizationState::has_begun;
        self.was_ready || (begun == all && self.organizations.iter().all(has_begun))
    }

    /// What is known of asking an organization, by its name.
    pub fn organization_mut(&mut self, name: &str) -> Option<&mut OrganizationState> {
        let place = self.fleet.organizations.iter().position(|organization| *organization.name == *name)?;
        Some(&mut self.organizations[place])
    }

    /// Of how many quota scopes there is something to show, and how many have targets: its first attempt
    /// has been made, or all of its targets are known from before a restart.
    pub fn begun_scopes(&self) -> (usize, usize) {
        let known = |id: &TargetId| self.targets[id.0 as usize].last_success.is_some();
        let scopes = self.fleet.scopes.iter().zip(self.scopes.iter());
        let scopes = scopes.filter(|(scope, _)| !scope.targets.is_empty());
        let begun =
            scopes.clone().filter(|(scope, state)| state.attempted || scope.targets.iter().all(known));
        (begun.count(), scopes.count())
    }
}

#[cfg(test)]
mod tests;
