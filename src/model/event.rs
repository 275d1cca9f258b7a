//! What happened: a change of a resource between two successful observations, as the pure transition,
//! as the event that tells of it alone, and as the entry of the event log.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Account, Details, Probe, Region, Resource, Status, Target};

/// What happened to a resource between two successful observations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which sort of change.
    pub kind: TransitionKind,
    /// What changed.
    pub resource: Resource,
    /// The state before; `None` when it was not known.
    pub from: Option<Status>,
    /// The state now.
    pub to: Status,
    /// AWS's own text for a `to` of [`Status::Unknown`].
    pub text: Option<Box<str>>,
    /// AWS's `errorMessage` for a registration that failed.
    pub error_message: Option<Box<str>>,
    /// Since when the state before was known.
    pub previous_since: Option<Timestamp>,
    /// When the state now was first seen.
    pub observed_at: Timestamp,
    /// When AWS says it changed.
    pub aws_modified_at: Option<Timestamp>,
}

/// Which sort of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransitionKind {
    /// The resource was seen for the first time: nothing is known to have changed.
    FirstSeen,
    /// The state is another than before.
    Changed,
    /// The state is the one before, but AWS's modification time moved: it changed and came back
    /// between two polls.
    Modified,
    /// The resource is not watched any more, since its account has left its organization. The state is the
    /// last that was known.
    Ended,
}

impl TransitionKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::FirstSeen, Self::Changed, Self::Modified, Self::Ended];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstSeen => "first_seen",
            Self::Changed => "changed",
            Self::Modified => "modified",
            Self::Ended => "ended",
        }
    }
}

/// What names an event for ever, whoever delivers it and however often: a receiver drops repeats by it.
///
/// It is made with the event and not by the log, so that writing an event again whose first write may
/// or may not have succeeded cannot make two of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Uuid);

impl EventId {
    /// A new id, for something seen at this time: a version 7 UUID (RFC 9562), so ids sort by time.
    pub fn new(observed_at: Timestamp) -> Self {
        let seconds = u64::try_from(observed_at.as_second()).unwrap_or_default();
        let nanos = u32::try_from(observed_at.subsec_nanosecond()).unwrap_or_default();
        Self(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)))
    }

    /// The id as a UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for EventId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A transition with everything that somebody needs who hears of nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What names it for ever.
    pub id: EventId,
    /// The account, as it was named and labelled at the time.
    pub account: Arc<Account>,
    /// The call that told.
    pub probe: Probe,
    /// The region asked in; `None` for a global probe.
    pub region: Option<Region>,
    /// What happened.
    pub transition: Transition,
    /// The ARN of the IAM role that FleetWise writes with; of the account's and the role's events.
    pub role_arn: Option<Box<str>>,
    /// The Timestream database that FleetWise writes to; of the account's and the table's events.
    pub timestream_database_name: Option<Box<str>>,
    /// The Timestream table that FleetWise writes to; of the account's and the table's events.
    pub timestream_table_name: Option<Box<str>>,
}

impl Event {
    /// The event of a target's transition, with the names that matter for its resource.
    pub fn new(target: &Target, transition: Transition, details: &Details) -> Self {
        let details = match details {
            Details::FleetWise(details) => details.as_ref().clone(),
            Details::GovCloud(_) | Details::None => super::FleetWiseDetails::default(),
        };
        let resource = transition.resource;
        let of =
            |resources: [Resource; 2], name: Option<Box<str>>| name.filter(|_| resources.contains(&resource));
        Self {
            id: EventId::new(transition.observed_at),
            account: Arc::clone(&target.account),
            probe: target.probe,
            region: target.region.clone(),
            transition,
            role_arn: of([Resource::Account, Resource::Iam], details.role_arn),
            timestream_database_name: of(
                [Resource::Account, Resource::Timestream],
                details.timestream_database_name,
            ),
            timestream_table_name: of(
                [Resource::Account, Resource::Timestream],
                details.timestream_table_name,
            ),
        }
    }

    /// Takes in the event that followed it, so that both are one step: from the state before this to the
    /// state after the other. A step that leads back to where it began is a [`TransitionKind::Modified`].
    pub fn absorb(&mut self, later: Self) {
        let Transition { kind, from, previous_since, .. } = self.transition;
        let kind = match kind {
            _ if later.transition.kind == TransitionKind::Ended => TransitionKind::Ended,
            TransitionKind::FirstSeen => TransitionKind::FirstSeen,
            _ if from == Some(later.transition.to) => TransitionKind::Modified,
            _ => TransitionKind::Changed,
        };
        let transition = Transition { kind, from, previous_since, ..later.transition };
        *self = Self { id: self.id, transition, ..later };
    }
}

/// An event at its place in the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The place: from 1, growing, never used again.
    pub sequence: u64,
    /// The event.
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn event(kind: TransitionKind, from: Option<Status>, to: Status, second: i64) -> Event {
        let time = |second| Timestamp::from_second(second).unwrap();
        Event {
            id: EventId::new(time(second)),
            account: Arc::new(Account {
                id: "111122223333".parse().unwrap(),
                name: "one".into(),
                labels: BTreeMap::new(),
            }),
            probe: Probe::GovCloud,
            region: None,
            transition: Transition {
                kind,
                resource: Resource::GovCloudAccount,
                from,
                to,
                text: None,
                error_message: None,
                previous_since: from.map(|_| time(second - 10)),
                observed_at: time(second),
                aws_modified_at: None,
            },
            role_arn: None,
            timestream_database_name: None,
            timestream_table_name: None,
        }
    }

    #[test]
    fn two_steps_become_one_from_the_first_state_to_the_last() {
        use Status::{Active, Closed, Suspended};
        use TransitionKind::{Changed, Ended, FirstSeen, Modified};
        let away = |from| event(Changed, from, Suspended, 20);
        for (first, to, kind) in [
            (away(Some(Active)), Closed, Changed),
            (away(Some(Active)), Active, Modified),
            (event(FirstSeen, None, Suspended, 20), Closed, FirstSeen),
        ] {
            let mut one = first.clone();
            one.absorb(event(Changed, Some(Suspended), to, 30));
            let Transition { previous_since, observed_at, .. } = one.transition;
            assert_eq!((one.id, one.transition.kind), (first.id, kind));
            assert_eq!((one.transition.from, one.transition.to), (first.transition.from, to));
            assert_eq!(previous_since, first.transition.previous_since);
            assert_eq!(observed_at.as_second(), 30);
        }
        // An end is one, whatever came before it; and what begins anew after one has changed.
        let end = |status| event(Ended, Some(status), status, 30);
        let mut one = away(Some(Active));
        one.absorb(end(Suspended));
        assert_eq!((one.transition.kind, one.transition.from), (Ended, Some(Active)));
        let mut one = end(Active);
        one.absorb(event(FirstSeen, None, Closed, 40));
        assert_eq!((one.transition.kind, one.transition.from), (Changed, Some(Active)));
    }

    #[test]
    fn ids_sort_by_the_time_of_what_was_seen() {
        let id = |second| EventId::new(Timestamp::from_second(second).unwrap());
        assert!(id(1) < id(2) && id(2) < id(1_800_000_000));
        assert_ne!(id(7), id(7));
        assert_eq!(EventId::from(id(7).uuid()).to_string().len(), 36);
    }
}
