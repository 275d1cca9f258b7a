//! How a target is doing, and its states, in the words of the pages.

use crate::model::{Resource, Status};

pub(super) use crate::model::Health;

impl Health {
    /// Its word for the beginning of a line.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Well => "Well",
            Self::Absent => "Absent",
            Self::Unknown => "Unknown",
            Self::Pending => "Pending",
            Self::Stale => "Stale",
            Self::Unreachable => "Unreachable",
            Self::Failed => "Failed",
        }
    }

    /// What it means.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Well => "registered or active",
            Self::Absent => "not registered or not linked",
            Self::Unknown => "no answer yet, or an unknown one",
            Self::Pending => "AWS is at work on it",
            Self::Stale => "silent for too long",
            Self::Unreachable => "the last call failed",
            Self::Failed => "failed, suspended or closed",
        }
    }
}

/// A status in a word or two.
pub(super) const fn status_in_words(status: Status) -> &'static str {
    match status {
        Status::RegistrationPending => "Pending",
        Status::RegistrationSuccess => "Registered",
        Status::RegistrationFailure => "Failed",
        Status::NotRegistered => "Not registered",
        Status::PendingActivation => "Activating",
        Status::Active => "Active",
        Status::Suspended => "Suspended",
        Status::Closed => "Closed",
        Status::NotLinked => "Not linked",
        Status::Unknown => "Unknown",
    }
}

/// A resource in a word or two.
pub(super) const fn resource_in_words(resource: Resource) -> &'static str {
    match resource {
        Resource::Account => "Account",
        Resource::Iam => "IAM role",
        Resource::Timestream => "Timestream",
        Resource::GovCloudAccount => "GovCloud account",
    }
}
