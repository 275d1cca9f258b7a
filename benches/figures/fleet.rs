//! Fleets of any size, and what is known of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use regwatch::model::{
    Account, Caller, Details, Fleet, FleetWiseDetails, Pacing, Poll, Polling, Probe, Reading, Region,
    Resource, ResourceReading, Scope, ScopeId, Service, Snapshot, Status, Target, TargetId,
};

/// What `config.example.yaml` shows.
pub(crate) const POLLING: Polling = Polling {
    interval: Duration::from_secs(300),
    pending_interval: Duration::from_secs(15),
    failed_interval: Duration::from_secs(60),
    timeout: Duration::from_secs(10),
    stale_after: Duration::from_secs(900),
};

/// When everything happens.
pub(crate) fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().expect("a time")
}

/// Accounts with their FleetWise targets, each in a scope of its own.
pub(crate) fn apart(targets: u32, polling: Polling) -> Fleet {
    let ours = |id: u32| vec![TargetId(id)];
    let scopes = (0..targets).map(|id| scope(Service::FleetWise, account_id(id), 5.0, ours(id))).collect();
    fleet(targets, Probe::FleetWise, polling, scopes)
}

/// Accounts whose GovCloud accounts are asked for through one, in its scope.
pub(crate) fn together(targets: u32, limit: f64) -> Fleet {
    let all = (0..targets).map(TargetId).collect();
    fleet(targets, Probe::GovCloud, POLLING, vec![scope(Service::Account, account_id(0), limit, all)])
}

fn scope(service: Service, caller: regwatch::model::AccountId, limit: f64, targets: Vec<TargetId>) -> Scope {
    let wanted = targets.len() as f64 / POLLING.interval.as_secs_f64();
    let (caller, region) = (Caller::Account(caller), Region::new("us-east-1"));
    Scope { service, caller, region, limit, wanted, targets }
}

fn fleet(targets: u32, probe: Probe, polling: Polling, scopes: Vec<Scope>) -> Fleet {
    let (polling, region) = (Arc::new(polling), Region::new("us-east-1"));
    let accounts: Vec<_> = (0..targets)
        .map(|number| {
            let (id, name) = (account_id(number), format!("fleet-{number:06}").into());
            let labels = BTreeMap::from([("team".to_owned(), "telematics".to_owned())]);
            Arc::new(Account { id, name, labels })
        })
        .collect();
    let target = |(account, number): (&Arc<Account>, u32)| Target {
        account: Arc::clone(account),
        probe,
        region: (probe == Probe::FleetWise).then(|| region.clone()),
        identity: "member".into(),
        scope: ScopeId(if scopes.len() == 1 { 0 } else { number }),
        polling: Arc::clone(&polling),
    };
    let targets = accounts.iter().zip(0..).map(target).collect();
    Fleet { accounts, targets, scopes, ..Fleet::default() }
}

fn account_id(number: u32) -> regwatch::model::AccountId {
    (100_000_000_000 + u64::from(number)).to_string().parse().expect("twelve digits")
}

/// What is known when each target has answered.
pub(crate) fn answered(fleet: Fleet) -> Snapshot {
    let mut snapshot = Snapshot::new(Arc::new(fleet), now());
    for id in 0..snapshot.targets.len() {
        let id = TargetId(u32::try_from(id).expect("it fits"));
        Arc::make_mut(&mut snapshot.targets[id.0 as usize]).record(poll(id));
    }
    for state in snapshot.scopes.iter_mut() {
        (state.attempted, state.pacing) = (true, Pacing { allowed: 5.0, ..Pacing::default() });
    }
    snapshot
}

/// A poll of a target that is registered.
pub(crate) fn poll(target: TargetId) -> Poll {
    let resource = |resource| ResourceReading::new(resource, Status::RegistrationSuccess);
    let reading = Reading {
        resources: [Resource::Account, Resource::Iam, Resource::Timestream].map(resource).into(),
        details: Details::FleetWise(Box::new(FleetWiseDetails {
            role_arn: Some("arn:aws:iam::100000000000:role/service-role/fleetwise".into()),
            timestream_database_name: Some("telemetry".into()),
            timestream_table_name: Some("vehicles".into()),
        })),
        created_at: Some(now() - SignedDuration::from_hours(1000)),
        modified_at: Some(now() - SignedDuration::from_hours(10)),
    };
    Poll {
        target,
        attempted_at: now() + SignedDuration::from_millis(i64::from(target.0) % 300_000),
        next_poll: now() + SignedDuration::from_millis(300_000 + i64::from(target.0) % 300_000),
        lag: Duration::from_millis(2),
        duration: Duration::from_millis(20),
        outcome: Ok(reading),
    }
}
