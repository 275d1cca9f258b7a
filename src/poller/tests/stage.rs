//! A scripted AWS, and pollers at work on it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;

use super::super::*;
use crate::model::{
    Account, Caller, Details, Failure, FailureReason, Fleet, Polling, Probe, Reading, Region, Resource,
    ResourceReading, Service, Status, Target,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const POLLING: Polling = Polling {
    interval: Duration::from_secs(300),
    pending_interval: Duration::from_secs(15),
    failed_interval: Duration::from_secs(60),
    timeout: Duration::from_secs(10),
    stale_after: Duration::from_secs(900),
};

/// What the script says: how long AWS takes, and what it answers.
pub(super) type Line = (Duration, Result<Reading, Failure>);

/// An AWS that follows a script: a function of the target and of how often it was asked before.
pub(super) struct Scripted {
    pub(super) script: Arc<dyn Fn(TargetId, usize) -> Line + Send + Sync>,
    pub(super) calls: Arc<Mutex<Vec<(TargetId, Instant)>>>,
    /// Until then nobody can sign in.
    pub(super) credentials_from: Instant,
    pub(super) record: Arc<Mutex<Record>>,
}

/// What nobody but a test looks at.
#[derive(Default)]
pub(super) struct Record {
    sign_ins: usize,
    /// How many calls about a target wait for their answer, and how many did at most.
    in_flight: BTreeMap<TargetId, (usize, usize)>,
}

/// A call in flight; dropped when nobody waits for its answer.
struct InFlight(TargetId, Arc<Mutex<Record>>);

impl InFlight {
    fn new(id: TargetId, record: &Arc<Mutex<Record>>) -> Self {
        let mut all = record.lock().unwrap();
        let (now, most) = all.in_flight.entry(id).or_default();
        *now += 1;
        *most = (*most).max(*now);
        Self(id, Arc::clone(record))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.1.lock().unwrap().in_flight.entry(self.0).or_default().0 -= 1;
    }
}

impl Prober for Scripted {
    type Session = ();

    async fn sign_in(&self, _: &Target) -> Result<(), Failure> {
        tokio::time::sleep_until(self.credentials_from).await;
        self.record.lock().unwrap().sign_ins += 1;
        Ok(())
    }

    async fn ask(&self, target: &Target, (): ()) -> Asked {
        let id = TargetId(u32::try_from(target.account.id.to_string().parse::<u64>().unwrap()).unwrap());
        let at = Instant::now();
        let asked_before = {
            let mut calls = self.calls.lock().unwrap();
            let before = calls.iter().filter(|(asked, _)| *asked == id).count();
            calls.push((id, at));
            before
        };
        let _in_flight = InFlight::new(id, &self.record);
        let (latency, outcome) = (self.script)(id, asked_before);
        tokio::time::sleep(latency).await;
        Asked { at, outcome }
    }
}

/// Pollers at work on a scripted AWS.
pub(super) struct Stage {
    pub(super) began: Instant,
    pub(super) calls: Arc<Mutex<Vec<(TargetId, Instant)>>>,
    record: Arc<Mutex<Record>>,
    pub(super) reports: mpsc::Receiver<Report>,
    pub(super) orders: watch::Sender<Orders>,
    pub(super) pollers: tokio::task::JoinSet<Finish>,
}

impl Stage {
    /// One poller for each entry of `scopes`, which says how many targets it has and its limit.
    pub(super) fn set(
        scopes: &[(u32, f64)],
        script: impl Fn(TargetId, usize) -> Line + Send + Sync + 'static,
    ) -> Self {
        Self::set_with(Instant::now(), scopes, script)
    }

    /// The same, where nobody can sign in before a time.
    pub(super) fn set_with(
        credentials_from: Instant,
        scopes: &[(u32, f64)],
        script: impl Fn(TargetId, usize) -> Line + Send + Sync + 'static,
    ) -> Self {
        Self::under(orders(fleet(scopes)), None, credentials_from, script)
    }

    /// A poller for each scope of the orders, of a replica that holds something, or of the only one.
    pub(super) fn under(
        orders: Orders,
        held: Option<watch::Receiver<Arc<Held>>>,
        credentials_from: Instant,
        script: impl Fn(TargetId, usize) -> Line + Send + Sync + 'static,
    ) -> Self {
        let (reports, received) = mpsc::channel(1 << 16);
        let prober = Scripted {
            script: Arc::new(script),
            calls: Arc::default(),
            credentials_from,
            record: Arc::default(),
        };
        let (calls, record) = (Arc::clone(&prober.calls), Arc::clone(&prober.record));
        let around = surroundings(prober, reports, held);
        let scopes = u32::try_from(orders.assignment.fleet.scopes.len()).unwrap();
        let orders = watch::Sender::new(orders);
        let mut pollers = tokio::task::JoinSet::new();
        for index in 0..scopes {
            let poller =
                Poller::new(Arc::clone(&around), orders.subscribe(), ScopeId(index), u64::from(index));
            pollers.spawn(poller.run());
        }
        Self { began: Instant::now(), calls, record, reports: received, orders, pollers }
    }

    /// From now on nobody can give orders.
    pub(super) fn stop(&mut self) {
        let last = self.orders.borrow().clone();
        self.orders = watch::Sender::new(last);
    }

    pub(super) async fn after(self, time: Duration) -> Self {
        tokio::time::sleep_until(self.began + time).await;
        self
    }

    /// When a target was asked, since the beginning.
    pub(super) fn asked(&self, target: u32) -> Vec<Duration> {
        let calls = self.calls.lock().unwrap();
        let mine = calls.iter().filter(|(id, _)| *id == TargetId(target));
        mine.map(|(_, at)| *at - self.began).collect()
    }

    /// How many calls about a target wait for their answer.
    pub(super) fn in_flight(&self, target: u32) -> usize {
        self.record.lock().unwrap().in_flight.get(&TargetId(target)).map_or(0, |(now, _)| *now)
    }

    /// How many did at most.
    pub(super) fn most_at_once(&self, target: u32) -> usize {
        self.record.lock().unwrap().in_flight.get(&TargetId(target)).map_or(0, |(_, most)| *most)
    }

    /// How often somebody has signed in.
    pub(super) fn sign_ins(&self) -> usize {
        self.record.lock().unwrap().sign_ins
    }

    pub(super) fn polls(&mut self) -> Vec<Poll> {
        let reports = std::iter::from_fn(|| self.reports.try_recv().ok());
        reports
            .map(|report| match report {
                Report::Polled { poll, .. } => poll,
                other => panic!("a poller reports polls, not {other:?}"),
            })
            .collect()
    }
}

/// What the pollers of a scripted AWS share.
pub(super) fn surroundings(
    prober: Scripted,
    reports: mpsc::Sender<Report>,
    held: Option<watch::Receiver<Arc<Held>>>,
) -> Arc<Surroundings<Scripted>> {
    Arc::new(Surroundings {
        prober,
        reports,
        liveness: Arc::new(Liveness::new()),
        clock: Clock::starting_at(Timestamp::UNIX_EPOCH),
        anchor: Instant::now(),
        held,
    })
}

/// The first orders.
pub(super) fn orders(fleet: Fleet) -> Orders {
    inherited(fleet, Inheritance::default())
}

/// The first orders, about what somebody else had before.
pub(super) fn inherited(fleet: Fleet, inheritance: Inheritance) -> Orders {
    let (held, _) = mpsc::channel(1);
    let assignment = Assignment {
        fleet: Arc::new(fleet),
        succession: Arc::default(),
        redefined: Arc::default(),
        organizations: Vec::new(),
        start_window: 30 * SECOND,
        inheritance,
        held,
    };
    Orders { assignment: Arc::new(assignment), is_settled: true }
}

pub(super) fn fleet(scopes: &[(u32, f64)]) -> Fleet {
    let mut fleet = Fleet::default();
    let polling = Arc::new(POLLING);
    for (index, &(count, limit)) in scopes.iter().enumerate() {
        let first = u32::try_from(fleet.targets.len()).unwrap();
        for id in first..first + count {
            fleet.targets.push(Target {
                account: Arc::new(Account {
                    id: format!("{id:012}").parse().unwrap(),
                    name: "".into(),
                    labels: BTreeMap::new(),
                }),
                probe: Probe::GovCloud,
                region: None,
                identity: "hub".into(),
                scope: ScopeId(u32::try_from(index).unwrap()),
                polling: Arc::clone(&polling),
            });
        }
        fleet.scopes.push(Scope {
            service: Service::Account,
            caller: Caller::Identity(if index == 0 { "hub".into() } else { format!("hub-{index}").into() }),
            region: Region::new("us-east-1"),
            limit,
            wanted: f64::from(count) / 300.0,
            targets: (first..first + count).map(TargetId).collect(),
        });
    }
    fleet
}

pub(super) fn says(status: Status) -> Line {
    let reading = Reading {
        resources: vec![ResourceReading::new(Resource::GovCloudAccount, status)],
        details: Details::None,
        created_at: None,
        modified_at: None,
    };
    (SECOND / 20, Ok(reading))
}

pub(super) fn fails(reason: FailureReason, retry_after: Option<Duration>) -> Line {
    (SECOND / 20, Err(Failure { retry_after, ..Failure::new(reason, "as scripted") }))
}
