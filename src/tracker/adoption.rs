//! How the tracker goes over to another generation of configuration.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::Tracker;
use super::saved::restore;
use crate::model::{Event, Fleet, Generation, Report, ScopeId, Succession, TargetId};
use crate::store::{Ledger, SavedState, TargetKey};

/// What the tracker is told of another generation, before any poller is.
#[derive(Debug)]
pub struct Adoption {
    /// What is watched from now on.
    pub fleet: Arc<Fleet>,
    /// What became of what has been watched so far.
    pub succession: Arc<Succession>,
    /// Who of those that have been watched so far has come to an end, and is not only watched no more.
    pub ended: Vec<TargetId>,
    /// What the store keeps of the targets that are new. It is read once the adoption before is done.
    pub kept: Vec<(TargetKey, SavedState)>,
    /// The time.
    pub now: Timestamp,
    /// Hears when the new generation is shown.
    pub done: oneshot::Sender<()>,
    /// Hears when all is written that came before it.
    pub written: oneshot::Sender<()>,
}

/// Where the targets and scopes are of which pollers still speak that have not heard of the new generation
/// yet.
pub(super) struct Earlier {
    generation: Generation,
    succession: Arc<Succession>,
}

impl<L: Ledger + Clone> Tracker<L> {
    /// Goes over to another generation, and shows it at once.
    pub(super) fn adopt(&mut self, adoption: Adoption, reports: &mut mpsc::Receiver<Report>) {
        // Some may be of the generation before the one that ends here, and nobody could tell who they are
        // about any more. All of those have been sent: no generation begins before every poller has heard
        // of the one before.
        for _ in 0..reports.len() {
            let Ok(report) = reports.try_recv() else { break };
            self.take(report);
        }
        let Adoption { fleet, succession, ended, kept, now, done, written } = adoption;
        let next = self.snapshot.under(fleet, &succession, now);
        let before = std::mem::replace(&mut self.snapshot, next);
        for id in ended {
            let (target, state) = (before.fleet.target(id), &before.targets[id.0 as usize]);
            let events = state.ended(now).into_iter().map(|end| Event::new(target, end, &state.details));
            self.outbox.end(id, target, before.fleet.claim(target), events);
        }
        self.outbox.adopt(&succession, &before);
        self.outbox.tell_when_written(written);
        // What had not been written when the store was read is newer than what had, so it comes last.
        let unwritten: Vec<_> = succession
            .new_targets()
            .iter()
            .filter_map(|&target| {
                let fleet = &self.snapshot.fleet;
                let (key, claim) = (TargetKey::from(fleet.target(target)), fleet.claim(fleet.target(target)));
                let saved = self.outbox.come_back(&key, target, claim)?;
                Some((key, saved))
            })
            .collect();
        restore(&mut self.snapshot, kept.into_iter().chain(unwritten));
        self.outbox.adopted();
        self.earlier = Some(Earlier { generation: before.fleet.generation, succession });
        self.publish();
        // Who waits may have gone: the daemon is ending.
        let _ = done.send(());
    }

    /// Where a target is now that a report of this generation speaks of; `None` if it is gone.
    pub(super) fn target_now(&self, generation: Generation, target: TargetId) -> Option<TargetId> {
        if generation == self.snapshot.fleet.generation {
            return Some(target);
        }
        self.before(generation)?.target(target)
    }

    /// The same for a scope.
    pub(super) fn scope_now(&self, generation: Generation, scope: ScopeId) -> Option<ScopeId> {
        if generation == self.snapshot.fleet.generation {
            return Some(scope);
        }
        self.before(generation)?.scope(scope)
    }

    fn before(&self, generation: Generation) -> Option<&Succession> {
        let earlier = self.earlier.as_ref().filter(|earlier| earlier.generation == generation);
        earlier.map(|earlier| &*earlier.succession)
    }
}
