//! What a store takes in by itself: transitions as the tracker writes them, and nobody who asks AWS.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use regwatch::clock::Clock;
use regwatch::config::Config;
use regwatch::model::{
    Claim, Details, Event, Fleet, Lease, Poll, Reading, Region, Resource, ResourceReading, Shards, Status,
    TargetId, TargetState,
};
use regwatch::store::{Batch, Leases, Ledger, Replica, SavedState, Store};
use tokio::time::Instant;

/// For how long the leases are taken, which nobody renews: longer than anything is measured.
const LEASE: Duration = Duration::from_mins(10);

/// Opens the store that a configuration names, with the shards that are one of so many replicas' part, and says
/// `ready`. Each line of input has seconds and a number of targets: for so long it writes transactions in each
/// of which so many targets change, and then tells how many transitions that were, and in how many seconds.
pub(crate) async fn write(config: &str, parts: u16, part: u16) -> anyhow::Result<()> {
    let (config, _) = Config::load(config.as_ref())?;
    let store = Store::open(&config.store).await?;
    // As a start of the daemon does: what is written from now on is theirs to be told.
    for webhook in &config.webhooks {
        store.cursor(&webhook.name).await?;
    }
    let me = Replica::of_this_run(None);
    let whole = config.fleet(&Region::new("us-east-1"));
    let (fleet, claims) = match &config.store.postgres {
        Some(settings) => {
            let count = settings.shards;
            let all: Vec<_> = (0..count).map(Lease::Shard).collect();
            store.renew(&me, &all, &[], LEASE).await?;
            let wanted: Vec<_> = (part..count).step_by(usize::from(parts)).map(Lease::Shard).collect();
            let claims = store.take(&me.id, &wanted, LEASE).await?;
            anyhow::ensure!(claims.len() == wanted.len(), "somebody else holds shards");
            (whole.part(&shards(count, &claims)), claims)
        }
        None => (whole, Vec::new()),
    };
    let mut watch = Watch::new(fleet);
    println!("ready");
    // Nothing else is to be done while it waits for a line.
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (seconds, size) = line.split_once(' ').unwrap_or((&line, "1"));
        let (duration, size) = (Duration::from_secs_f64(seconds.parse()?), size.trim().parse()?);
        let (began, mut transitions) = (Instant::now(), 0);
        while began.elapsed() < duration {
            let batches = watch.changes(size);
            transitions += batches.iter().map(|batch| batch.events.len()).sum::<usize>();
            let committed = store.commit(Arc::new(batches)).await?;
            anyhow::ensure!(committed.fenced.is_empty(), "a lease was lost");
        }
        println!("{transitions} {:.6}", began.elapsed().as_secs_f64());
    }
    store.release(&me.id, &claims).await?;
    store.leave(&me.id).await?;
    store.close().await;
    Ok(())
}

fn shards(count: u16, claims: &[Claim]) -> Shards {
    let held = claims.iter().filter_map(|claim| match claim.lease {
        Lease::Shard(shard) => Some((shard, claim.epoch)),
        _ => None,
    });
    Shards { count, held: held.collect(), among: 1 }
}

/// A fleet of FleetWise targets, each of which is other than before whenever it is looked at.
struct Watch {
    fleet: Fleet,
    states: Vec<TargetState>,
    next: usize,
}

impl Watch {
    fn new(fleet: Fleet) -> Self {
        let states = vec![TargetState::default(); fleet.targets.len()];
        Self { fleet, states, next: 0 }
    }

    /// What is to be written when so many targets have changed, the next ones in turn: no more than there are.
    fn changes(&mut self, count: usize) -> Vec<Batch> {
        let mut batches: BTreeMap<Option<Claim>, Batch> = BTreeMap::new();
        for _ in 0..count.min(self.states.len()) {
            let (target, state) = (&self.fleet.targets[self.next], &mut self.states[self.next]);
            let id = TargetId(u32::try_from(self.next).expect("a target's place fits its id"));
            let transitions = state.record(poll(id, state.polls));
            let claim = self.fleet.claim(target);
            let batch = batches.entry(claim.cloned()).or_default();
            batch.claim = claim.cloned();
            batch.events.extend(transitions.into_iter().map(|one| Event::new(target, one, &state.details)));
            batch.states.push((target.into(), saved(state)));
            self.next = (self.next + 1) % self.states.len();
        }
        batches.into_values().collect()
    }
}

/// A registration that is pending every other time, in all its parts.
fn poll(target: TargetId, number: u64) -> Poll {
    let status =
        if number.is_multiple_of(2) { Status::RegistrationPending } else { Status::RegistrationSuccess };
    let resources = [Resource::Account, Resource::Iam, Resource::Timestream];
    let resources = resources.map(|resource| ResourceReading::new(resource, status)).into();
    let now = Clock::System.now();
    let reading =
        Reading { resources, details: Details::None, created_at: Some(now), modified_at: Some(now) };
    let (lag, duration) = (Duration::ZERO, Duration::ZERO);
    Poll { target, attempted_at: now, next_poll: now, lag, duration, outcome: Ok(reading) }
}

fn saved(state: &TargetState) -> SavedState {
    let TargetState { resources, details, created_at, modified_at, last_success, .. } = state.clone();
    SavedState { resources, details, created_at, modified_at, last_success }
}
