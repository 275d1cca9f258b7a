mod reading;
mod turnover;

use std::sync::{Mutex, MutexGuard};

use tokio::task::JoinSet;
use tokio::time::{advance, sleep};

use super::*;
use crate::model::{
    Account, AccountId, Caller, Epoch, Holder, Polling, Probe, Region, Resource, ResourceReading,
    ResourceState, Scope, ScopeId, Service, Shards, Status, Target, TargetId, TargetState,
};
use crate::store::{LeaseState, LiveReplica, SavedState, TargetKey};

/// How many shards there are.
const COUNT: u16 = 4;

/// A store of which the test says what it tells.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    revision: u64,
    states: BTreeMap<TargetKey, (u64, SavedState)>,
    ended: BTreeMap<TargetKey, u64>,
    gates: BTreeMap<String, Timestamp>,
    is_away: bool,
    hangs: bool,
    /// Since when each reading asked.
    asked: Vec<Option<u64>>,
}

impl Script {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }

    fn write(&self, account: u64, status: Status, at: Timestamp) {
        let mut told = self.told();
        told.revision += 1;
        let written = (told.revision, saved(status, at));
        told.states.insert(key(account), written);
    }

    fn end(&self, account: u64) {
        let mut told = self.told();
        told.revision += 1;
        told.states.remove(&key(account));
        let revision = told.revision;
        told.ended.insert(key(account), revision);
    }
}

impl Source for Script {
    async fn states_since(&self, since: Option<u64>) -> Result<Changes, StoreError> {
        let hangs = {
            let mut told = self.told();
            told.asked.push(since);
            told.hangs
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        let told = self.told();
        if told.is_away {
            return Err(StoreError::Unknown { row: "any".into(), column: "any" });
        }
        let is_new = |revision: u64| since.is_none_or(|since| revision > since);
        let states = told.states.iter().filter(|(_, (revision, _))| is_new(*revision));
        let ended = told.ended.iter().filter(|(_, revision)| since.is_some() && is_new(**revision));
        Ok(Changes {
            revision: told.revision,
            is_whole: since.is_none(),
            states: states.map(|(key, (_, saved))| (key.clone(), saved.clone())).collect(),
            ended: ended.map(|(key, _)| key.clone()).collect(),
        })
    }

    async fn gates(&self, now: Timestamp) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        let open = self.told().gates.clone().into_iter().filter(|(_, until)| *until > now);
        Ok(open.collect())
    }
}

fn account_id(account: u64) -> AccountId {
    format!("{account:012}").parse().unwrap()
}

fn key(account: u64) -> TargetKey {
    TargetKey {
        account: account_id(account),
        probe: Probe::FleetWise,
        region: Some(Region::new("us-east-1")),
    }
}

fn resources(status: Status, since: Timestamp) -> Vec<ResourceState> {
    vec![ResourceState { reading: ResourceReading::new(Resource::Account, status), since }]
}

fn saved(status: Status, at: Timestamp) -> SavedState {
    SavedState {
        resources: resources(status, at),
        details: Default::default(),
        created_at: None,
        modified_at: None,
        last_success: Some(at),
    }
}

/// A fleet of accounts, each with a scope of its own.
fn fleet(accounts: impl IntoIterator<Item = u64>) -> Arc<Fleet> {
    let minute = Duration::from_mins(1);
    let polling = Arc::new(Polling {
        interval: minute,
        pending_interval: minute,
        failed_interval: minute,
        timeout: minute,
        stale_after: 15 * minute,
    });
    let mut fleet = Fleet::default();
    for (place, id) in (0..).zip(accounts) {
        let id = account_id(id);
        let account = Arc::new(Account { id, name: id.to_string().into(), labels: BTreeMap::new() });
        fleet.targets.push(Target {
            account: Arc::clone(&account),
            probe: Probe::FleetWise,
            region: Some(Region::new("us-east-1")),
            identity: "hub".into(),
            scope: ScopeId(place),
            polling: Arc::clone(&polling),
        });
        fleet.accounts.push(account);
        fleet.scopes.push(scope(Service::FleetWise, Caller::Account(id), vec![TargetId(place)]));
    }
    fleet.scopes.push(scope(Service::Sts, Caller::Identity("hub".into()), Vec::new()));
    Arc::new(fleet)
}

fn scope(service: Service, caller: Caller, targets: Vec<TargetId>) -> Scope {
    Scope { service, caller, region: Region::new("us-east-1"), limit: 2.0, wanted: 0.1, targets }
}

/// The part of a fleet whose accounts have these ids, of a replica that holds just what they need.
fn part(whole: &Fleet, held: &[u16]) -> Arc<Fleet> {
    let held = held.iter().map(|&shard| (shard, Epoch(1))).collect();
    Arc::new(whole.part(&Shards { count: COUNT, held, among: 1 }))
}

fn shard(whole: &Fleet, account: u64) -> u16 {
    let shards = Shards { count: COUNT, held: BTreeMap::new(), among: 1 };
    shards.of(&whole.scopes[place(whole, account).unwrap()])
}

fn place(fleet: &Fleet, account: u64) -> Option<usize> {
    fleet.targets.iter().position(|target| target.account.id == account_id(account))
}

/// A mirror at work in a replica `a`, beside a replica `b`.
struct Running {
    fleet: watch::Sender<Arc<Fleet>>,
    local: watch::Sender<Arc<Snapshot>>,
    roll: watch::Sender<Arc<Roll>>,
    look: watch::Receiver<Arc<Whole>>,
    clock: Clock,
    ids: [ReplicaId; 2],
    liveness: Arc<Liveness>,
    task: JoinSet<()>,
}

impl Running {
    /// It holds these shards, and the other the rest.
    async fn start(script: &Script, whole: &Arc<Fleet>, held: &[u16]) -> Self {
        let clock = Clock::starting_at("2026-11-21T12:00:00Z".parse().unwrap());
        let ids = [ReplicaId::random(), ReplicaId::random()];
        let fleet = watch::Sender::new(Arc::clone(whole));
        let local = watch::Sender::new(Arc::new(Snapshot::new(part(whole, held), clock.now())));
        let roll = watch::Sender::new(Arc::new(roll(ids, ["a", "b"], held)));
        let inputs = Inputs { fleet: fleet.subscribe(), local: local.subscribe(), roll: roll.subscribe() };
        let liveness = Arc::new(Liveness::new());
        let me = Replica { id: ids[0], name: "a".into() };
        let (mirror, look) = Mirror::new(script.clone(), inputs, me, COUNT, clock, &liveness);
        let mut task = JoinSet::new();
        task.spawn(mirror.run());
        let running = Self { fleet, local, roll, look, clock, ids, liveness, task };
        running.settle().await;
        running
    }

    /// Until everything that is due has been done.
    async fn settle(&self) {
        sleep(Duration::from_millis(1)).await;
        assert_eq!(self.liveness.check(Instant::now()), Ok(()));
    }

    async fn next_reading(&self) {
        sleep(READ).await;
        self.settle().await;
    }

    fn whole(&self) -> Whole {
        Whole::clone(&self.look.borrow())
    }

    fn state(&self, account: u64) -> Arc<TargetState> {
        let whole = self.whole();
        Arc::clone(&whole.snapshot.targets[place(&whole.snapshot.fleet, account).unwrap()])
    }

    fn status(&self, account: u64) -> Option<Status> {
        self.state(account).resources.first().map(|state| state.reading.status)
    }

    fn holder(&self, account: u64) -> String {
        let whole = self.whole();
        let scope = whole.snapshot.fleet.targets[place(&whole.snapshot.fleet, account).unwrap()].scope;
        match whole.holders.as_ref().unwrap().of(scope) {
            Holder::Me(name) => format!("{name}, me"),
            Holder::Other(name) => name.to_owned(),
            Holder::Each => "each".to_owned(),
            Holder::Nobody => "nobody".to_owned(),
        }
    }

    fn unheard_since(&self) -> Option<Timestamp> {
        self.whole().holders.unwrap().unheard_since
    }

    /// The replica itself hears this of an account that it holds.
    fn hear(&self, account: u64, status: Status) {
        let mut snapshot = Snapshot::clone(&self.local.borrow());
        let place = place(&snapshot.fleet, account).expect("it holds it");
        let (polls, now) = (snapshot.targets[place].polls + 1, self.clock.now());
        snapshot.targets[place] = Arc::new(TargetState {
            resources: resources(status, now),
            last_attempt: Some(now),
            last_success: Some(now),
            polls,
            ..TargetState::default()
        });
        self.local.send_replace(Arc::new(snapshot));
    }
}

fn roll(ids: [ReplicaId; 2], names: [&str; 2], held: &[u16]) -> Roll {
    let live = |(id, name): (ReplicaId, &str)| LiveReplica { id, name: name.into() };
    let state = |shard| LeaseState {
        lease: Lease::Shard(shard),
        epoch: Epoch(1),
        holder: Some(if held.contains(&shard) { ids[0] } else { ids[1] }),
    };
    Roll {
        replicas: ids.into_iter().zip(names).map(live).collect(),
        leases: (0..COUNT).map(state).collect(),
        next_end: None,
    }
}

/// Forty accounts, and two of them that are in different shards.
fn two_apart() -> (Arc<Fleet>, u64, u64) {
    let whole = fleet(1..=40);
    let other = (2..=40).find(|other| shard(&whole, *other) != shard(&whole, 1)).unwrap();
    (whole, 1, other)
}
