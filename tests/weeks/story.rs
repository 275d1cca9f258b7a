//! What really becomes of a target, whoever looks.

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use regwatch::model::{Details, GovCloudDetails, Probe, Reading, Resource, ResourceReading, Status};

use super::settings::{Ms, Times};

/// The states of a target, each from its time on, in the order of time.
#[derive(Debug)]
pub(crate) struct Story(Vec<(Ms, Reading)>);

impl Story {
    /// So many changes on the average in a span; some last shorter than any interval.
    pub(crate) fn new(
        probe: Probe,
        epoch: Timestamp,
        span: Ms,
        changes: f64,
        times: Times,
        rng: &mut Rng,
    ) -> Self {
        let at = |ms: Ms| epoch + SignedDuration::from_millis(i64::try_from(ms).expect("some days"));
        let mut stages = vec![(0, first(probe, epoch, rng))];
        // Exponential waits, so that changes come in crowds and droughts.
        let mean = span as f64 / changes.max(1e-6);
        let mut now = 0;
        loop {
            let (_, before) = stages.last().expect("the first is there");
            let wait = match before.resources[0].status {
                Status::RegistrationPending | Status::PendingActivation => {
                    times.pending as f64 * rng.f64() * 8.0
                }
                _ if stages.len() % 2 == 0 && rng.f64() < 0.3 => times.interval as f64 * rng.f64(),
                _ => -mean * (1.0 - rng.f64()).ln(),
            };
            now += (wait as Ms).max(1);
            if now >= span {
                return Self(stages);
            }
            let next = after(before, at(now), rng);
            stages.push((now, next));
        }
    }

    /// Which of the states there is at a time.
    pub(crate) fn at(&self, now: Ms) -> usize {
        self.0.partition_point(|(from, _)| *from <= now) - 1
    }

    pub(crate) fn reading(&self, stage: usize) -> &Reading {
        &self.0[stage].1
    }
}

fn first(probe: Probe, epoch: Timestamp, rng: &mut Rng) -> Reading {
    match (probe, rng.u8(..10)) {
        (Probe::FleetWise, 0) => not_registered(),
        (Probe::FleetWise, 1) => registration([Status::RegistrationPending; 3], epoch, epoch),
        (Probe::FleetWise, _) => registration([Status::RegistrationSuccess; 3], epoch, epoch),
        (Probe::GovCloud, 0) => govcloud(Status::NotLinked, None),
        (Probe::GovCloud, 1) => govcloud(Status::PendingActivation, None),
        (Probe::GovCloud, _) => govcloud(Status::Active, None),
    }
}

/// What may follow a state.
fn after(before: &Reading, now: Timestamp, rng: &mut Rng) -> Reading {
    use Status::{
        Active, Closed, NotLinked, NotRegistered, PendingActivation, RegistrationFailure as Failure,
        RegistrationPending as Pending, RegistrationSuccess as Success, Suspended, Unknown,
    };
    let statuses: Vec<_> = before.resources.iter().map(|resource| resource.status).collect();
    let created = before.created_at.unwrap_or(now);
    let dice = rng.u8(..12);
    match (statuses[0], dice) {
        (NotRegistered, _) => registration([Pending; 3], now, now),
        (Pending, 0..3) => registration([Failure, Failure, Success], created, now),
        (Pending, 3) => registration([Failure, Success, Failure], created, now),
        (Pending, _) => registration([Success; 3], created, now),
        (Success | Failure, 0) => not_registered(),
        // It changed and came back: nothing but AWS's own time tells.
        (Success | Failure, 1..4) => Reading { modified_at: Some(now), ..before.clone() },
        (Success | Failure, 4) => registration(
            [statuses[0], if statuses[1] == Success { Failure } else { Success }, statuses[2]],
            created,
            now,
        ),
        (Success, 5) => registration([Failure, statuses[1], Failure], created, now),
        (Failure, 5..8) => registration([Success; 3], created, now),
        (Success | Failure, _) => registration([Pending; 3], created, now),
        (NotLinked, _) => govcloud(PendingActivation, None),
        (PendingActivation, 0) => govcloud(Closed, None),
        (PendingActivation | Suspended, _) => govcloud(Active, None),
        (Active, 0) => govcloud(NotLinked, None),
        (Active, 1..4) => govcloud(Unknown, Some(if rng.bool() { "FROZEN" } else { "MELTED" })),
        (Active, 4) => govcloud(Closed, None),
        (Active | Closed | Unknown, _) => {
            govcloud(if rng.bool() { Suspended } else { PendingActivation }, None)
        }
    }
}

fn registration(statuses: [Status; 3], created: Timestamp, modified: Timestamp) -> Reading {
    let resources = [Resource::Account, Resource::Iam, Resource::Timestream];
    Reading {
        resources: resources.into_iter().zip(statuses).map(|(r, s)| ResourceReading::new(r, s)).collect(),
        details: Details::FleetWise(Box::default()),
        created_at: Some(created),
        modified_at: Some(modified),
    }
}

fn not_registered() -> Reading {
    Reading {
        resources: vec![ResourceReading::new(Resource::Account, Status::NotRegistered)],
        details: Details::None,
        created_at: None,
        modified_at: None,
    }
}

fn govcloud(status: Status, text: Option<&str>) -> Reading {
    let details = match status {
        Status::NotLinked => Details::None,
        _ => Details::GovCloud(GovCloudDetails { govcloud_account_id: "222222222222".into() }),
    };
    let text = text.map(Into::into);
    let resource = ResourceReading::new(Resource::GovCloudAccount, status).with_words(text, None);
    Reading { resources: vec![resource], details, created_at: None, modified_at: None }
}
