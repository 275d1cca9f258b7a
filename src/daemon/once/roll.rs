//! Every organization listed once, now, before its accounts are polled.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::super::OUTCOMES;
use super::super::loops::assignment;
use super::super::tasks::unasked;
use super::Ended;
use crate::config::{Config, Rosters};
use crate::discovery::{Discoverer, Outcome, Surroundings};
use crate::model::{Account, Failure, Fleet, Report, Roster, ScopeId, Service};
use crate::poller::{Inheritance, Orders};
use crate::probe::AwsDirectory;

/// What came of calling the roll.
pub(super) struct Roll {
    pub(super) rosters: Rosters,
    /// What came of each organization that answered or failed in time.
    pub(super) outcomes: BTreeMap<Arc<str>, (Timestamp, Result<(), Failure>)>,
    /// Why it ended before all of them did.
    pub(super) ended: Option<Ended>,
}

/// Lists every organization of a configuration, unless `end` is ready before. Of their accounts only those are
/// taken that are wanted.
pub(super) async fn call(
    config: &Config,
    fleet: &Arc<Fleet>,
    listing: impl FnOnce(mpsc::Sender<Outcome>) -> Surroundings<AwsDirectory>,
    reports: &mut mpsc::Receiver<Report>,
    wanted: &dyn Fn(&Account) -> bool,
    mut end: Pin<&mut impl Future<Output = Ended>>,
    broker: &mut JoinSet<Option<String>>,
) -> anyhow::Result<Roll> {
    let mut roll = Roll { rosters: Rosters::new(), outcomes: BTreeMap::new(), ended: None };
    let (to_here, mut outcomes) = mpsc::channel(OUTCOMES);
    let around = Arc::new(listing(to_here));
    let (assignment, _released) =
        assignment(config, Arc::clone(fleet), Arc::default(), Arc::default(), Inheritance::default());
    let (orders, _) = watch::channel(Orders { assignment, is_settled: true });
    let mut tasks = JoinSet::new();
    let scopes = (0..).zip(&fleet.scopes).filter(|(_, scope)| scope.service == Service::Organizations);
    for (index, _) in scopes {
        let discoverer =
            Discoverer::new(Arc::clone(&around), orders.subscribe(), ScopeId(index), u64::from(index));
        let run = discoverer.run();
        tasks.spawn(async { Some(format!("discovery {:?}", run.await)) });
    }
    while roll.outcomes.len() < config.organizations.len() {
        tokio::select! {
            biased;
            ended = &mut end => roll.ended = Some(ended),
            Some(_) = reports.recv() => continue,
            Some(outcome) = outcomes.recv() => {
                roll.take(outcome, wanted);
                continue;
            }
            ended = unasked(broker) => return Err(ended),
            ended = unasked(&mut tasks) => return Err(ended),
        }
        break;
    }
    tasks.shutdown().await;
    Ok(roll)
}

impl Roll {
    /// Takes in the first that comes of an organization.
    fn take(&mut self, outcome: Outcome, wanted: &dyn Fn(&Account) -> bool) {
        let Outcome { organization, at, listing } = outcome;
        let name = Arc::clone(&organization.name);
        let outcome = listing.map(|mut listing| {
            listing.accounts.retain(|id, name| {
                wanted(&Account { id: *id, name: Arc::clone(name), labels: BTreeMap::new() })
            });
            let mut roster = Roster::default();
            roster.take(&listing, at);
            self.rosters.insert(Arc::clone(&name), roster);
        });
        self.outcomes.entry(name).or_insert((at, outcome));
    }
}
