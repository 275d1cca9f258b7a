//! What a replica holds, for whoever works under it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::model::{Claim, Epoch, Lease};

/// What a replica holds. It says until when that is certain, since whoever looks may have slept: nothing is
/// begun under a claim without a look at the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    tenures: BTreeMap<Lease, Tenure>,
}

/// The time for which something is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// Under which epoch.
    pub epoch: Epoch,
    /// Until when nobody else can hold it.
    pub certain_until: Instant,
    /// Whether it is being given up: nothing is begun under it any more, and what there is gets written; then
    /// whoever worked under it [lets go](super::LetGo).
    pub is_going: bool,
}

impl Held {
    /// Whether this replica holds a lease at this moment and nobody else can.
    pub fn is_certain(&self, lease: &Lease, now: Instant) -> bool {
        self.tenures.get(lease).is_some_and(|tenure| now < tenure.certain_until)
    }

    /// Whether this replica holds a lease under this claim at this moment and nobody else can.
    pub fn is_certain_of(&self, claim: &Claim, now: Instant) -> bool {
        let tenure = self.tenures.get(&claim.lease).filter(|tenure| tenure.epoch == claim.epoch);
        tenure.is_some_and(|tenure| now < tenure.certain_until)
    }

    /// The claim to write under, for as long as the lease is held: whoever writes late is refused by the store.
    pub fn claim(&self, lease: &Lease) -> Option<Claim> {
        let Tenure { epoch, .. } = self.tenures.get(lease)?;
        Some(Claim { lease: lease.clone(), epoch: *epoch })
    }

    /// How a lease is held.
    pub fn get(&self, lease: &Lease) -> Option<&Tenure> {
        self.tenures.get(lease)
    }

    /// All that is held, in the order of the leases.
    pub fn tenures(&self) -> impl ExactSizeIterator<Item = (&Lease, &Tenure)> {
        self.tenures.iter()
    }

    /// All claims.
    pub fn claims(&self) -> impl Iterator<Item = Claim> {
        self.tenures.iter().map(|(lease, Tenure { epoch, .. })| Claim { lease: lease.clone(), epoch: *epoch })
    }

    /// How many shards are held, those included that are going.
    pub fn shards(&self) -> usize {
        self.tenures.keys().filter(|lease| matches!(lease, Lease::Shard(_))).count()
    }

    /// Whether the same is held and the same is going, for however long.
    pub fn is_like(&self, other: &Self) -> bool {
        let same = |((one, a), (two, b)): ((&Lease, &Tenure), (&Lease, &Tenure))| {
            one == two && (a.epoch, a.is_going) == (b.epoch, b.is_going)
        };
        self.tenures.len() == other.tenures.len() && self.tenures.iter().zip(&other.tenures).all(same)
    }

    /// When the first of them ceases to be certain.
    pub(super) fn first_end(&self) -> Option<Instant> {
        self.tenures.values().map(|tenure| tenure.certain_until).min()
    }

    /// Holds a lease under another epoch than ever before.
    pub(super) fn begin(&mut self, Claim { lease, epoch }: Claim, certain_until: Instant) {
        self.tenures.insert(lease, Tenure { epoch, certain_until, is_going: false });
    }

    /// Holds a lease for longer, if it is held under this claim.
    pub(super) fn prolong(&mut self, claim: &Claim, certain_until: Instant) {
        if let Some(tenure) = self.of(claim) {
            tenure.certain_until = tenure.certain_until.max(certain_until);
        }
    }

    /// Has it going. Whether that is new.
    pub(super) fn give_up(&mut self, lease: &Lease) -> bool {
        self.tenures.get_mut(lease).is_some_and(|tenure| !std::mem::replace(&mut tenure.is_going, true))
    }

    /// Holds it no more. Whether it did, under this claim.
    pub(super) fn end(&mut self, claim: &Claim) -> bool {
        self.of(claim).is_some() && self.tenures.remove(&claim.lease).is_some()
    }

    /// Holds no more what is not certain any more, and tells it.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Claim> {
        let expired = self.tenures.extract_if(.., |_, tenure| tenure.certain_until <= now);
        expired.map(|(lease, Tenure { epoch, .. })| Claim { lease, epoch }).collect()
    }

    fn of(&mut self, claim: &Claim) -> Option<&mut Tenure> {
        self.tenures.get_mut(&claim.lease).filter(|tenure| tenure.epoch == claim.epoch)
    }
}

/// Whether nobody else can be at work where a claim is needed. That is so everywhere for the only replica, which
/// has no leases to look at, and for what needs no claim.
pub fn is_ours(held: Option<&watch::Receiver<Arc<Held>>>, claim: Option<&Claim>, now: Instant) -> bool {
    let (Some(held), Some(claim)) = (held, claim) else { return true };
    held.borrow().is_certain_of(claim, now)
}

impl FromIterator<(Lease, Tenure)> for Held {
    fn from_iter<I: IntoIterator<Item = (Lease, Tenure)>>(tenures: I) -> Self {
        Self { tenures: tenures.into_iter().collect() }
    }
}
