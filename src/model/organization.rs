//! An organization whose accounts are found: how it is asked for them, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Failure, FailureReason, ScopeId};

/// An organization whose accounts are found and watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// What the configuration calls it.
    pub name: Arc<str>,
    /// The scope whose quota its listings draw on.
    pub scope: ScopeId,
    /// How often it is listed.
    pub refresh: Duration,
    /// How many accounts were found in it.
    pub accounts: usize,
    /// How many have left it, and are still shown.
    pub leaving: usize,
}

/// What is known of asking an organization for its accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizationState {
    /// When a listing last ended, whole or not.
    pub last_attempt: Option<Timestamp>,
    /// When one last succeeded, perhaps before a restart.
    pub last_success: Option<Timestamp>,
    /// Why the last one failed; `None` if it succeeded.
    pub failure: Option<Failure>,
    /// How often one failed, by the discriminant of [`FailureReason`].
    pub failures: [u32; FailureReason::ALL.len()],
}

impl OrganizationState {
    /// Takes in what came of a listing.
    pub fn record(&mut self, at: Timestamp, outcome: Result<(), Failure>) {
        self.last_attempt = Some(at);
        match outcome {
            Ok(()) => {
                self.last_success = Some(at);
                self.failure = None;
            }
            Err(failure) => {
                self.failures[failure.reason as usize] += 1;
                self.failure = Some(failure);
            }
        }
    }

    /// Whether there is something to go by: it was listed, now or before a restart, or that was tried.
    pub fn has_begun(&self) -> bool {
        self.last_attempt.or(self.last_success).is_some()
    }
}
