//! The outcome of one poll.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::{Phase, Resource, Status};

/// What AWS said about a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The state of each resource that AWS told of; a resource that is absent has no state.
    pub resources: Vec<ResourceReading>,
    /// What identifies the things that AWS told of.
    pub details: Details,
    /// When AWS first knew of it, by AWS's clock.
    pub created_at: Option<Timestamp>,
    /// When AWS last changed it, by AWS's clock.
    pub modified_at: Option<Timestamp>,
}

impl Reading {
    /// How closely the target wants to be watched: as its most urgent resource does.
    pub fn phase(&self) -> Phase {
        let phases = self.resources.iter().map(|resource| resource.status.phase());
        phases.max().unwrap_or_default()
    }
}

/// What AWS said about one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceReading {
    /// The resource.
    pub resource: Resource,
    /// Its state.
    pub status: Status,
    words: Option<Box<Words>>,
}

/// What hardly any resource has, and takes no memory then.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Words {
    text: Option<Box<str>>,
    error_message: Option<Box<str>>,
}

impl ResourceReading {
    /// A state that needs no further words.
    pub fn new(resource: Resource, status: Status) -> Self {
        Self { resource, status, words: None }
    }

    /// The same with AWS's own text for a [`Status::Unknown`], and its `errorMessage` for a registration that
    /// failed.
    #[must_use]
    pub fn with_words(self, text: Option<Box<str>>, error_message: Option<Box<str>>) -> Self {
        let is_told = text.is_some() || error_message.is_some();
        Self { words: is_told.then(|| Box::new(Words { text, error_message })), ..self }
    }

    /// AWS's own text for a [`Status::Unknown`].
    pub fn text(&self) -> Option<&str> {
        self.words.as_ref()?.text.as_deref()
    }

    /// AWS's `errorMessage` for a registration that failed.
    pub fn error_message(&self) -> Option<&str> {
        self.words.as_ref()?.error_message.as_deref()
    }
}

/// Names of what AWS told of, by probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Details {
    /// AWS named nothing.
    #[default]
    None,
    /// What FleetWise writes with and to.
    FleetWise(Box<FleetWiseDetails>),
    /// The GovCloud account.
    GovCloud(GovCloudDetails),
}

/// What FleetWise writes with and to; each may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetWiseDetails {
    /// The ARN of the IAM role.
    pub role_arn: Option<Box<str>>,
    /// The name of the Timestream database.
    pub timestream_database_name: Option<Box<str>>,
    /// The name of the Timestream table.
    pub timestream_table_name: Option<Box<str>>,
}

/// The GovCloud account that is linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GovCloudDetails {
    /// Its id in the GovCloud partition.
    pub govcloud_account_id: Box<str>,
}

/// Why a poll has no reading. A failure never changes a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which of the closed set of reasons.
    pub reason: FailureReason,
    /// AWS's or the network's own words, for the log; free of secrets.
    pub message: Box<str>,
    /// How long AWS asked to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure for which AWS asked no particular wait.
    pub fn new(reason: FailureReason, message: impl Into<Box<str>>) -> Self {
        Self { reason, message: message.into(), retry_after: None }
    }
}

/// Why a poll has no reading: log text and metric label alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FailureReason {
    /// AWS counted too many calls in the quota scope.
    Throttled,
    /// AWS knows the caller, and the caller may not ask.
    AccessDenied,
    /// No valid credentials were to be had, or AWS refused the ones presented.
    Credentials,
    /// No complete answer within the time allowed.
    Timeout,
    /// No connection: name resolution, TCP, TLS, or a connection cut before any answer.
    Unreachable,
    /// AWS answered with a 5xx of its own.
    ServerError,
    /// AWS answered that the resource is unavailable for now (424).
    Unavailable,
    /// AWS refused the request's form or content.
    InvalidRequest,
    /// The answer was about another account than the one asked for.
    WrongAccount,
    /// The answer was not what the API promises.
    MalformedReply,
    /// None of the above; the message tells.
    Other,
}

impl FailureReason {
    /// Every reason, in the order of its discriminant.
    pub const ALL: [Self; 11] = [
        Self::Throttled,
        Self::AccessDenied,
        Self::Credentials,
        Self::Timeout,
        Self::Unreachable,
        Self::ServerError,
        Self::Unavailable,
        Self::InvalidRequest,
        Self::WrongAccount,
        Self::MalformedReply,
        Self::Other,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::AccessDenied => "access_denied",
            Self::Credentials => "credentials",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::ServerError => "server_error",
            Self::Unavailable => "unavailable",
            Self::InvalidRequest => "invalid_request",
            Self::WrongAccount => "wrong_account",
            Self::MalformedReply => "malformed_reply",
            Self::Other => "other",
        }
    }
}

/// How many polls have failed, by reason. Most targets never fail, and take next to no memory for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailureCounts(Option<Box<[u32; FailureReason::ALL.len()]>>);

impl FailureCounts {
    /// Counts one more.
    pub fn count(&mut self, reason: FailureReason) {
        self.0.get_or_insert_default()[reason as usize] += 1;
    }

    /// How many failed for this reason.
    pub fn of(&self, reason: FailureReason) -> u32 {
        self.0.as_ref().map_or(0, |counts| counts[reason as usize])
    }

    /// The reasons that have occurred, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (FailureReason, u32)> {
        FailureReason::ALL.into_iter().map(|reason| (reason, self.of(reason))).filter(|(_, count)| *count > 0)
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_listed_in_the_order_of_their_discriminants() {
        for (index, reason) in FailureReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
    }

    #[test]
    fn the_most_urgent_resource_sets_the_phase() {
        let reading = |statuses: &[Status]| Reading {
            resources: statuses.iter().map(|&s| ResourceReading::new(Resource::Account, s)).collect(),
            details: Details::None,
            created_at: None,
            modified_at: None,
        };
        assert_eq!(reading(&[]).phase(), Phase::Settled);
        assert_eq!(
            reading(&[Status::RegistrationSuccess, Status::RegistrationFailure]).phase(),
            Phase::Failed
        );
        assert_eq!(
            reading(&[Status::RegistrationFailure, Status::RegistrationPending]).phase(),
            Phase::Pending
        );
    }
}
