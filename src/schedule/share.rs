//! Which leases a replica takes and which it gives up.
//!
//! Each replica decides for itself, from what it sees: nobody leads. All compute the same deal, so those who see
//! the same never reach for the same lease, and those who see what was a moment ago come to the same end a few
//! rounds later.
//!
//! A deal is fair if no replica has two more than another: of each kind, so that nobody has all the shards and
//! somebody else all the sinks, and of all kinds together. What is fair is left as it is. Else each replica has a
//! quota of each kind; where the division leaves a remainder, it is dealt so that as little as possible changes
//! hands.

use std::collections::BTreeMap;

use crate::model::{Lease, ReplicaId};

/// How many leases of a kind are on their way out of a replica's hands at most: the others keep theirs, and work
/// goes on, while what moves is begun anew elsewhere.
const AT_ONCE: usize = 2;

/// What leases are dealt by. First what there is least of: it leaves the least choice.
const KINDS: [fn(&Lease) -> bool; 3] = [
    |lease| matches!(lease, Lease::House),
    |lease| matches!(lease, Lease::Sink(_)),
    |lease| matches!(lease, Lease::Shard(_)),
];

/// Where a lease is, as the replica sees it that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hands {
    /// Nobody has it.
    Free,
    /// Nobody has it, and whoever's turn it was has let it lie: it does not know of it, or is about to end.
    LeftLying,
    /// This replica has it.
    Of(ReplicaId),
    /// The one that decides has it and found it left lying: nobody else would take it.
    Kept,
    /// The one that decides is giving it up.
    Going,
}

/// What a replica does now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// What it tries to take.
    pub take: Vec<Lease>,
    /// What it begins to give up.
    pub give_up: Vec<Lease>,
}

/// What `me` does, of the replicas that live and the leases that it knows.
pub fn share(me: ReplicaId, replicas: &[ReplicaId], leases: &[(Lease, Hands)]) -> Share {
    let deal = Deal::new(me, replicas, leases);
    let mut share = Share::default();
    if deal.is_fair() {
        return share;
    }
    let quotas = deal.quotas();
    for kind in 0..KINDS.len() {
        share.give_up.extend(deal.excess(kind, &quotas));
        share.take.extend(deal.free(kind, &quotas));
        share.take.extend(deal.left_lying(kind));
    }
    share
}

/// So many of each kind.
type Count = [usize; KINDS.len()];

/// What a deal costs: how many leases are given up that could have been kept; and how many are taken by those who
/// have enough, while others have not.
type Cost = (usize, usize);

fn each(count: impl Fn(usize) -> usize) -> Count {
    std::array::from_fn(count)
}

/// All ways to have or not to have one more of each kind.
fn extras() -> impl Iterator<Item = Count> {
    (0..1 << KINDS.len()).map(|bits| each(|kind| bits >> kind & 1))
}

/// How everything stands.
struct Deal {
    /// In the order of their ids.
    replicas: Vec<ReplicaId>,
    /// Whose place among them it is that decides.
    me: usize,
    /// Of each kind, in their order.
    leases: [Vec<(Lease, Hands)>; KINDS.len()],
    /// What each replica holds.
    held: Vec<Count>,
}

impl Deal {
    fn new(me: ReplicaId, replicas: &[ReplicaId], leases: &[(Lease, Hands)]) -> Self {
        let mut replicas: Vec<_> = replicas.iter().copied().chain([me]).collect();
        replicas.sort_unstable();
        replicas.dedup();
        let place = |replica| replicas.binary_search(&replica).ok();
        let me = place(me).expect("it was put there");
        let leases = KINDS.map(|is_of_kind| {
            let mut of_kind: Vec<_> = leases.iter().filter(|(lease, _)| is_of_kind(lease)).cloned().collect();
            of_kind.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            of_kind
        });
        let mut held = vec![Count::default(); replicas.len()];
        for (kind, of_kind) in leases.iter().enumerate() {
            for (_, hands) in of_kind {
                // Nobody counts what a replica holds that does not live any more: it will be free soon.
                let holder = match hands {
                    Hands::Of(holder) => place(*holder),
                    Hands::Kept => Some(me),
                    Hands::Free | Hands::LeftLying | Hands::Going => None,
                };
                if let Some(holder) = holder {
                    held[holder][kind] += 1;
                }
            }
        }
        Self { replicas, me, leases, held }
    }

    /// Whether each lease is held, and nobody has two more than another.
    fn is_fair(&self) -> bool {
        let is_even = |count: &dyn Fn(&Count) -> usize| {
            let counts = || self.held.iter().map(count);
            counts().max() <= counts().min().map(|least| least + 1)
        };
        let held: usize = self.held.iter().flatten().sum();
        held == self.leases.iter().map(Vec::len).sum::<usize>()
            && (0..KINDS.len()).all(|kind| is_even(&|held| held[kind]))
            && is_even(&|held| held.iter().sum())
    }

    /// How many of each kind each replica is to have: of all fair deals the one that takes the least from those
    /// who hold something. It is found replica by replica: of all ways to have dealt out as much of the
    /// remainders so far, only the best can be part of the best in the end.
    fn quotas(&self) -> Vec<Count> {
        let count = self.replicas.len();
        let least = self.leases.each_ref().map(|leases| leases.len() / count);
        let remainders = self.leases.each_ref().map(|leases| leases.len() % count);
        let least_of_all = self.leases.iter().map(Vec::len).sum::<usize>() / count;
        let mut best = BTreeMap::from([(Count::default(), (Cost::default(), Vec::new()))]);
        for held in &self.held {
            let mut next: BTreeMap<Count, (Cost, Vec<Count>)> = BTreeMap::new();
            for (dealt, ((gives, takes), quotas)) in best {
                for extra in extras() {
                    let dealt = each(|kind| dealt[kind] + extra[kind]);
                    let quota = each(|kind| least[kind] + extra[kind]);
                    let is_fair = (least_of_all..=least_of_all + 1).contains(&quota.iter().sum());
                    if !is_fair || (0..KINDS.len()).any(|kind| dealt[kind] > remainders[kind]) {
                        continue;
                    }
                    // No more is counted than anybody may keep: so it is the same while leases are moving.
                    let has_extra = each(|kind| usize::from(held[kind] > least[kind]));
                    let is_short = held.iter().sum::<usize>() < least_of_all;
                    let count = |from: &Count, to: &Count| -> usize {
                        from.iter().zip(to).map(|(from, to)| from.saturating_sub(*to)).sum()
                    };
                    let takes = takes + if is_short { 0 } else { count(&extra, &has_extra) };
                    let cost = (gives + count(&has_extra, &extra), takes);
                    if next.get(&dealt).is_none_or(|(other, _)| cost < *other) {
                        next.insert(dealt, (cost, quotas.iter().copied().chain([quota]).collect()));
                    }
                }
            }
            best = next;
        }
        let (_, quotas) =
            best.remove(&remainders).expect("dealt one by one in turn, the remainders are fair");
        quotas
    }

    /// What is too much, as far as it may go now. What nobody else would take is not counted, or something else
    /// would be given up for it that nobody would take either.
    fn excess(&self, kind: usize, quotas: &[Count]) -> impl Iterator<Item = Lease> {
        let count = |in_hands| self.leases[kind].iter().filter(|(_, hands)| *hands == in_hands).count();
        let mine = Hands::Of(self.replicas[self.me]);
        let excess = count(mine).saturating_sub(quotas[self.me][kind]);
        let now = excess.min(AT_ONCE.saturating_sub(count(Hands::Going)));
        let mine = self.leases[kind].iter().rev().filter(move |(_, hands)| *hands == mine);
        mine.map(|(lease, _)| lease.clone()).take(now)
    }

    /// What of the free leases is this replica's: they are dealt to those who lack some, one after another.
    fn free(&self, kind: usize, quotas: &[Count]) -> impl Iterator<Item = Lease> {
        let lacks = |replica: usize| quotas[replica][kind].saturating_sub(self.held[replica][kind]);
        let before = (0..self.me).map(lacks).sum();
        let free = self.leases[kind].iter().filter(|(_, hands)| *hands == Hands::Free);
        free.map(|(lease, _)| lease.clone()).skip(before).take(lacks(self.me))
    }

    /// What of the leases that were left lying this replica tries to take: some, each replica others.
    fn left_lying(&self, kind: usize) -> impl Iterator<Item = Lease> {
        let lying = self.leases[kind].iter().filter(|(_, hands)| *hands == Hands::LeftLying);
        let count = lying.clone().count();
        let from = (self.me * AT_ONCE) % count.max(1);
        lying.map(|(lease, _)| lease.clone()).cycle().skip(from).take(count.min(AT_ONCE))
    }
}

#[cfg(test)]
mod tests;
