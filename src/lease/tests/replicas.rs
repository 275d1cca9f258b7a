//! Several replicas on one store.

use std::collections::BTreeMap;

use super::*;

/// Who takes part in a test; each lets go at once of what is going.
struct Fleet {
    store: FakeStore,
    replicas: Vec<Running>,
    /// Who was ever certain of a lease under an epoch.
    tenants: BTreeMap<(Lease, u64), ReplicaId>,
    /// When each lease was last held for certain, and the longest time that one was not.
    certain: BTreeMap<Lease, Instant>,
    longest_gap: Duration,
    /// How often they are looked at.
    step: Duration,
}

impl Fleet {
    fn new() -> Self {
        Self {
            store: FakeStore::new(),
            replicas: Vec::new(),
            tenants: BTreeMap::new(),
            certain: BTreeMap::new(),
            longest_gap: Duration::ZERO,
            step: Duration::from_millis(20),
        }
    }

    fn start(&mut self, known: &[Lease]) -> usize {
        self.replicas.push(Running::start(&self.store, known));
        self.replicas.len() - 1
    }

    /// Lets time go by, and looks at who is certain of what.
    async fn live(&mut self, total: Duration) {
        let end = Instant::now() + total;
        while Instant::now() < end {
            sleep(self.step).await;
            let now = Instant::now();
            let mut certain = BTreeMap::new();
            for replica in &self.replicas {
                replica.let_go().await;
                let held = replica.now();
                for (lease, tenure) in held.tenures().filter(|(_, tenure)| now < tenure.certain_until) {
                    let before = certain.insert(lease.clone(), replica.id);
                    assert_eq!(before, None, "two hold {lease}");
                    let tenant = *self.tenants.entry((lease.clone(), tenure.epoch.0)).or_insert(replica.id);
                    assert_eq!(tenant, replica.id, "two under one epoch");
                }
            }
            for lease in certain.into_keys() {
                let last = self.certain.insert(lease, now).unwrap_or(now);
                self.longest_gap = self.longest_gap.max(now - last);
            }
        }
    }

    fn counts(&self) -> Vec<usize> {
        self.replicas.iter().map(|replica| replica.leases().len()).collect()
    }

    /// Who ends, having handed over what it had.
    async fn stop(&mut self, index: usize) {
        self.replicas[index].stop.cancel();
        self.live(Duration::from_secs(1)).await;
        self.replicas.remove(index).end().await;
    }

    /// Who is gone from one moment to the next.
    fn kill(&mut self, index: usize) {
        drop(self.replicas.remove(index));
    }
}

#[tokio::test(start_paused = true)]
async fn three_come_and_go_and_share_fairly_with_short_gaps() {
    let known = [&shards(16)[..], &[Lease::Sink("a".into()), Lease::Sink("b".into()), Lease::House]].concat();
    let mut fleet = Fleet::new();
    fleet.start(&known);
    fleet.live(ROUND * 2).await;
    assert_eq!(fleet.counts(), [19]);
    fleet.start(&known);
    fleet.start(&known);
    fleet.live(ROUND * 10).await;
    let mut counts = fleet.counts();
    counts.sort_unstable();
    assert_eq!(counts, [6, 6, 7]);
    // A free lease waits for the next round of whoever's turn it is.
    assert!(fleet.longest_gap <= ROUND * 2, "{:?}", fleet.longest_gap);

    let epochs: u64 = known.iter().map(|lease| fleet.store.holder(lease).1).sum();
    fleet.live(LEASE * 10).await;
    assert_eq!(known.iter().map(|lease| fleet.store.holder(lease).1).sum::<u64>(), epochs, "nothing moves");

    fleet.stop(0).await;
    fleet.live(ROUND * 3).await;
    assert_eq!(fleet.counts().iter().sum::<usize>(), 19);
    assert!(fleet.longest_gap <= ROUND * 2, "{:?}", fleet.longest_gap);

    fleet.kill(0);
    fleet.live(LEASE).await;
    assert_eq!(fleet.counts(), [19]);
    // The store gives four fifths of a lease, and its end is seen when it comes.
    assert!(fleet.longest_gap <= LEASE * 4 / 5 + Duration::from_secs(1), "{:?}", fleet.longest_gap);
}

#[tokio::test(start_paused = true)]
async fn what_only_one_knows_is_held_by_that_one_and_does_not_flap() {
    let [a, b, c] = ["a", "b", "c"].map(|name| Lease::Sink(name.into()));
    let mut fleet = Fleet::new();
    fleet.start(&[a.clone(), b.clone(), c.clone()]);
    fleet.live(ROUND).await;
    // It can take one of the three at most, and thinks that there is one.
    fleet.start(std::slice::from_ref(&b));
    fleet.live(LEASE * 3).await;
    let held = |fleet: &Fleet| [&a, &b, &c].map(|lease| fleet.store.holder(lease));
    let settled = held(&fleet);
    assert!(settled.iter().all(|(holder, _)| holder.is_some()), "{settled:?}");
    // Until it is offered again.
    fleet.live(LEASE * 15).await;
    assert_eq!(held(&fleet), settled);
    fleet.live(LEASE * 15).await;
    assert!(held(&fleet).iter().all(|(holder, _)| holder.is_some()));
    assert!(fleet.longest_gap <= ROUND * 5, "{:?}", fleet.longest_gap);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_slow_to_let_go_does_not_hold_up_what_it_has_released() {
    let known = shards(8);
    let mut fleet = Fleet::new();
    fleet.start(&known);
    fleet.start(&known);
    fleet.live(ROUND * 8).await;
    assert_eq!(fleet.counts(), [4, 4]);
    // It ends, and lets go of all but one.
    let slow = fleet.replicas.remove(0);
    slow.stop.cancel();
    sleep(Duration::from_millis(10)).await;
    for claim in slow.going().into_iter().skip(1) {
        slow.let_go.send(claim).await.unwrap();
    }
    fleet.live(ROUND * 5).await;
    assert_eq!(fleet.counts(), [7]);
}

/// Stores that fail, replicas that die and come, at random: nothing is ever held by two, and in the end all is
/// shared fairly.
#[tokio::test(start_paused = true)]
async fn whatever_happens_nothing_is_held_by_two_and_all_is_shared_in_the_end() {
    let known = [&shards(12)[..], &[Lease::Sink("a".into()), Lease::House]].concat();
    for seed in 0..12 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut fleet = Fleet::new();
        fleet.start(&known);
        for _ in 0..40 {
            let somebody = random.usize(..fleet.replicas.len().max(1));
            let late = Fate::ComesLate(Duration::from_millis(random.u64(..40_000)));
            match (random.u8(0..8), fleet.replicas.get(somebody)) {
                (0, Some(_)) => fleet.kill(somebody),
                (1, Some(_)) => fleet.stop(somebody).await,
                (2 | 3, _) | (_, None) if fleet.replicas.len() < 4 => drop(fleet.start(&known)),
                (4, Some(replica)) => replica.store.always(Fate::Hangs),
                (5, Some(replica)) => replica.store.always(Fate::Done),
                (6, Some(replica)) => replica.store.next([late, Fate::LosesItsAnswer, Fate::Fails, late]),
                (_, Some(replica)) => replica.store.next([Fate::LosesItsAnswer, late]),
                (_, None) => {}
            }
            fleet.live(Duration::from_millis(random.u64(..12_000))).await;
        }
        fleet.start(&known);
        fleet.replicas.iter().for_each(|replica| replica.store.always(Fate::Done));
        fleet.live(LEASE * 3).await;
        let counts = fleet.counts();
        assert_eq!(counts.iter().sum::<usize>(), known.len(), "seed {seed}: {counts:?}");
        // What was left lying in the meantime is offered again after a while.
        fleet.step = Duration::from_secs(1);
        fleet.live(LEASE * 24).await;
        let counts = fleet.counts();
        assert_eq!(counts.iter().sum::<usize>(), known.len(), "seed {seed}: {counts:?}");
        assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "seed {seed}: {counts:?}");
    }
}
