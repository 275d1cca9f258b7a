//! A store of leases whose clock and whose network are as a test wants them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::model::{Claim, Epoch, Lease, ReplicaId};
use crate::store::{LeaseState, Leases, LiveReplica, Replica, Roll, StoreError};

/// How long a call takes: half of it before the store does it, half after.
pub(super) const LATENCY: Duration = Duration::from_millis(20);

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It is done.
    Done,
    /// It is not done, and there is no answer.
    Hangs,
    /// It is done, and there is no answer.
    LosesItsAnswer,
    /// It is done, and the answer is so late.
    AnswersLate(Duration),
    /// It is refused.
    Fails,
    /// There is no answer, and it is done so much later.
    ComesLate(Duration),
}

/// What a replica's calls go through. Clones share the store; each has a fate of its own.
#[derive(Clone)]
pub(super) struct FakeStore {
    shared: Arc<Mutex<Shared>>,
    line: Arc<Mutex<Line>>,
    began: Instant,
    /// How many seconds of the store go by in one of the replicas.
    rate: f64,
}

#[derive(Default)]
struct Shared {
    replicas: BTreeMap<ReplicaId, (Arc<str>, Duration)>,
    leases: BTreeMap<Lease, Row>,
    /// What is still on its way, and when it arrives.
    late: Vec<(Duration, Work)>,
}

type Work = Box<dyn FnOnce(&mut Shared, Duration) + Send>;

#[derive(Default)]
struct Line {
    fates: VecDeque<Fate>,
    /// Until told otherwise.
    usual: Option<Fate>,
    calls: Vec<(Instant, &'static str)>,
}

#[derive(Clone, Copy, Default)]
struct Row {
    epoch: u64,
    holder: Option<(ReplicaId, Duration)>,
}

impl FakeStore {
    pub(super) fn new() -> Self {
        Self::running_at(1.0)
    }

    /// A store whose clock is so fast.
    pub(super) fn running_at(rate: f64) -> Self {
        Self { shared: Arc::default(), line: Arc::default(), began: Instant::now(), rate }
    }

    /// The same store, reached by another line.
    pub(super) fn by_another_line(&self) -> Self {
        Self { line: Arc::default(), ..self.clone() }
    }

    /// What becomes of the next calls.
    pub(super) fn next(&self, fates: impl IntoIterator<Item = Fate>) {
        self.line.lock().unwrap().fates.extend(fates);
    }

    /// What becomes of all calls from now on.
    pub(super) fn always(&self, fate: Fate) {
        self.line.lock().unwrap().usual = Some(fate);
    }

    /// When what was called.
    pub(super) fn calls(&self, what: &str) -> Vec<Instant> {
        let line = self.line.lock().unwrap();
        line.calls.iter().filter(|(_, called)| *called == what).map(|(at, _)| *at).collect()
    }

    /// Who holds a lease, and its epoch.
    pub(super) fn holder(&self, lease: &Lease) -> (Option<ReplicaId>, u64) {
        let (now, shared) = (self.now(), self.shared());
        let row = shared.leases.get(lease).copied().unwrap_or_default();
        (row.holder.filter(|(_, end)| *end > now).map(|(holder, _)| holder), row.epoch)
    }

    /// Lets somebody else hold a lease, whoever had it.
    pub(super) fn give(&self, lease: &Lease, holder: ReplicaId, duration: Duration) {
        let (end, mut shared) = (self.now() + duration, self.shared());
        let row = shared.leases.entry(lease.clone()).or_default();
        *row = Row { epoch: row.epoch + 1, holder: Some((holder, end)) };
    }

    /// Who takes part.
    pub(super) fn replicas(&self) -> Vec<ReplicaId> {
        let (now, shared) = (self.now(), self.shared());
        shared.replicas.iter().filter(|(_, (_, end))| *end > now).map(|(id, _)| *id).collect()
    }

    fn now(&self) -> Duration {
        self.began.elapsed().mul_f64(self.rate)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        let (now, mut shared) = (self.now(), self.shared.lock().unwrap());
        let arrived: Vec<_> = shared.late.extract_if(.., |(at, _)| *at <= now).collect();
        arrived.into_iter().for_each(|(at, work)| work(&mut shared, at));
        shared
    }

    async fn call<T: Send>(
        &self,
        what: &'static str,
        work: impl FnOnce(&mut Shared, Duration) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let fate = {
            let mut line = self.line.lock().unwrap();
            line.calls.push((Instant::now(), what));
            line.fates.pop_front().or(line.usual).unwrap_or(Fate::Done)
        };
        sleep(LATENCY / 2).await;
        match fate {
            Fate::Done => {
                let done = work(&mut self.shared(), self.now());
                sleep(LATENCY / 2).await;
                return Ok(done);
            }
            Fate::AnswersLate(by) => {
                let done = work(&mut self.shared(), self.now());
                sleep(by).await;
                return Ok(done);
            }
            Fate::Fails => return Err(StoreError::Unknown { row: "any".into(), column: "any" }),
            Fate::Hangs => {}
            Fate::LosesItsAnswer => {
                work(&mut self.shared(), self.now());
            }
            Fate::ComesLate(by) => {
                let late = Box::new(|shared: &mut Shared, at| drop(work(shared, at)));
                self.shared().late.push((self.now() + by.mul_f64(self.rate), late));
            }
        }
        std::future::pending().await
    }
}

impl Shared {
    fn is_held(&self, claim: &Claim, by: ReplicaId, now: Duration) -> bool {
        self.leases.get(&claim.lease).is_some_and(|row| {
            row.epoch == claim.epoch.0 && row.holder.is_some_and(|(holder, end)| holder == by && end > now)
        })
    }

    fn roll(&self, me: ReplicaId, now: Duration) -> Roll {
        let live = self.replicas.iter().filter(|(_, (_, end))| *end > now);
        let state = |(lease, row): (&Lease, &Row)| LeaseState {
            lease: lease.clone(),
            epoch: Epoch(row.epoch),
            holder: row.holder.filter(|(_, end)| *end > now).map(|(holder, _)| holder),
        };
        Roll {
            replicas: live.map(|(id, (name, _))| LiveReplica { id: *id, name: Arc::clone(name) }).collect(),
            leases: self.leases.iter().map(state).collect(),
            next_end: self
                .leases
                .values()
                .filter_map(|row| row.holder)
                .filter(|(holder, end)| *holder != me && *end > now)
                .map(|(_, end)| end - now)
                .min(),
        }
    }
}

impl Leases for FakeStore {
    async fn renew(
        &self,
        me: &Replica,
        known: &[Lease],
        held: &[Claim],
        duration: Duration,
    ) -> Result<Roll, StoreError> {
        let (me, known, held) = (me.clone(), known.to_vec(), held.to_vec());
        self.call("renew", move |shared, now| {
            shared.replicas.insert(me.id, (Arc::clone(&me.name), now + duration));
            for claim in held {
                if shared.is_held(&claim, me.id, now) {
                    shared.leases.entry(claim.lease).or_default().holder = Some((me.id, now + duration));
                }
            }
            for lease in known {
                shared.leases.entry(lease).or_default();
            }
            shared.roll(me.id, now)
        })
        .await
    }

    async fn take(
        &self,
        me: &ReplicaId,
        wanted: &[Lease],
        duration: Duration,
    ) -> Result<Vec<Claim>, StoreError> {
        let (me, wanted) = (*me, wanted.to_vec());
        self.call("take", move |shared, now| {
            let mut taken = Vec::new();
            for lease in wanted {
                let Some(row) = shared.leases.get_mut(&lease) else { continue };
                if row.holder.is_none_or(|(_, end)| end <= now) {
                    *row = Row { epoch: row.epoch + 1, holder: Some((me, now + duration)) };
                    taken.push(Claim { lease, epoch: Epoch(row.epoch) });
                }
            }
            taken
        })
        .await
    }

    async fn release(&self, me: &ReplicaId, claims: &[Claim]) -> Result<(), StoreError> {
        let (me, claims) = (*me, claims.to_vec());
        self.call("release", move |shared, now| {
            for claim in claims {
                if shared.is_held(&claim, me, now) {
                    shared.leases.entry(claim.lease).or_default().holder = None;
                }
            }
        })
        .await
    }

    async fn leave(&self, me: &ReplicaId) -> Result<(), StoreError> {
        let me = *me;
        self.call("leave", move |shared, _| {
            shared.replicas.remove(&me);
        })
        .await
    }

    fn unanswered(&self) {
        self.line.lock().unwrap().calls.push((Instant::now(), "unanswered"));
    }
}
