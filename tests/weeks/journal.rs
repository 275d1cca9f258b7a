//! What happened, in its order: the script's own record, which everything is judged by.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use regwatch::store::TargetKey;

use super::settings::{Bucket, Ms, Settings, Times};

/// The number of a target, the same through all configurations.
pub(crate) type Target = usize;

/// The number of a scope.
pub(crate) type Scope = usize;

/// How a call ended, as its scope sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// The state at this place of the target's story.
    Told(usize),
    /// AWS counted too many calls, and asked to wait.
    Throttled(Option<Ms>),
    /// AWS let it through, and refused it for another reason.
    Refused,
    /// Nobody knows whether it was counted.
    Lost,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// A process began.
    Begun(Arc<Watched>),
    /// It reads its configuration anew.
    Reloaded(Arc<Watched>),
    /// It is told to end in order: who is being asked about may still answer.
    Stopping,
    /// It has ended: killed or in order.
    Ended { killed: bool },
    /// The turn of a target came, which begins with signing in.
    Turn(Target, Scope),
    /// It has signed in, and waits for its call.
    Ready(Target, Scope),
    /// It could not sign in. The time is what regwatch's clock says of the attempt.
    TurnedAway(Target, Scope, Timestamp),
    /// It was called for.
    Called(Target, Scope),
    /// The call has ended. The time is what regwatch's clock says of its beginning.
    Answered(Target, Scope, Ending, Timestamp),
    /// Nobody waits for it any more: for signing in, or for the answer.
    Dropped(Target, Scope),
}

/// What a configuration asks for.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) targets: HashMap<Target, (Scope, Times)>,
    /// In calls a second.
    pub(crate) limits: HashMap<Scope, f64>,
    pub(crate) start_window: Ms,
}

/// The numbers of what has been named so far.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) targets: Vec<TargetKey>,
    target_numbers: HashMap<TargetKey, Target>,
    pub(crate) scopes: Vec<Bucket>,
    scope_numbers: HashMap<Bucket, Scope>,
}

impl Names {
    pub(crate) fn target(&mut self, key: &TargetKey) -> Target {
        if let Some(&number) = self.target_numbers.get(key) {
            return number;
        }
        self.targets.push(key.clone());
        self.target_numbers.insert(key.clone(), self.targets.len() - 1);
        self.targets.len() - 1
    }

    pub(crate) fn scope(&mut self, bucket: &Bucket) -> Scope {
        if let Some(&number) = self.scope_numbers.get(bucket) {
            return number;
        }
        self.scopes.push(bucket.clone());
        self.scope_numbers.insert(bucket.clone(), self.scopes.len() - 1);
        self.scopes.len() - 1
    }

    /// What settings ask for.
    pub(crate) fn watched(&mut self, settings: &Settings) -> Watched {
        let mut watched = Watched { start_window: settings.start_window, ..Watched::default() };
        for wanted in settings.wanted() {
            let scope = self.scope(&wanted.bucket);
            watched.targets.insert(self.target(&wanted.key), (scope, wanted.times));
            watched.limits.insert(scope, wanted.limit);
        }
        watched
    }
}

/// The record.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) entries: Vec<(Ms, Entry)>,
}

impl Journal {
    pub(crate) fn note(&mut self, at: Ms, entry: Entry) {
        self.entries.push((at, entry));
    }

    /// How many calls were made.
    pub(crate) fn calls(&self) -> usize {
        self.entries.iter().filter(|(_, entry)| matches!(entry, Entry::Called(..))).count()
    }

    /// What tells two runs apart. Within a millisecond the scopes may come in any order: tokio wakes who
    /// waits for the same watch channel by chance.
    pub(crate) fn hash(&self) -> u64 {
        let one = |(at, entry): &(Ms, Entry)| {
            let mut hasher = DefaultHasher::new();
            at.hash(&mut hasher);
            std::mem::discriminant(entry).hash(&mut hasher);
            match entry {
                Entry::Begun(watched) | Entry::Reloaded(watched) => watched.targets.len().hash(&mut hasher),
                Entry::Stopping => {}
                Entry::Ended { killed } => killed.hash(&mut hasher),
                Entry::Turn(target, scope)
                | Entry::Ready(target, scope)
                | Entry::Called(target, scope)
                | Entry::Dropped(target, scope) => (target, scope).hash(&mut hasher),
                Entry::TurnedAway(target, scope, time) => (target, scope, time).hash(&mut hasher),
                Entry::Answered(target, scope, ending, time) => {
                    (target, scope, ending, time).hash(&mut hasher)
                }
            }
            hasher.finish()
        };
        self.entries.iter().map(one).fold(0, u64::wrapping_add)
    }
}
