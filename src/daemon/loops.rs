//! The loops that call AWS, one for each scope, and how they follow the configuration: pollers, and those
//! that list organizations. STS has the broker.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::discovery::{self, Discoverer};
use crate::model::{Fleet, ScopeId, Service, Succession};
use crate::poller::{Assignment, Finish, Inheritance, Orders, Poller, Surroundings};
use crate::probe::{Directory, Prober};

/// The loops of the generation in force.
pub struct Loops<P, D> {
    around: Arc<Surroundings<P>>,
    listing: Arc<discovery::Surroundings<D>>,
    orders: watch::Sender<Orders>,
    /// Ends when nobody holds the assignment in force any more.
    released: mpsc::Receiver<Infallible>,
    tasks: JoinSet<Option<String>>,
    seeds: fastrand::Rng,
}

impl<P: Prober, D: Directory> Loops<P, D> {
    /// Those of the first generation. `seeds` are what each draws its jitter from.
    pub fn start(
        around: Arc<Surroundings<P>>,
        listing: Arc<discovery::Surroundings<D>>,
        config: &Config,
        fleet: &Arc<Fleet>,
        inheritance: Inheritance,
        seeds: fastrand::Rng,
    ) -> Self {
        let (assignment, released) =
            assignment(config, Arc::clone(fleet), Arc::default(), Arc::default(), inheritance);
        let mut loops = Self {
            around,
            listing,
            orders: watch::Sender::new(Orders { assignment, is_settled: true }),
            released,
            tasks: JoinSet::new(),
            seeds,
        };
        let all = 0..u32::try_from(fleet.scopes.len()).expect("a scope's place fits its id");
        loops.start_those_of(fleet, all.map(ScopeId));
        loops
    }

    /// Lets them go over to the next generation, which the tracker has heard of. Ends when each has let go
    /// of what it does not do any more, and what is new is about to be done.
    pub async fn adopt(
        &mut self,
        config: &Config,
        fleet: &Arc<Fleet>,
        succession: Arc<Succession>,
        redefined: Arc<HashSet<Arc<str>>>,
        inheritance: Inheritance,
    ) {
        let new_scopes = succession.new_scopes().to_vec();
        let (assignment, released) =
            assignment(config, Arc::clone(fleet), succession, redefined, inheritance);
        drop(self.orders.send_replace(Orders { assignment, is_settled: false }));
        // Nothing is ever sent: it ends with the last holder.
        let _ = std::mem::replace(&mut self.released, released).recv().await;
        self.orders.send_modify(|orders| orders.is_settled = true);
        self.start_those_of(fleet, new_scopes);
    }

    /// Their tasks. One that ends because its scope has gone does not tell its name.
    pub fn tasks(&mut self) -> &mut JoinSet<Option<String>> {
        &mut self.tasks
    }

    /// Gives no more orders, at which they end. What is left are the tasks, to be joined.
    pub fn end(self) -> JoinSet<Option<String>> {
        self.tasks
    }

    fn start_those_of(&mut self, fleet: &Fleet, scopes: impl IntoIterator<Item = ScopeId>) {
        for scope in scopes {
            let (orders, seed) = (self.orders.subscribe(), self.seeds.u64(..));
            // An async block would keep room for the poller beside its loop.
            match fleet.scope(scope).service {
                Service::FleetWise | Service::Account => {
                    let poller = Poller::new(Arc::clone(&self.around), orders, scope, seed);
                    self.tasks.spawn(poller.run().map(unless_dissolved));
                }
                Service::Organizations => {
                    let discoverer = Discoverer::new(Arc::clone(&self.listing), orders, scope, seed);
                    self.tasks.spawn(discoverer.run().map(unless_dissolved));
                }
                Service::Sts => {}
            }
        }
    }
}

/// Who has ended, unless its scope has.
fn unless_dissolved(finish: Finish) -> Option<String> {
    match finish {
        Finish::Stopped(who) => Some(who.to_string()),
        Finish::Dissolved => None,
    }
}

/// What the loops are told of a generation, and what ends when the last of them has let go of it.
pub(super) fn assignment(
    config: &Config,
    fleet: Arc<Fleet>,
    succession: Arc<Succession>,
    redefined: Arc<HashSet<Arc<str>>>,
    inheritance: Inheritance,
) -> (Arc<Assignment>, mpsc::Receiver<Infallible>) {
    let (held, released) = mpsc::channel(1);
    let (organizations, start_window) = (config.organizations.clone(), config.start_window);
    let assignment =
        Assignment { fleet, succession, redefined, organizations, start_window, inheritance, held };
    (Arc::new(assignment), released)
}
