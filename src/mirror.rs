//! The loop that knows the whole fleet, of which other replicas hold a part.
//!
//! What this replica holds it takes as the tracker shows it, at once. The rest it reads from the store, where
//! the others write it: each second what has changed since the last time. When the store cannot be read, what
//! was last heard stays, with the time since when nothing was. It keeps the states of all targets, so that a
//! shard that goes elsewhere, and a fleet that grows, are shown without another look.

mod kept;
mod union;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use self::kept::Kept;
use self::union::{Index, Union};
use crate::clock::Clock;
use crate::liveness::{Liveness, Loop, Promise};
use crate::model::{Fleet, Holders, Lease, ReplicaId, Snapshot, Whole};
use crate::store::{Changes, Replica, Roll, Store, StoreError};

/// How often it is read what others have written.
const READ: Duration = Duration::from_secs(1);

/// How long the loop sleeps at most, to prove that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What the store tells of what others hold.
pub trait Source: Clone + Send + Sync + 'static {
    /// What has become of the states since a revision; of all of them without one.
    fn states_since(&self, revision: Option<u64>)
    -> impl Future<Output = Result<Changes, StoreError>> + Send;

    /// Until when nothing may be sent in quota scopes, by their names, where that is still to come.
    fn gates(
        &self,
        now: Timestamp,
    ) -> impl Future<Output = Result<BTreeMap<String, Timestamp>, StoreError>> + Send;
}

impl Source for Store {
    async fn states_since(&self, revision: Option<u64>) -> Result<Changes, StoreError> {
        Self::states_since(self, revision).await
    }

    async fn gates(&self, now: Timestamp) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        Self::gates(self, now).await
    }
}

/// What the loop hears of this replica.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The whole fleet of the configuration in force, whoever holds what of it.
    pub fleet: watch::Receiver<Arc<Fleet>>,
    /// What is known of the part that this replica holds.
    pub local: watch::Receiver<Arc<Snapshot>>,
    /// How the leases stood in the last round.
    pub roll: watch::Receiver<Arc<Roll>>,
}

/// Knows the whole fleet.
pub struct Mirror<S> {
    source: S,
    inputs: Inputs,
    me: Replica,
    /// How many shards there are.
    shards: u16,
    clock: Clock,
    promise: Promise,
    shown: watch::Sender<Arc<Whole>>,
    kept: Kept,
    union: Union,
    roll: Arc<Roll>,
    /// One after another, so that none is overtaken by an older one.
    reading: Option<Reading>,
    next_read: Instant,
    /// When the last reading began that succeeded; at first, when the loop began.
    heard_at: Timestamp,
    unheard_since: Option<Timestamp>,
}

type News = (Changes, BTreeMap<String, Timestamp>);
type Reading = Pin<Box<dyn Future<Output = (Timestamp, Result<News, StoreError>)> + Send>>;

impl<S: Source> Mirror<S> {
    /// A loop that has read nothing yet, of a replica where scopes are spread over so many shards; and where to
    /// look at the whole.
    pub fn new(
        source: S,
        inputs: Inputs,
        me: Replica,
        shards: u16,
        clock: Clock,
        liveness: &Arc<Liveness>,
    ) -> (Self, watch::Receiver<Arc<Whole>>) {
        let (fleet, local) = (inputs.fleet.borrow().clone(), inputs.local.borrow().clone());
        let (roll, now, kept) = (inputs.roll.borrow().clone(), clock.now(), Kept::default());
        let index = Arc::new(Index::of(fleet, shards));
        let union = Union::new(index, local, &kept, None, now);
        let whole = show(&union, holders(&union, &roll, &me, shards, None));
        let (shown, look) = watch::channel(Arc::new(whole));
        let mirror = Self {
            source,
            inputs,
            me,
            shards,
            clock,
            promise: liveness.promise(Loop::Mirror),
            shown,
            kept,
            union,
            roll,
            reading: None,
            next_read: Instant::now(),
            heard_at: now,
            unheard_since: None,
        };
        (mirror, look)
    }

    /// Goes on until one of its inputs has closed; the last that it knew can be looked at from then on.
    pub async fn run(mut self) {
        loop {
            self.read();
            let wake = match self.reading {
                Some(_) => Instant::now() + HEARTBEAT,
                None => self.next_read,
            };
            self.promise.back_by(wake);
            let is_open = tokio::select! {
                biased;
                heard = self.inputs.fleet.changed() => heard.is_ok(),
                heard = self.inputs.roll.changed() => heard.is_ok(),
                heard = self.inputs.local.changed() => heard.is_ok(),
                Some((began, read)) = OptionFuture::from(self.reading.as_mut()) => {
                    self.reading = None;
                    self.take(began, read);
                    true
                }
                () = sleep_until(wake) => true,
            };
            self.follow();
            if !is_open {
                return;
            }
        }
    }

    /// Begins to read, if it is time to.
    fn read(&mut self) {
        if self.reading.is_some() || Instant::now() < self.next_read {
            return;
        }
        self.next_read = Instant::now() + READ;
        let (source, since, began) = (self.source.clone(), self.kept.revision(), self.clock.now());
        self.reading = Some(Box::pin(async move {
            let read = async {
                let changes = source.states_since(since).await?;
                Ok((changes, source.gates(began).await?))
            };
            (began, read.await)
        }));
    }

    fn take(&mut self, began: Timestamp, read: Result<News, StoreError>) {
        match read {
            Ok((changes, gates)) => {
                if self.unheard_since.take().is_some() {
                    tracing::info!("the store tells again what other replicas hold");
                }
                self.heard_at = began;
                let changed = self.kept.take(changes);
                self.union.refresh(&changed, &self.kept);
                self.union.gate(gates);
            }
            Err(error) if self.unheard_since.is_some() => {
                tracing::debug!(%error, "the store still does not tell what other replicas hold");
            }
            Err(error) => {
                tracing::warn!(%error, "the store does not tell what other replicas hold: the last of it is shown");
                self.unheard_since = Some(self.heard_at);
            }
        }
    }

    /// Takes in what is new of this replica, and shows what is other than before.
    fn follow(&mut self) {
        let fleet = self.inputs.fleet.borrow_and_update().clone();
        let local = self.inputs.local.borrow_and_update().clone();
        self.roll = self.inputs.roll.borrow_and_update().clone();
        let is_same_fleet = self.union.is_of(&fleet);
        if is_same_fleet && self.union.is_linked_to(&local.fleet) {
            self.union.follow(local);
        } else {
            let index = match is_same_fleet {
                true => self.union.index(),
                false => Arc::new(Index::of(fleet, self.shards)),
            };
            for (key, known) in self.union.parted_with(&local) {
                self.kept.remember(key, known);
            }
            self.union = Union::new(index, local, &self.kept, Some(&self.union), self.clock.now());
        }
        let holders = holders(&self.union, &self.roll, &self.me, self.shards, self.unheard_since);
        let is_other = self.shown.borrow().holders.as_ref() != Some(&holders);
        if self.union.has_changed() || is_other {
            self.shown.send_replace(Arc::new(show(&self.union, holders)));
            self.union.shown();
        }
    }
}

fn show(union: &Union, holders: Holders) -> Whole {
    Whole { snapshot: Arc::new(union.snapshot().clone()), holders: Some(holders) }
}

/// Who holds what: of its own shards this replica knows best, of the others' the roll tells.
fn holders(
    union: &Union,
    roll: &Roll,
    me: &Replica,
    shards: u16,
    unheard_since: Option<Timestamp>,
) -> Holders {
    let mut others = vec![None; usize::from(shards)];
    for state in &roll.leases {
        if let (Lease::Shard(shard), Some(holder)) = (&state.lease, state.holder)
            && holder != me.id
            && let Some(other) = others.get_mut(usize::from(*shard))
        {
            *other = Some(called(roll, holder));
        }
    }
    Holders {
        me: roll.replicas.iter().find(|one| one.id == me.id).map_or(me.name.clone(), |_| called(roll, me.id)),
        rights: union.rights(),
        others: others.into(),
        are_several: roll.replicas.iter().any(|one| one.id != me.id) || !union.is_all_here(),
        unheard_since,
    }
}

/// What a replica is called; two of one name are told apart by the beginning of their ids.
fn called(roll: &Roll, id: ReplicaId) -> Arc<str> {
    let Some(replica) = roll.replicas.iter().find(|replica| replica.id == id) else {
        return id.to_string().into();
    };
    if roll.replicas.iter().all(|other| other.id == id || other.name != replica.name) {
        return Arc::clone(&replica.name);
    }
    let text = id.to_string();
    format!("{} {}", replica.name, &text[..8]).into()
}

#[cfg(test)]
mod tests;
