//! A scripted AWS, and pollers at work on it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;

use super::super::*;
use crate::model::{
    Account, Caller, Details, Failure, FailureReason, Polling, Probe, Reading, Region, Resource,
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
}

impl Prober for Scripted {
    type Session = ();

    async fn sign_in(&self, _: &Target) -> Result<(), Failure> {
        tokio::time::sleep_until(self.credentials_from).await;
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
        let (latency, outcome) = (self.script)(id, asked_before);
        tokio::time::sleep(latency).await;
        Asked { at, outcome }
    }
}

/// Pollers at work on a scripted AWS.
pub(super) struct Stage {
    pub(super) began: Instant,
    pub(super) calls: Arc<Mutex<Vec<(TargetId, Instant)>>>,
    pub(super) reports: mpsc::Receiver<Report>,
    pub(super) stop: CancellationToken,
    pub(super) pollers: tokio::task::JoinSet<()>,
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
        let (reports, received) = mpsc::channel(1 << 16);
        let prober = Scripted { script: Arc::new(script), calls: Arc::default(), credentials_from };
        let calls = Arc::clone(&prober.calls);
        let around = Arc::new(Surroundings {
            fleet: Arc::new(fleet(scopes)),
            prober,
            reports,
            liveness: Arc::new(Liveness::new(scopes.len())),
            clock: Clock::starting_at(Timestamp::UNIX_EPOCH),
            anchor: Instant::now(),
            start_window: 30 * SECOND,
        });
        let stop = CancellationToken::new();
        let mut pollers = tokio::task::JoinSet::new();
        for index in 0..u32::try_from(scopes.len()).unwrap() {
            let poller = Poller::new(Arc::clone(&around), ScopeId(index), u64::from(index));
            pollers.spawn(poller.run(stop.clone()));
        }
        Self { began: Instant::now(), calls, reports: received, stop, pollers }
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
            caller: Caller::Identity("hub".into()),
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
