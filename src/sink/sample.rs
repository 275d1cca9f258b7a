//! Events that never happened, and say so: what a webhook is tried with.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    Account, Entry, Event, EventId, Probe, Region, Resource, Status, Transition, TransitionKind,
};

/// The account of samples: an id that AWS gives to nobody.
const ACCOUNT: &str = "000000000000";

/// What breaks a template that does not escape what it is given.
const AWKWARD: &str = "\"quotes\", a \\, <tags> & {{ braces }},\na second line and ü";

/// A change into a state, seen at a time; it says of itself that it is a sample.
pub fn sample(to: Status, observed_at: Timestamp) -> Entry {
    entry(0, TransitionKind::Changed, to, "regwatch test", observed_at)
}

/// What a template has to cope with: each kind, with awkward texts wherever there may be a text, and
/// with nothing wherever there may be nothing.
pub(super) fn rehearsal() -> impl Iterator<Item = Entry> {
    TransitionKind::ALL.into_iter().flat_map(|kind| {
        let mut full = entry(0, kind, Status::RegistrationFailure, AWKWARD, Timestamp::UNIX_EPOCH);
        let event = &mut full.event;
        let texts = [
            &mut event.transition.text,
            &mut event.transition.error_message,
            &mut event.role_arn,
            &mut event.timestream_database_name,
            &mut event.timestream_table_name,
        ];
        texts.into_iter().for_each(|text| *text = Some(AWKWARD.into()));
        let mut bare = entry(0, kind, Status::Active, "bare", Timestamp::UNIX_EPOCH);
        let account = &bare.event.account;
        bare.event.account =
            Arc::new(Account { id: account.id, name: "bare".into(), labels: BTreeMap::new() });
        bare.event.transition.from = None;
        bare.event.transition.previous_since = None;
        bare.event.transition.aws_modified_at = None;
        [full, bare]
    })
}

pub(super) fn entry(
    sequence: u64,
    kind: TransitionKind,
    to: Status,
    name: &str,
    observed_at: Timestamp,
) -> Entry {
    let before = |age: SignedDuration| observed_at.saturating_sub(age).unwrap_or(Timestamp::MIN);
    let probe = if Resource::Account.statuses().contains(&to) { Probe::FleetWise } else { Probe::GovCloud };
    let is_fleetwise = probe == Probe::FleetWise;
    let from = match kind {
        TransitionKind::FirstSeen => None,
        TransitionKind::Changed => Status::ALL.into_iter().find(|from| from.successors().contains(&to)),
        TransitionKind::Modified | TransitionKind::Ended => Some(to),
    };
    let is_failure = to == Status::RegistrationFailure;
    let event = Event {
        id: EventId::new(observed_at),
        account: Arc::new(Account {
            id: ACCOUNT.parse().expect("twelve digits"),
            name: name.into(),
            labels: BTreeMap::from([("sample".to_owned(), "true".to_owned())]),
        }),
        probe,
        region: is_fleetwise.then(|| Region::new("us-east-1")),
        transition: Transition {
            kind,
            resource: probe.resources()[0],
            from,
            to,
            text: None,
            error_message: is_failure.then(|| "This is a sample, sent to test a webhook.".into()),
            previous_since: from.map(|_| before(SignedDuration::from_mins(5))),
            observed_at,
            aws_modified_at: is_fleetwise.then(|| before(SignedDuration::from_secs(10))),
        },
        role_arn: is_fleetwise.then(|| format!("arn:aws:iam::{ACCOUNT}:role/sample").into()),
        timestream_database_name: None,
        timestream_table_name: None,
    };
    Entry { sequence, event }
}
