//! What a replica makes of a roll: its share, with the memory of some rounds.

use std::collections::BTreeMap;

use super::held::Held;
use crate::model::{Lease, ReplicaId};
use crate::schedule::{Hands, Share, share};
use crate::store::Roll;

/// For how many rounds a free lease is left to whoever's turn it is. Each replica sees it in its own next round,
/// and one more is for those that have to try again.
const PATIENCE: u32 = 2;

/// For how many rounds is kept what was left lying: twenty times the length of a lease. Then it is offered again.
const KEPT: u32 = 200;

/// What is remembered from round to round.
#[derive(Debug, Default)]
pub(super) struct Planner {
    /// Who took part, and what this replica could do.
    circumstances: (Vec<ReplicaId>, Vec<Lease>),
    /// For how many rounds each lease has been seen free.
    free: BTreeMap<Lease, u32>,
    /// What was left lying and is held now, and for how many rounds it is kept. Whoever did not take it would not
    /// if it were offered again at once; when the circumstances change, that may be otherwise.
    kept: BTreeMap<Lease, u32>,
}

impl Planner {
    /// What to take and what to give up.
    pub(super) fn plan(&mut self, me: ReplicaId, roll: &Roll, known: &[Lease], held: &Held) -> Share {
        let replicas: Vec<_> = roll.replicas.iter().map(|replica| replica.id).collect();
        let circumstances = (replicas, known.to_vec());
        if circumstances != self.circumstances {
            self.kept.clear();
            self.circumstances = circumstances;
        }
        self.kept.values_mut().for_each(|rounds| *rounds -= 1);
        self.kept.retain(|_, rounds| *rounds > 0);
        let mut free = BTreeMap::new();
        let mut leases = Vec::new();
        for state in roll.leases.iter().filter(|state| known.contains(&state.lease)) {
            let hands = match (held.get(&state.lease), state.holder) {
                (Some(tenure), _) if tenure.is_going => Hands::Going,
                (Some(_), _) if self.kept.contains_key(&state.lease) => Hands::Kept,
                (Some(_), _) => Hands::Of(me),
                // It is released before anything is taken.
                (None, Some(holder)) if holder == me => Hands::Free,
                (None, Some(holder)) => Hands::Of(holder),
                (None, None) => {
                    let rounds = self.free.get(&state.lease).map_or(1, |rounds| rounds + 1);
                    free.insert(state.lease.clone(), rounds);
                    if rounds > PATIENCE { Hands::LeftLying } else { Hands::Free }
                }
            };
            leases.push((state.lease.clone(), hands));
        }
        self.free = free;
        share(me, &self.circumstances.0, &leases)
    }

    /// Takes note of a lease that was got.
    pub(super) fn taken(&mut self, lease: &Lease) {
        if self.free.get(lease).is_some_and(|rounds| *rounds > PATIENCE) {
            self.kept.insert(lease.clone(), KEPT);
        } else {
            self.kept.remove(lease);
        }
    }
}
