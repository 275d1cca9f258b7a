//! What exists in the simulated AWS when it starts, and what will happen to it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::Duration;

use super::fault::Faults;
use super::quota::Quotas;
use super::{Fault, GovCloudState, Operation, Quota, Registration, Script, Service};
use crate::model::{AccountId, Region};

/// Everything that exists: accounts, some of them in an organization, with what happens to them.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) management: Option<AccountId>,
    pub(super) quotas: Quotas,
    pub(super) faults: Faults,
}

impl World {
    /// The id of the organization, as AWS's documentation has it.
    pub const ORGANIZATION: &str = "o-exampleorgid";

    /// Nothing exists, and AWS's published quotas apply.
    pub fn new() -> Self {
        Self::default()
    }

    /// The account that manages the organization, and so makes it.
    #[must_use]
    pub fn management(mut self, account: Account) -> Self {
        self.management = Some(account.id);
        self.member(account)
    }

    /// An account of the organization.
    #[must_use]
    pub fn member(self, account: Account) -> Self {
        self.with(Account { is_member: true, ..account })
    }

    /// An account of nobody's organization.
    #[must_use]
    pub fn outsider(self, account: Account) -> Self {
        self.with(account)
    }

    /// A service's quota for each caller that has none of its own.
    #[must_use]
    pub fn quota(mut self, service: Service, quota: Quota) -> Self {
        self.quotas.script_service(service, Script::new(quota));
        self
    }

    /// A service's quota for one caller over time, in each region.
    #[must_use]
    pub fn caller_quota(mut self, caller: AccountId, service: Service, script: Script<Quota>) -> Self {
        self.quotas.script_caller(caller, service, script);
        self
    }

    /// A fault of an operation asked about an account, for a while.
    #[must_use]
    pub fn fault(
        mut self,
        account: AccountId,
        operation: Operation,
        window: Range<Duration>,
        fault: Fault,
    ) -> Self {
        self.faults.script(account, operation, window, fault);
        self
    }

    pub(super) fn is_member(&self, account: AccountId) -> bool {
        self.management.is_some() && self.accounts.get(&account).is_some_and(|account| account.is_member)
    }

    fn with(mut self, account: Account) -> Self {
        self.accounts.insert(account.id, account);
        self
    }
}

/// An AWS account.
#[derive(Clone, Debug)]
pub struct Account {
    pub(super) id: AccountId,
    pub(super) name: String,
    pub(super) state: MemberState,
    pub(super) keys: Vec<AccessKey>,
    pub(super) roles: HashMap<String, Role>,
    pub(super) registrations: HashMap<Region, Script<Option<Registration>>>,
    pub(super) govcloud: Script<Option<GovCloudState>>,
    is_member: bool,
}

impl Account {
    /// An active account without keys or roles, registered nowhere, with no GovCloud account linked.
    pub fn new(id: AccountId, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            state: MemberState::Active,
            keys: Vec::new(),
            roles: HashMap::new(),
            registrations: HashMap::new(),
            govcloud: Script::new(None),
            is_member: false,
        }
    }

    /// What Organizations says of it.
    #[must_use]
    pub fn state(mut self, state: MemberState) -> Self {
        self.state = state;
        self
    }

    /// A long-term key of an IAM user of the account.
    #[must_use]
    pub fn access_key(mut self, key: AccessKey) -> Self {
        self.keys.push(key);
        self
    }

    /// A role that may be assumed by every caller who knows its external id, if it has one.
    #[must_use]
    pub fn role(mut self, name: &str, external_id: Option<&str>) -> Self {
        self.roles.insert(name.to_owned(), Role { external_id: external_id.map(str::to_owned) });
        self
    }

    /// Its registration with FleetWise in a region, over time.
    #[must_use]
    pub fn registration(mut self, region: &str, script: Script<Option<Registration>>) -> Self {
        self.registrations.insert(Region::new(region), script);
        self
    }

    /// The state of its linked GovCloud account, over time.
    #[must_use]
    pub fn govcloud(mut self, script: Script<Option<GovCloudState>>) -> Self {
        self.govcloud = script;
        self
    }
}

/// A long-term access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id, `AKIA…`.
    pub id: String,
    /// Its secret. This is a simulation: it may be shown.
    pub secret: String,
}

impl AccessKey {
    /// A key from its two halves.
    pub fn new(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secret: secret.to_owned() }
    }
}

/// A role, as far as assuming it goes.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) external_id: Option<String>,
}

/// Organizations' `AccountState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// `PENDING_ACTIVATION`.
    PendingActivation,
    /// `ACTIVE`.
    Active,
    /// `SUSPENDED`.
    Suspended,
    /// `PENDING_CLOSURE`.
    PendingClosure,
    /// `CLOSED`.
    Closed,
}

impl MemberState {
    /// AWS's word in the `State` member.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
            Self::Closed => "CLOSED",
        }
    }

    /// AWS's word in the older `Status` member, which knows fewer: a closed account is suspended there.
    pub const fn as_status(self) -> &'static str {
        match self {
            Self::PendingActivation | Self::Active => "ACTIVE",
            Self::Suspended | Self::Closed => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
        }
    }
}
