//! Snapshots for the status pages to show: hostile texts, and many accounts.

use std::sync::Arc;

use jiff::Timestamp;
use regwatch::model::{
    Caller, Event, Failure, FailureReason, Fleet, Organization, Poll, Probe, ScopeId, Snapshot, Status,
    TargetId,
};

use crate::event::became;
use crate::snapshot::{account, at, record, registration, scope, target};

/// What AWS, or whoever wrote the configuration, might say to whom it wants ill.
pub(crate) const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\" onfocus=\"alert(3)' \
                                  x='{{7*7}} &amp; \u{202e}gnitirw\u{202c}\r\nLocation: x \u{0}\u{1b}[31m";

/// A target whose every text is hostile, messages of 10 kB among them, and what happened to it.
pub(crate) fn hostile() -> (Arc<Snapshot>, Vec<Event>) {
    let account = account(111_122_223_333, HOSTILE, &[(HOSTILE, HOSTILE)]);
    let mut bad = target(&account, Some("x\"/../<b>?#%2e"), 0);
    bad.identity = HOSTILE.into();
    let targets = vec![bad, target(&account, None, 1)];
    let fleet = Fleet {
        scopes: vec![
            scope(Probe::FleetWise, Caller::Identity(HOSTILE.into()), HOSTILE, &[0]),
            scope(Probe::GovCloud, Caller::Account(account.id), "us-east-1", &[1]),
        ],
        accounts: vec![account],
        targets,
        organizations: vec![Organization {
            name: HOSTILE.into(),
            scope: ScopeId(0),
            refresh: std::time::Duration::from_hours(1),
            accounts: 1,
            leaving: 1,
        }],
        ..Fleet::default()
    };
    let mut snapshot = Snapshot::new(Arc::new(fleet), at("11:40:00"));
    let long = HOSTILE.repeat(10_000 / HOSTILE.len());
    let mut reading = registration(Status::RegistrationFailure, Some(Status::Unknown));
    let [account, _, timestream] = &mut reading.resources[..] else { panic!("a registration has three") };
    *account = account.clone().with_words(None, Some(long.clone().into()));
    *timestream = timestream.clone().with_words(Some(HOSTILE.into()), None);
    record(&mut snapshot, 0, "11:59:00", Ok(reading));
    snapshot.organizations[0].record(at("11:59:00"), Err(Failure::new(FailureReason::Other, long.clone())));
    let poll = Poll {
        target: TargetId(1),
        attempted_at: at("11:59:30"),
        next_poll: at("12:05:00"),
        lag: std::time::Duration::ZERO,
        duration: std::time::Duration::ZERO,
        outcome: Err(Failure::new(FailureReason::Other, long.clone())),
    };
    Arc::make_mut(&mut snapshot.targets[1]).record(poll);
    let events = (0..2).map(|id| {
        let mut event = became(snapshot.fleet.target(TargetId(id)), Status::Unknown, "11:59:00");
        event.transition.text = Some(HOSTILE.into());
        event.transition.error_message = Some(long.clone().into());
        event
    });
    let events = events.collect();
    (Arc::new(snapshot), events)
}

/// So many accounts, each registered in one region and with a GovCloud account; one in ten failed, one in
/// seven cannot be asked.
pub(crate) fn many(accounts: u32) -> Arc<Snapshot> {
    let names = ["alder", "birch", "cedar", "dogwood", "elm"];
    let stages = ["prod", "stage", "test"];
    let accounts: Vec<_> = (0..accounts)
        .map(|number| {
            let name = format!("{}-{number:05}", names[number as usize % names.len()]);
            account(100_000_000_000 + u64::from(number), &name, &[("stage", stages[number as usize % 3])])
        })
        .collect();
    let each = |number: u32| [2 * number, 2 * number + 1];
    let all: Vec<u32> = (0..accounts.len() as u32).map(|number| each(number)[1]).collect();
    let mut scopes = vec![scope(Probe::GovCloud, Caller::Identity("hub".into()), "us-east-1", &all)];
    let mut targets = Vec::new();
    for (number, account) in (0..).zip(&accounts) {
        targets.push(target(account, Some("eu-central-1"), number + 1));
        targets.push(target(account, None, 0));
        let caller = Caller::Account(account.id);
        scopes.push(scope(Probe::FleetWise, caller, "eu-central-1", &[each(number)[0]]));
    }
    let mut snapshot =
        Snapshot::new(Arc::new(Fleet { accounts, targets, scopes, ..Fleet::default() }), at("06:00:00"));
    for number in 0..snapshot.fleet.accounts.len() as u32 {
        let [fleetwise, govcloud] = each(number);
        let success = Status::RegistrationSuccess;
        let status = if number % 10 == 3 { Status::RegistrationFailure } else { success };
        record(&mut snapshot, fleetwise, "11:58:00", Ok(registration(status, Some(success))));
        if number % 7 == 2 {
            record(&mut snapshot, fleetwise, "11:59:00", Err(FailureReason::AccessDenied));
        }
        record(&mut snapshot, govcloud, "11:59:00", Ok(registration(success, None)));
    }
    Arc::new(snapshot)
}

/// What happened to them: each registered anew at some time of the morning.
pub(crate) fn events(snapshot: &Snapshot) -> Vec<Event> {
    let fleetwise = snapshot.fleet.targets.iter().filter(|target| target.probe == Probe::FleetWise);
    fleetwise
        .zip((0..).step_by(7))
        .map(|(target, second)| {
            let time = format!("11:{:02}:{:02}", second / 60 % 60, second % 60);
            became(target, Status::RegistrationSuccess, &time)
        })
        .collect()
}

/// A time before the day of the snapshots.
pub(crate) fn days_before(days: i64, time: &str) -> Timestamp {
    at(time) - jiff::SignedDuration::from_hours(24 * days)
}
