//! A snapshot that has something of everything, awkward texts included.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use regwatch::model::{
    Account, Caller, Details, Failure, FailureReason, Fleet, FleetWiseDetails, GovCloudDetails, Pacing, Poll,
    Polling, Probe, Reading, Region, Resource, ResourceReading, Scope, ScopeId, Snapshot, Status, Target,
    TargetId,
};

/// When the snapshot is looked at.
pub(crate) const NOW: &str = "2026-11-21T12:00:00Z";

/// An account with labels.
pub(crate) fn account(id: u64, name: &str, labels: &[(&str, &str)]) -> Arc<Account> {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let id = format!("{id:012}").parse().expect("twelve digits");
    Arc::new(Account { id, name: name.into(), labels: labels.collect::<BTreeMap<_, _>>() })
}

/// A target of the usual cadence.
pub(crate) fn target(account: &Arc<Account>, region: Option<&str>, scope: u32) -> Target {
    let polling = Polling {
        interval: Duration::from_secs(300),
        pending_interval: Duration::from_secs(15),
        failed_interval: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
        stale_after: Duration::from_secs(900),
    };
    Target {
        account: account.clone(),
        probe: if region.is_some() { Probe::FleetWise } else { Probe::GovCloud },
        region: region.map(Region::new),
        identity: "hub".into(),
        scope: ScopeId(scope),
        polling: Arc::new(polling),
    }
}

/// A quota scope of these targets.
pub(crate) fn scope(probe: Probe, caller: Caller, region: &str, targets: &[u32]) -> Scope {
    Scope {
        service: probe.service(),
        caller,
        region: Region::new(region),
        limit: 2.0,
        wanted: targets.len() as f64 / 300.0,
        targets: targets.iter().copied().map(TargetId).collect(),
    }
}

/// A time of the day of [`NOW`].
pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-11-21T{time}Z").parse().expect("a time of day")
}

/// A registration of the account as a whole, its role and, where there is one, its table.
pub(crate) fn registration(status: Status, timestream: Option<Status>) -> Reading {
    let role_arn = "arn:aws:iam::000011112222:role/fleet \"writer\"\\1";
    let resource = ResourceReading::new;
    Reading {
        resources: [
            Some(resource(Resource::Account, status)),
            Some(resource(Resource::Iam, Status::RegistrationSuccess)),
            timestream.map(|status| resource(Resource::Timestream, status)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        details: Details::FleetWise(Box::new(FleetWiseDetails {
            role_arn: Some(role_arn.into()),
            timestream_database_name: timestream.map(|_| "telemetry".into()),
            timestream_table_name: None,
        })),
        created_at: Some(at("08:00:00.125")),
        modified_at: timestream.map(|_| at("11:00:00")),
    }
}

/// What the tracker would know after the polls.
pub(crate) fn record(
    snapshot: &mut Snapshot,
    target: u32,
    time: &str,
    outcome: Result<Reading, FailureReason>,
) {
    let poll = Poll {
        target: TargetId(target),
        attempted_at: at(time),
        next_poll: at("12:05:00"),
        lag: Duration::ZERO,
        duration: Duration::ZERO,
        outcome: outcome.map_err(|reason| Failure::new(reason, "no")),
    };
    Arc::make_mut(&mut snapshot.targets[target as usize]).record(poll);
}

/// Five targets: registered, failing, never asked, a GovCloud account, and one whose labels and
/// region try to break out. Of the scopes two cannot be told apart.
pub(crate) fn rich() -> Arc<Snapshot> {
    let fleet = account(11_112_222, "fleet-prod", &[("team", "telematics"), ("cost-centre", "7")]);
    let hub = account(333_344_445_555, "a \"hub\",\\ and\nmore ü", &[("cost_centre", "8"), ("τ", "\\n")]);
    let accounts = vec![fleet.clone(), hub.clone()];
    let identity = |name: &str| Caller::Identity(name.into());
    let fleet = Fleet {
        targets: vec![
            target(&fleet, Some("us-east-1"), 0),
            target(&fleet, Some("eu-central-1"), 1),
            target(&hub, Some("us-east-1"), 2),
            target(&hub, None, 3),
            target(&fleet, Some("mars\"} 1\n# EOF\\"), 4),
        ],
        scopes: vec![
            scope(Probe::FleetWise, Caller::Account(fleet.id), "us-east-1", &[0]),
            scope(Probe::FleetWise, Caller::Account(fleet.id), "eu-central-1", &[1]),
            scope(Probe::FleetWise, identity("hub"), "us-east-1", &[2]),
            scope(Probe::GovCloud, identity("hub"), "us-east-1", &[3]),
            scope(Probe::FleetWise, identity("other"), "us-east-1", &[4]),
        ],
        accounts,
        ..Fleet::default()
    };
    let mut snapshot = Snapshot::new(Arc::new(fleet), at("11:40:00"));
    let success = Status::RegistrationSuccess;
    record(&mut snapshot, 0, "11:50:00", Ok(registration(Status::RegistrationPending, Some(success))));
    record(&mut snapshot, 0, "11:59:00.5", Ok(registration(success, Some(success))));
    record(&mut snapshot, 1, "11:41:00", Ok(registration(Status::RegistrationFailure, None)));
    record(&mut snapshot, 1, "11:58:00", Err(FailureReason::Throttled));
    record(&mut snapshot, 1, "11:59:00", Err(FailureReason::Throttled));
    record(&mut snapshot, 1, "11:59:30", Err(FailureReason::AccessDenied));
    let linked = Reading {
        resources: vec![ResourceReading::new(Resource::GovCloudAccount, Status::Active)],
        details: Details::GovCloud(GovCloudDetails { govcloud_account_id: "444455556666".into() }),
        created_at: None,
        modified_at: None,
    };
    record(&mut snapshot, 3, "11:59:59", Ok(linked));
    for (scope, throttled, backoff_until) in
        [(1, 2, Some(at("12:00:07"))), (2, 1, None), (4, 3, Some(at("12:01:00")))]
    {
        snapshot.scopes[scope].attempted = true;
        let id = ScopeId(u32::try_from(scope).expect("a few"));
        snapshot.pace(id, Pacing { allowed: 0.75, backoff_until, throttled });
    }
    Arc::new(snapshot)
}
