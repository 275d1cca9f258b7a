//! This replica among those that share a store: what it may watch now, and letting go of what it may not.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::lease::{Held, Keeper, LetGo, Tenancy};
use crate::liveness::Liveness;
use crate::metrics::LeaseMeters;
use crate::model::{Claim, Fleet, Lease, Shards};
use crate::sink;
use crate::store::{Replica, Roll, Store};

/// This replica among those that share a store.
pub(super) struct Replicas {
    held: watch::Receiver<Arc<Held>>,
    roll: watch::Receiver<Arc<Roll>>,
    /// How many there were when what all of them need was last divided.
    dealt_among: usize,
    let_go: LetGo,
    /// What this replica can do, for whoever keeps its leases.
    known: watch::Sender<Arc<[Lease]>>,
    /// How many shards there are.
    count: u16,
    /// The whole fleet of the configuration in force, for whoever shows it.
    whole: watch::Sender<Arc<Fleet>>,
    ending: CancellationToken,
    letting_go: JoinSet<()>,
}

/// The loop that keeps the leases of this replica, and its instruments.
pub(super) struct Keeping {
    pub(super) keeper: Keeper<Store>,
    pub(super) meters: LeaseMeters,
    pub(super) me: Replica,
}

impl Replicas {
    /// This replica, which holds nothing yet; `None` where the store is not shared.
    pub(super) fn open(
        config: &Config,
        store: &Store,
        clock: Clock,
        liveness: &Arc<Liveness>,
        ending: &CancellationToken,
    ) -> Option<(Self, Keeping)> {
        let settings = config.store.postgres.as_ref()?;
        let me = Replica::of_this_run(settings.replica.clone());
        let (known, can) = watch::channel(Self::leases(settings.shards, config));
        let meters = LeaseMeters::new(settings.shards);
        let (leases, lease) = (Arc::new(store.clone()), settings.lease);
        let (keeper, let_go) = Keeper::new(leases, me.clone(), lease, can, meters.clone(), clock, liveness);
        let (held, count) = (keeper.held(), settings.shards);
        let (whole, ending) = (watch::Sender::default(), ending.clone());
        let (roll, letting_go) = (keeper.roll(), JoinSet::new());
        let replicas = Self { held, roll, dealt_among: 1, let_go, known, count, whole, ending, letting_go };
        Some((replicas, Keeping { keeper, meters, me }))
    }

    /// What is held, to look at.
    pub(super) fn held(&self) -> watch::Receiver<Arc<Held>> {
        self.held.clone()
    }

    /// The leases, for those who work under them.
    pub(super) fn tenancy(&self) -> Tenancy {
        Tenancy { held: self.held.clone(), let_go: self.let_go.clone(), ending: self.ending.clone() }
    }

    /// How many shards there are.
    pub(super) fn count(&self) -> u16 {
        self.count
    }

    /// The whole fleet, to look at.
    pub(super) fn whole(&self) -> watch::Receiver<Arc<Fleet>> {
        self.whole.subscribe()
    }

    /// Another fleet is the whole one.
    pub(super) fn show(&self, whole: Arc<Fleet>) {
        self.whole.send_replace(whole);
    }

    /// What there is to hold under a configuration.
    fn leases(count: u16, config: &Config) -> Arc<[Lease]> {
        (0..count).map(Lease::Shard).chain(sink::leases(&config.webhooks)).collect()
    }

    /// Another configuration is in force.
    pub(super) fn adopt(&self, config: &Config) {
        let leases = Self::leases(self.count, config);
        self.known.send_if_modified(|known| {
            let is_other = *known != leases;
            *known = leases;
            is_other
        });
    }

    /// Waits until something else is held than when it was last looked at, or there are more replicas or fewer.
    /// May be dropped at any time.
    pub(super) async fn changed(&mut self) {
        let dealt_among = self.dealt_among;
        let is_another = |roll: &Arc<Roll>| roll.replicas.len().max(1) != dealt_among;
        let changed = tokio::select! {
            held = self.held.changed() => held.is_ok(),
            roll = self.roll.wait_for(is_another) => match roll {
                Ok(roll) => {
                    self.dealt_among = roll.replicas.len().max(1);
                    true
                }
                Err(_) => false,
            },
        };
        // While it ends, nobody keeps leases any more, and what is held changes no more.
        if !changed {
            std::future::pending().await
        }
    }

    /// The shards in which calls may be begun now.
    pub(super) fn shards(&self) -> Shards {
        let now = Instant::now();
        let held = self.held.borrow();
        let held = held.tenures().filter_map(|(lease, tenure)| match lease {
            Lease::Shard(shard) if !tenure.is_going && now < tenure.certain_until => {
                Some((*shard, tenure.epoch))
            }
            _ => None,
        });
        Shards { count: self.count, held: held.collect(), among: self.dealt_among }
    }

    /// Lets go of all shards, now that nothing is written any more.
    pub(super) async fn let_go_of_all(mut self) {
        self.letting_go.shutdown().await;
        let shards = |claim: &Claim| matches!(claim.lease, Lease::Shard(_));
        let going: Vec<Claim> = self.held.borrow().claims().filter(shards).collect();
        for claim in going {
            // Who keeps the leases may have ended, without any of them left.
            let _ = self.let_go.send(claim).await;
        }
    }

    /// Lets go of the shards that are going, once all is written that was seen under them. The fleet in force
    /// has none of them any more.
    pub(super) fn let_go(&mut self, fleet: &Fleet, written: oneshot::Receiver<()>) {
        while self.letting_go.try_join_next().is_some() {}
        let is_used = |claim: &Claim| fleet.claims.values().any(|used| used == claim);
        let going: Vec<Claim> = self
            .held
            .borrow()
            .tenures()
            .filter(|(lease, tenure)| matches!(lease, Lease::Shard(_)) && tenure.is_going)
            .map(|(lease, tenure)| Claim { lease: lease.clone(), epoch: tenure.epoch })
            .filter(|claim| !is_used(claim))
            .collect();
        if going.is_empty() {
            return;
        }
        let let_go = self.let_go.clone();
        self.letting_go.spawn(async move {
            // Without an answer the tracker has ended, and what it had is written or lost; the leases expire.
            if written.await.is_ok() {
                for claim in going {
                    let _ = let_go.send(claim).await;
                }
            }
        });
    }
}
