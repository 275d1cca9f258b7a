//! The pollers at work, one for each scope that has targets, and how they follow the configuration.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::model::{Fleet, ScopeId, Succession};
use crate::poller::{Assignment, Finish, Orders, Poller, Surroundings};
use crate::probe::Prober;

/// The pollers of the generation in force.
pub struct Pollers<P> {
    around: Arc<Surroundings<P>>,
    orders: watch::Sender<Orders>,
    /// Ends when nobody holds the assignment in force any more.
    released: mpsc::Receiver<Infallible>,
    stop: CancellationToken,
    tasks: JoinSet<Option<String>>,
    seeds: fastrand::Rng,
}

impl<P: Prober> Pollers<P> {
    /// Those of the first generation. `seeds` are what each draws its jitter from.
    pub fn start(
        around: Arc<Surroundings<P>>,
        fleet: Arc<Fleet>,
        start_window: Duration,
        seeds: fastrand::Rng,
    ) -> Self {
        let (assignment, released) =
            assignment(start_window, Arc::clone(&fleet), Arc::default(), Arc::default());
        let mut pollers = Self {
            around,
            orders: watch::Sender::new(Orders { assignment, is_settled: true }),
            released,
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
            seeds,
        };
        let all = 0..u32::try_from(fleet.scopes.len()).expect("a scope's place fits its id");
        pollers.start_those_of(&fleet, all.map(ScopeId));
        pollers
    }

    /// Lets them go over to the next generation, which the tracker has heard of. Ends when each has let go
    /// of what it does not poll any more, and what is new is about to be polled.
    pub async fn adopt(
        &mut self,
        fleet: Arc<Fleet>,
        succession: Arc<Succession>,
        redefined: Arc<HashSet<Arc<str>>>,
        start_window: Duration,
    ) {
        let new_scopes = succession.new_scopes().to_vec();
        let (assignment, released) = assignment(start_window, Arc::clone(&fleet), succession, redefined);
        drop(self.orders.send_replace(Orders { assignment, is_settled: false }));
        // Nothing is ever sent: it ends with the last holder.
        let _ = std::mem::replace(&mut self.released, released).recv().await;
        self.orders.send_modify(|orders| orders.is_settled = true);
        self.start_those_of(&fleet, new_scopes);
    }

    /// Their tasks. One that ends because its scope has gone does not tell its name.
    pub fn tasks(&mut self) -> &mut JoinSet<Option<String>> {
        &mut self.tasks
    }

    /// Tells them to stop. What is left are the tasks, to be joined.
    pub fn end(self) -> JoinSet<Option<String>> {
        self.stop.cancel();
        self.tasks
    }

    /// Starts a poller for each of these scopes that has targets.
    fn start_those_of(&mut self, fleet: &Fleet, scopes: impl IntoIterator<Item = ScopeId>) {
        for scope in scopes {
            if fleet.scope(scope).targets.is_empty() {
                continue;
            }
            let (around, orders) = (Arc::clone(&self.around), self.orders.subscribe());
            let poller = Poller::new(around, orders, scope, self.seeds.u64(..));
            let stop = self.stop.clone();
            // An async block would keep room for the poller beside its loop.
            self.tasks.spawn(poller.run(stop).map(|finish| match finish {
                Finish::Stopped(who) => Some(who.to_string()),
                Finish::Dissolved => None,
            }));
        }
    }
}

/// What the pollers are told of a generation, and what ends when the last of them has let go of it.
pub(super) fn assignment(
    start_window: Duration,
    fleet: Arc<Fleet>,
    succession: Arc<Succession>,
    redefined: Arc<HashSet<Arc<str>>>,
) -> (Arc<Assignment>, mpsc::Receiver<Infallible>) {
    let (held, released) = mpsc::channel(1);
    (Arc::new(Assignment { fleet, succession, redefined, start_window, held }), released)
}
