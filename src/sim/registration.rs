//! What FleetWise and Account Management can say about an account.

use crate::model::AccountId;

/// FleetWise's `RegistrationStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationStatus {
    /// `REGISTRATION_PENDING`.
    Pending,
    /// `REGISTRATION_SUCCESS`.
    Success,
    /// `REGISTRATION_FAILURE`.
    Failure,
}

impl RegistrationStatus {
    /// AWS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "REGISTRATION_PENDING",
            Self::Success => "REGISTRATION_SUCCESS",
            Self::Failure => "REGISTRATION_FAILURE",
        }
    }
}

/// One of the two resources that FleetWise registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its status.
    pub status: RegistrationStatus,
    /// AWS's words for a failure.
    pub error_message: Option<String>,
}

impl From<RegistrationStatus> for Part {
    fn from(status: RegistrationStatus) -> Self {
        Self { status, error_message: None }
    }
}

/// An account's registration with FleetWise in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The status as a whole.
    pub account: RegistrationStatus,
    /// The IAM role's; AWS always sends it, though its SDK allows that it does not.
    pub iam: Option<Part>,
    /// The Timestream table's; absent for an account that registered without one.
    pub timestream: Option<Part>,
}

impl Registration {
    /// One that is the same in all its parts.
    pub fn new(status: RegistrationStatus) -> Self {
        Self { account: status, iam: Some(status.into()), timestream: Some(status.into()) }
    }

    /// One that failed because FleetWise cannot use the IAM role.
    pub fn iam_failure(message: &str) -> Self {
        Self { iam: Some(failure(message)), ..Self::new(RegistrationStatus::Success).failed() }
    }

    /// One that failed because FleetWise cannot use the Timestream table.
    pub fn timestream_failure(message: &str) -> Self {
        Self { timestream: Some(failure(message)), ..Self::new(RegistrationStatus::Success).failed() }
    }

    /// The same, of an account that registered without Timestream.
    #[must_use]
    pub fn without_timestream(self) -> Self {
        Self { timestream: None, ..self }
    }

    fn failed(self) -> Self {
        Self { account: RegistrationStatus::Failure, ..self }
    }
}

fn failure(message: &str) -> Part {
    Part { status: RegistrationStatus::Failure, error_message: Some(message.to_owned()) }
}

/// Account Management's `AwsAccountState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GovCloudState {
    /// `PENDING_ACTIVATION`.
    PendingActivation,
    /// `ACTIVE`.
    Active,
    /// `SUSPENDED`.
    Suspended,
    /// `CLOSED`.
    Closed,
}

impl GovCloudState {
    /// AWS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Closed => "CLOSED",
        }
    }
}

/// The id of the GovCloud account linked to an account, which the simulation derives: the digits of the
/// account's own id, from the last to the first.
pub fn govcloud_account_id(account: AccountId) -> AccountId {
    let digits: String = account.to_string().chars().rev().collect();
    digits.parse().expect("twelve digits remain twelve digits")
}
