mod replicas;
mod trouble;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{advance, sleep};

use super::fake::{FakeStore, Fate};
use super::*;
use crate::model::{Epoch, ReplicaId};
use crate::store::OutOfTouch;

const LEASE: Duration = Duration::from_secs(30);
const ROUND: Duration = Duration::from_secs(3);
/// For how long a claim is certain from the moment before it was asked for.
const CERTAIN: Duration = Duration::from_secs(21);
const GRACE: Duration = Duration::from_secs(20);
/// When a replica begins, by its clock.
const BEGAN: Timestamp = Timestamp::constant(1_795_262_400, 0);

/// A replica at work.
struct Running {
    id: ReplicaId,
    store: FakeStore,
    held: watch::Receiver<Arc<Held>>,
    roll: watch::Receiver<Arc<Roll>>,
    contact: Contact,
    known: watch::Sender<Arc<[Lease]>>,
    let_go: LetGo,
    meters: LeaseMeters,
    liveness: Arc<Liveness>,
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Running {
    fn start(store: &FakeStore, known: &[Lease]) -> Self {
        let (store, id) = (store.by_another_line(), ReplicaId::random());
        let me = Replica { id, name: "test".into() };
        let (known, watched) = watch::channel(known.into());
        let (meters, clock, liveness) = (LeaseMeters::new(16), Clock::starting_at(BEGAN), Arc::default());
        let leases = Arc::new(store.clone());
        let (keeper, let_go) = Keeper::new(leases, me, LEASE, watched, meters.clone(), clock, &liveness);
        let (held, roll, contact) = (keeper.held(), keeper.roll(), keeper.contact());
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(keeper.run(stop.clone(), GRACE));
        Self { id, store, held, roll, contact, known, let_go, meters, liveness, stop, task }
    }

    /// A replica that has taken everything.
    async fn alone(store: &FakeStore, known: &[Lease]) -> Self {
        let running = Self::start(store, known);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(running.leases(), known);
        running
    }

    fn now(&self) -> Arc<Held> {
        Arc::clone(&self.held.borrow())
    }

    fn leases(&self) -> Vec<Lease> {
        self.now().tenures().map(|(lease, _)| lease.clone()).collect()
    }

    fn going(&self) -> Vec<Claim> {
        let held = self.now();
        held.claims().filter(|claim| held.get(&claim.lease).unwrap().is_going).collect()
    }

    fn epoch(&self, lease: &Lease) -> Option<u64> {
        self.now().claim(lease).map(|claim| claim.epoch.0)
    }

    /// For how long it is out of touch since the store last answered, in seconds from its beginning; `None`
    /// while it is in touch.
    fn out_of_touch_since(&self) -> Option<i64> {
        let out_of_touch = self.contact.check(Instant::now()).err();
        out_of_touch.map(|OutOfTouch(since)| since.duration_since(BEGAN).as_secs())
    }

    /// Whether a lease is held for certain.
    fn is_certain(&self, lease: &Lease) -> bool {
        self.now().is_certain(lease, Instant::now())
    }

    /// Lets go of all that is going.
    async fn let_go(&self) {
        for claim in self.going() {
            self.let_go.send(claim).await.unwrap();
        }
    }

    fn count(&self, handover: Handover) -> u64 {
        self.meters.handovers(handover)
    }

    async fn end(mut self) {
        self.task.join_next().await.unwrap().unwrap();
    }
}

fn shards(count: u16) -> Vec<Lease> {
    (0..count).map(Lease::Shard).collect()
}

/// Sleeps in steps, and calls in between.
async fn watching(total: Duration, mut each: impl AsyncFnMut()) {
    let end = Instant::now() + total;
    while Instant::now() < end {
        sleep(Duration::from_millis(50)).await;
        each().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_alone_takes_all_that_it_knows_and_renews_it() {
    let (store, known) =
        (FakeStore::new(), [&shards(4)[..], &[Lease::Sink("a".into()), Lease::House]].concat());
    let replica = Running::start(&store, &known);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(replica.leases(), known);
    assert_eq!((replica.now().shards(), replica.count(Handover::Taken)), (4, 4));
    let mut held = replica.held.clone();
    held.mark_unchanged();
    watching(Duration::from_mins(10), async || {
        assert!(known.iter().all(|lease| replica.is_certain(lease) && replica.epoch(lease) == Some(1)));
    })
    .await;
    assert!(!held.has_changed().unwrap(), "nothing else is held, only for longer");
    let renewals = replica.store.calls("renew");
    assert!(renewals.windows(2).all(|pair| pair[1] - pair[0] <= LEASE / 3), "{renewals:?}");
    assert!(renewals.len() < 210, "{}", renewals.len());
    assert_eq!((replica.store.calls("take").len(), replica.store.calls("release").len()), (1, 0));
    assert_eq!(replica.roll.borrow().replicas[0].id, replica.id);
    assert_eq!(replica.liveness.check(Instant::now()), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_certain_from_before_it_was_asked_for_and_no_longer_than_the_lease() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(1)).await;
    let asked = store_last(&replica, "renew");
    replica.store.always(Fate::Hangs);
    sleep(Duration::from_secs(1)).await;
    let held = replica.now();
    assert_eq!(
        held.get(&Lease::Shard(0)).unwrap().certain_until,
        asked.max(store_last(&replica, "take")) + CERTAIN
    );
}

/// When something was asked last.
fn store_last(replica: &Running, what: &str) -> Instant {
    *replica.store.calls(what).last().unwrap()
}

#[tokio::test(start_paused = true)]
async fn at_the_end_all_is_handed_over_as_soon_as_it_is_let_go_of() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(3)).await;
    replica.stop.cancel();
    sleep(Duration::from_millis(10)).await;
    let going = replica.going();
    assert_eq!(going.len(), 3, "nothing is begun any more");
    assert!(replica.is_certain(&Lease::Shard(0)), "what there is can be written");
    replica.let_go.send(going[0].clone()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(store.holder(&Lease::Shard(0)), (None, 1));
    assert_eq!(store.holder(&Lease::Shard(1)).0, Some(replica.id));
    replica.let_go().await;
    let (began, meters) = (Instant::now(), replica.meters.clone());
    replica.end().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((store.holder(&Lease::Shard(2)), store.replicas()), ((None, 1), vec![]));
    assert_eq!(meters.handovers(Handover::HandedOver), 3);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_what_nobody_lets_go_of_is_renewed_for_the_grace_and_then_left_to_expire() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(1)).await;
    replica.stop.cancel();
    watching(GRACE - Duration::from_secs(1), async || assert!(replica.is_certain(&Lease::Shard(0)))).await;
    let (id, held, began) = (replica.id, replica.held.clone(), Instant::now());
    replica.end().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(held.borrow().tenures().len(), 0);
    assert_eq!((store.holder(&Lease::Shard(0)).0, store.replicas()), (Some(id), vec![]));
    sleep(LEASE).await;
    assert_eq!(store.holder(&Lease::Shard(0)), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn it_ends_within_the_grace_though_the_store_is_away() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(2)).await;
    replica.store.always(Fate::Hangs);
    replica.stop.cancel();
    sleep(Duration::from_millis(10)).await;
    replica.let_go().await;
    let began = Instant::now();
    replica.end().await;
    assert!(began.elapsed() <= GRACE + LEASE / 6, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_before_it_has_begun_leaves_nothing_behind() {
    let store = FakeStore::new();
    let replica = Running::start(&store, &shards(2));
    sleep(Duration::from_millis(25)).await;
    assert_eq!(replica.store.calls("take").len(), 1, "it is on its way");
    replica.stop.cancel();
    replica.end().await;
    assert_eq!((store.holder(&Lease::Shard(0)), store.replicas()), ((None, 1), vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_any_more_is_given_up_and_what_is_new_is_taken() {
    let store = FakeStore::new();
    let [a, b] = ["a", "b"].map(|name| Lease::Sink(name.into()));
    let replica = Running::alone(&store, std::slice::from_ref(&a)).await;
    replica.known.send_replace([b.clone()].into());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(replica.going(), [Claim { lease: a.clone(), epoch: Epoch(1) }]);
    assert!(replica.is_certain(&b));
    replica.let_go().await;
    sleep(ROUND * 5).await;
    assert_eq!((replica.leases(), store.holder(&a).0), (vec![b], None));
    replica.known.send_replace([a.clone()].into());
    replica.known.send_replace([a.clone(), Lease::House].into());
    sleep(ROUND * 2).await;
    assert_eq!(replica.epoch(&a), Some(2));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_let_go_of_unasked_is_released_and_a_stale_word_is_not_heard() {
    let store = FakeStore::new();
    let replica = Running::alone(&store, &shards(1)).await;
    let claim = replica.now().claim(&Lease::Shard(0)).unwrap();
    replica.let_go.send(claim.clone()).await.unwrap();
    sleep(ROUND * 2).await;
    assert_eq!(replica.epoch(&Lease::Shard(0)), Some(2));
    replica.let_go.send(claim).await.unwrap();
    sleep(ROUND * 2).await;
    assert_eq!(replica.epoch(&Lease::Shard(0)), Some(2));
}
