use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

/// More rounds than any start here takes: what is too much goes [`AT_ONCE`] by [`AT_ONCE`], and some rounds see
/// what was before.
const ROUNDS: usize = 60;

fn replica(number: u8) -> ReplicaId {
    Uuid::from_u128(u128::from(number)).into()
}

/// So many shards and sinks, and the house.
fn leases(shards: u16, sinks: u16) -> Vec<Lease> {
    let sinks = (0..sinks).map(|sink| Lease::Sink(format!("sink-{sink}").into()));
    (0..shards).map(Lease::Shard).chain(sinks).chain([Lease::House]).collect()
}

/// Who holds what.
type Table = BTreeMap<Lease, Option<ReplicaId>>;

/// Replicas at a table; each sees it as it was some moments ago, but for what it holds itself.
struct Game {
    replicas: Vec<ReplicaId>,
    table: Table,
    /// How it was after each turn.
    past: Vec<Table>,
    random: fastrand::Rng,
}

impl Game {
    fn new(replicas: u8, leases: Vec<Lease>, seed: u64) -> Self {
        let replicas: Vec<_> = (0..replicas).map(replica).collect();
        let mut random = fastrand::Rng::with_seed(seed);
        let anybody = |_| (random.u8(0..4) > 0).then(|| replicas[random.usize(..replicas.len())]);
        let holders: Vec<_> = leases.iter().map(anybody).collect();
        let table: Table = leases.into_iter().zip(holders).collect();
        Self { past: vec![table.clone()], replicas, table, random }
    }

    /// What one of them does, seeing the others as they were so many turns ago.
    fn seen(&self, me: ReplicaId, turns: usize) -> Share {
        let then = &self.past[self.past.len().saturating_sub(1 + turns)];
        let hands = |lease| match (self.table[lease], then[lease]) {
            (Some(holder), _) if holder == me => Hands::Of(me),
            (None, Some(holder)) if holder == me => Hands::Free,
            (Some(_), Some(holder)) if holder == me => Hands::Of(self.table[lease].unwrap()),
            (_, Some(holder)) => Hands::Of(holder),
            (_, None) => Hands::Free,
        };
        let seen: Vec<_> = self.table.keys().map(|lease| (lease.clone(), hands(lease))).collect();
        share(me, &self.replicas, &seen)
    }

    /// All have their turn, in any order, each seeing up to a whole round ago. How many leases moved.
    fn round(&mut self) -> usize {
        let mut order = self.replicas.clone();
        self.random.shuffle(&mut order);
        let mut moves = 0;
        for me in order {
            let ago = self.random.usize(..=self.replicas.len());
            let Share { take, give_up } = self.seen(me, ago);
            for lease in give_up {
                let before = self.table.insert(lease, None);
                assert_eq!(before, Some(Some(me)), "it gives up what it has");
                moves += 1;
            }
            for lease in take {
                let holder = self.table.get_mut(&lease).unwrap();
                if holder.is_none() {
                    *holder = Some(me);
                    moves += 1;
                }
            }
            self.past.push(self.table.clone());
        }
        moves
    }

    /// Rounds until nothing moves any more for as long as anybody could see otherwise.
    fn settle(&mut self) -> usize {
        let (mut rounds, mut calm) = (0, 0);
        while calm < 3 {
            calm = if self.round() == 0 { calm + 1 } else { 0 };
            rounds += 1;
            assert!(rounds < ROUNDS, "{:?}", self.counts());
        }
        rounds - calm
    }

    /// How many of each kind each of them has.
    fn counts(&self) -> BTreeMap<ReplicaId, Count> {
        let mut counts: BTreeMap<_, _> =
            self.replicas.iter().map(|&replica| (replica, Count::default())).collect();
        for (lease, holder) in &self.table {
            let kind = KINDS.iter().position(|is_of_kind| is_of_kind(lease)).unwrap();
            if let Some(count) = holder.and_then(|holder| counts.get_mut(&holder)) {
                count[kind] += 1;
            }
        }
        counts
    }

    fn assert_fair(&self) {
        assert!(self.table.values().all(Option::is_some), "{:?}", self.table);
        let counts: Vec<_> = self.counts().into_values().collect();
        let within_one = |of: &dyn Fn(&Count) -> usize| {
            let most = counts.iter().map(of).max();
            assert!(most <= counts.iter().map(of).min().map(|least| least + 1), "{counts:?}");
        };
        for kind in 0..KINDS.len() {
            within_one(&|count| count[kind]);
        }
        within_one(&|count| count.iter().sum());
    }

    /// How many leases those who stay must at least give up for everything to become fair.
    fn needed(&self) -> usize {
        let counts = self.counts();
        let of_kind: Vec<usize> =
            KINDS.map(|is_of_kind| self.table.keys().filter(|lease| is_of_kind(lease)).count()).into();
        let (least, each) = (self.table.len() / counts.len(), |kind| of_kind[kind] / counts.len());
        // By how many of each kind have got one of the remainder so far: the fewest that are given up.
        let mut best: BTreeMap<Count, usize> = [(Count::default(), 0)].into();
        for held in counts.values() {
            let mut next = BTreeMap::new();
            for (given, cost) in best {
                for extras in [0, 1].iter().flat_map(|a| [0, 1].map(|b| [0, 1].map(|c| [*a, b, c]))).flatten()
                {
                    let quota: Vec<_> = (0..KINDS.len()).map(|kind| each(kind) + extras[kind]).collect();
                    let all: usize = quota.iter().sum();
                    if all == least || all == least + 1 {
                        let cost = cost
                            + held
                                .iter()
                                .zip(&quota)
                                .map(|(held, quota)| held.saturating_sub(*quota))
                                .sum::<usize>();
                        let given = std::array::from_fn(|kind| given[kind] + extras[kind]);
                        next.entry(given)
                            .and_modify(|least: &mut usize| *least = cost.min(*least))
                            .or_insert(cost);
                    }
                }
            }
            best = next;
        }
        best[&std::array::from_fn(|kind| of_kind[kind] % counts.len())]
    }

    /// How many leases have moved from one of these to another of them since.
    fn moved_among(&self, stay: &[ReplicaId], before: &Table) -> usize {
        let stays = |holder: &Option<ReplicaId>| holder.is_some_and(|holder| stay.contains(&holder));
        let moved = |(lease, holder): &(&Lease, &Option<ReplicaId>)| {
            stays(holder) && stays(&before[*lease]) && **holder != before[*lease]
        };
        self.table.iter().filter(moved).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn from_any_start_it_becomes_fair_and_stays_as_it_is(
        replicas in 1u8..9,
        shards in 1u16..40,
        sinks in 0u16..6,
        seed in any::<u64>(),
    ) {
        let mut game = Game::new(replicas, leases(shards, sinks), seed);
        game.settle();
        game.assert_fair();
        for me in &game.replicas {
            prop_assert_eq!(game.seen(*me, 0), Share::default());
        }
    }

    #[test]
    fn when_a_replica_comes_leases_move_only_to_it(
        replicas in 1u8..8,
        shards in 1u16..40,
        sinks in 0u16..6,
        seed in any::<u64>(),
    ) {
        let mut game = Game::new(replicas, leases(shards, sinks), seed);
        game.settle();
        let (stay, before) = (game.replicas.clone(), game.table.clone());
        game.replicas.push(replica(100 + seed.to_le_bytes()[0] % 50));
        game.settle();
        game.assert_fair();
        prop_assert_eq!(game.moved_among(&stay, &before), 0);
    }

    #[test]
    fn when_a_replica_goes_only_what_it_had_moves(
        replicas in 2u8..9,
        shards in 1u16..40,
        sinks in 0u16..6,
        seed in any::<u64>(),
        who in any::<prop::sample::Index>(),
    ) {
        let mut game = Game::new(replicas, leases(shards, sinks), seed);
        game.settle();
        let before = game.table.clone();
        let gone = game.replicas.swap_remove(who.index(game.replicas.len()));
        let free = |holder: &mut Option<ReplicaId>| {
            holder.take_if(|holder| *holder == gone);
        };
        game.table.values_mut().for_each(free);
        game.past = vec![game.table.clone()];
        let needed = game.needed();
        game.settle();
        game.assert_fair();
        prop_assert_eq!(game.moved_among(&game.replicas, &before), needed);
    }

    /// Whatever somebody sees, true or not.
    #[test]
    fn few_go_at_once_and_only_what_is_there_is_taken(
        hands in prop::collection::vec(hands(), 30),
        live in prop::collection::vec(0u8..7, 0..6),
    ) {
        let (me, live) = (replica(3), live.into_iter().map(replica).collect::<Vec<_>>());
        let seen: Vec<_> = leases(20, 9).into_iter().zip(hands).collect();
        let Share { take, give_up } = share(me, &live, &seen);
        let hands = |lease: &Lease| seen.iter().find(|(of, _)| of == lease).unwrap().1;
        for is_of_kind in KINDS {
            let going = seen.iter().filter(|(lease, hands)| is_of_kind(lease) && *hands == Hands::Going).count();
            let begun = give_up.iter().filter(|lease| is_of_kind(lease)).count();
            prop_assert!(begun == 0 || begun + going <= AT_ONCE);
        }
        prop_assert!(give_up.iter().all(|lease| hands(lease) == Hands::Of(me)));
        prop_assert!(take.iter().all(|lease| [Hands::Free, Hands::LeftLying].contains(&hands(lease))));
        prop_assert!(take.iter().collect::<BTreeSet<_>>().len() == take.len());
    }

    #[test]
    fn who_sees_the_same_reaches_for_something_else_and_nothing_stays_free(
        hands in prop::collection::vec(prop::sample::select((3..7).chain([0]).collect::<Vec<u8>>()), 30),
    ) {
        let live: Vec<_> = (3..7).map(replica).collect();
        let of = |number| if number == 0 { Hands::Free } else { Hands::Of(replica(number)) };
        let seen: Vec<_> = leases(20, 9).into_iter().zip(hands.into_iter().map(of)).collect();
        let taken: Vec<_> = live.iter().flat_map(|&me| share(me, &live, &seen).take).collect();
        let free: BTreeSet<_> = seen.iter().filter(|(_, hands)| *hands == Hands::Free).map(|(lease, _)| lease).collect();
        prop_assert_eq!(taken.len(), free.len());
        prop_assert_eq!(taken.iter().collect::<BTreeSet<_>>(), free);
    }
}

/// Any, seen by replica 3.
fn hands() -> impl Strategy<Value = Hands> {
    let others = (4u8..8).prop_map(|other| Hands::Of(replica(other)));
    let mine = Just(Hands::Of(replica(3)));
    prop_oneof![
        Just(Hands::Free),
        Just(Hands::LeftLying),
        Just(Hands::Kept),
        Just(Hands::Going),
        mine,
        others
    ]
}

#[test]
fn a_replica_alone_takes_all_at_once() {
    let all = leases(16, 2);
    let seen: Vec<_> = all.iter().map(|lease| (lease.clone(), Hands::Free)).collect();
    let Share { mut take, give_up } = share(replica(1), &[], &seen);
    take.sort();
    assert_eq!((take.len(), give_up.len()), (all.len(), 0));
}

#[test]
fn what_was_left_lying_is_taken_by_anybody_and_not_given_up_again() {
    let (me, other) = (replica(1), replica(2));
    let seen = |last| {
        let hands = [Hands::Of(me), Hands::Of(me), Hands::Of(other), last];
        leases(4, 0).into_iter().zip(hands.into_iter().chain([Hands::Of(other)])).collect::<Vec<_>>()
    };
    let decided = |last| share(me, &[me, other], &seen(last));
    let lying = Lease::Shard(3);
    assert_eq!(decided(Hands::Free), Share::default(), "it is the other's turn");
    assert_eq!(decided(Hands::LeftLying).take, std::slice::from_ref(&lying));
    // Three of four: one too many, and the one that nobody else took stays.
    assert_eq!(decided(Hands::Of(me)).give_up, [lying]);
    assert_eq!(decided(Hands::Kept), Share::default());
    let all_kept: Vec<_> = leases(4, 0).into_iter().map(|lease| (lease, Hands::Kept)).collect();
    assert_eq!(share(me, &[me, other], &all_kept), Share::default());
}

#[test]
fn what_a_dead_replica_still_holds_is_waited_for() {
    let (me, dead) = (replica(1), replica(2));
    let seen: Vec<_> = leases(3, 0).into_iter().map(|lease| (lease, Hands::Of(dead))).collect();
    assert_eq!(share(me, &[me], &seen), Share::default());
}
