use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::verdict::{Bounds, Judged};
use super::*;
use crate::model::{
    Details, Failure, FailureReason, Poll as Polled, Reading, Region, Resource, ResourceReading, Snapshot,
    Status, TargetId,
};

const NOW: &str = "2026-11-21T12:00:00Z";

/// Accounts with names of any length, each polled with another outcome.
fn snapshot() -> Snapshot {
    let yaml = "
identities: {hub: {}, member: {from: hub, assume_role: {role_arn: 'arn:aws:iam::{account_id}:role/regwatch'}}}
accounts:
  - {id: '111122223333', name: a-name-that-goes-on-and-on-and-on, fleetwise: {identity: member, regions: [eu-central-1]}}
  - {id: '111122223334', name: short, fleetwise: {identity: member, regions: [us-east-1]}}
  - {id: '111122223335', fleetwise: {identity: member, regions: [us-east-1]}, govcloud: {identity: hub}}\n";
    let (config, _) = Config::parse("test.yaml", yaml).unwrap();
    let now: Timestamp = NOW.parse().unwrap();
    let mut snapshot = Snapshot::new(Arc::new(config.fleet(&Region::new("us-east-1"))), now);
    let reading = |resources: &[(Resource, Status)]| Reading {
        resources: resources
            .iter()
            .map(|&(resource, status)| ResourceReading::new(resource, status))
            .collect(),
        details: Details::None,
        created_at: None,
        modified_at: Some(now - jiff::SignedDuration::from_mins(90)),
    };
    let all = |status| [Resource::Account, Resource::Iam].map(|resource| (resource, status));
    let denied = |account| {
        let message =
            format!("AccessDeniedException: arn:aws:iam::{account}:role/regwatch may not \u{1b}[2J");
        Err(Failure::new(FailureReason::AccessDenied, message))
    };
    let outcomes = [
        denied("111122223333"),
        denied("111122223334"),
        Ok(reading(&all(Status::RegistrationPending))),
        Ok(reading(&[(Resource::GovCloudAccount, Status::Active)])),
    ];
    for (target, outcome) in (0..).map(TargetId).zip(outcomes) {
        let zero = Duration::ZERO;
        let poll = Polled { target, attempted_at: now, next_poll: now, lag: zero, duration: zero, outcome };
        Arc::make_mut(&mut snapshot.targets[target.0 as usize]).record(poll);
    }
    snapshot
}

fn shown(look: Look) -> String {
    let snapshot = snapshot();
    let bounds = Bounds { max_pending: Duration::from_secs(1800), now: NOW.parse().unwrap() };
    let judged = Judged::new(&snapshot, bounds);
    table::render(&judged, look) + &advice::render(&judged, look)
}

#[test]
fn a_table_has_a_row_for_what_agrees_and_each_trouble_is_told_once() {
    let text = shown(Look { width: None, colour: false });
    let table = "\
ACCOUNT                                         PROBE      REGION        RESOURCE          STATE
111122223333 a-name-that-goes-on-and-on-and-on  fleetwise  eu-central-1  -                 NO ANSWER: access_denied
111122223334 short                              fleetwise  us-east-1     -                 NO ANSWER: access_denied
111122223335                                    fleetwise  us-east-1     all 2             PENDING for 1h30m: too long
111122223335                                    govcloud   -             govcloud_account  ACTIVE

4 targets: 1 well, 1 pending for too long, 2 without an answer

NO ANSWER: access_denied
  111122223333 a-name-that-goes-on-and-on-and-on, fleetwise in eu-central-1
  111122223334 short, fleetwise in us-east-1
  What was said, of the first of them:
    AccessDeniedException: arn:aws:iam::111122223333:role/regwatch may not \\u{1b}[2J
";
    assert!(text.starts_with(table), "{text}");
    assert!(text.contains("\naccount PENDING, iam PENDING: too long\n"), "{text}");
}

#[test]
fn no_line_is_wider_than_the_terminal_but_for_what_is_there_to_be_copied() {
    for width in 40..=130 {
        let text = shown(Look { width: Some(width), colour: false });
        for line in text.lines().filter(|line| line.chars().count() > width) {
            assert!(line.trim().split(' ').count() == 1, "{width}: {line}");
        }
        assert!(text.contains("111122223333 a-name"), "{width}: {text}");
        assert_eq!(text.matches("NO ANSWER: access_denied").count(), 3, "{width}: {text}");
    }
}

#[test]
fn colours_come_with_words() {
    let text = shown(Look { width: Some(120), colour: true });
    for coloured in ["\x1b[31mNO ANSWER: access_denied\x1b[0m", "\x1b[32mACTIVE\x1b[0m"] {
        assert!(text.contains(coloured), "{text:?}");
    }
}
