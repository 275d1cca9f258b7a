//! The validated configuration: what the rest of regwatch may rely on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Account, AccountId, Polling, Region};

/// A configuration that holds together: every name resolves, every number is in range.
#[derive(Clone, Debug)]
pub struct Config {
    /// Over how long the first polls are spread after a start.
    pub start_window: Duration,
    /// What calls to AWS are held to.
    pub limits: Limits,
    /// How to get credentials, by name. `from` links have no cycle.
    pub identities: BTreeMap<Arc<str>, Identity>,
    /// What to watch, in the order of the file.
    pub accounts: Vec<WatchedAccount>,
}

/// What calls to AWS are held to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Per calling account and region, FleetWise.
    pub fleetwise_requests_per_second: f64,
    /// Per calling account, Account Management.
    pub account_requests_per_second: f64,
    /// Per calling account, STS.
    pub sts_requests_per_second: f64,
    /// Calls in flight in the whole process.
    pub max_in_flight: usize,
}

/// A named way to get credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The SDK's default credential chain.
    DefaultChain,
    /// A profile of the shared AWS configuration files.
    Profile(String),
    /// A role assumed with the credentials of another identity.
    AssumeRole(AssumeRole),
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    /// The identity whose credentials make the call.
    pub from: Arc<str>,
    /// The role.
    pub role_arn: RoleArn,
    /// The external id that the role's trust policy asks for.
    pub external_id: Option<Secret>,
    /// The session name, seen in the polled account's `CloudTrail`.
    pub session_name: String,
}

/// The ARN of an IAM role whose account may be left open as `{account_id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleArn(pub(crate) String);

impl RoleArn {
    /// The ARN for one account.
    pub fn for_account(&self, account: AccountId) -> String {
        self.0.replace("{account_id}", &account.to_string())
    }

    /// The account that the role is in, and so the caller of whatever is called with it.
    pub fn account(&self, account: AccountId) -> AccountId {
        let arn = self.for_account(account);
        let field = arn.split(':').nth(4).expect("validated: an ARN has its account in the fifth field");
        field.parse().expect("validated: the field is an account id")
    }
}

/// A text that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// An account and what to watch of it; at least one of the two probes is there.
#[derive(Clone, Debug)]
pub struct WatchedAccount {
    /// The account.
    pub account: Arc<Account>,
    /// How its registration with FleetWise is asked for.
    pub fleetwise: Option<FleetWise>,
    /// How its linked GovCloud account is asked for.
    pub govcloud: Option<GovCloud>,
    /// Its cadence.
    pub polling: Arc<Polling>,
}

/// How an account's registration with FleetWise is asked for.
#[derive(Clone, Debug)]
pub struct FleetWise {
    /// The identity that asks: one of the account itself.
    pub identity: Arc<str>,
    /// Where to ask; at least one.
    pub regions: Vec<Region>,
}

/// How an account's linked GovCloud account is asked for.
#[derive(Clone, Debug)]
pub struct GovCloud {
    /// The identity that asks: of the account itself, of its organization's management account, or of
    /// a delegated administrator.
    pub identity: Arc<str>,
}
