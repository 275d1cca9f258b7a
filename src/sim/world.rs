//! What exists in the simulated AWS when it starts, and what will happen to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
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
        self.joining(account, Script::new(true))
    }

    /// An account that is of the organization as the script has it.
    #[must_use]
    pub fn joining(self, account: Account, membership: Script<bool>) -> Self {
        self.with(Account { membership, ..account })
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

    pub(super) fn is_member(&self, account: AccountId, now: Duration) -> bool {
        let is_member = |account: &Account| *account.membership.at(now);
        self.management.is_some() && self.accounts.get(&account).is_some_and(is_member)
    }

    /// Every organizational unit, by its path; one is there as long as an account is meant to be in it.
    pub(super) fn units(&self) -> BTreeSet<&str> {
        let paths = self.accounts.values().map(|account| account.unit.as_str());
        paths.flat_map(ancestry).collect()
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
    pub(super) state: Script<MemberState>,
    /// The organizational unit that it is in, by its path; empty for the root.
    pub(super) unit: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) keys: Vec<AccessKey>,
    pub(super) roles: HashMap<String, Role>,
    pub(super) registrations: HashMap<Region, Script<Option<Registration>>>,
    pub(super) govcloud: Script<Option<GovCloudState>>,
    pub(super) membership: Script<bool>,
}

impl Account {
    /// An active account without keys or roles, registered nowhere, with no GovCloud account linked.
    pub fn new(id: AccountId, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            state: Script::new(MemberState::Active),
            unit: String::new(),
            tags: BTreeMap::new(),
            keys: Vec::new(),
            roles: HashMap::new(),
            registrations: HashMap::new(),
            govcloud: Script::new(None),
            membership: Script::new(false),
        }
    }

    /// What Organizations says of it, over time.
    #[must_use]
    pub fn state(mut self, state: Script<MemberState>) -> Self {
        self.state = state;
        self
    }

    /// Where it is in its organization: the names of units from the root down, such as `/Vehicles/Prod`.
    #[must_use]
    pub fn unit(mut self, path: &str) -> Self {
        self.unit = path.to_owned();
        self
    }

    /// A tag that Organizations keeps of it.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
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

/// A path and all that it leads through, but for the root.
pub(super) fn ancestry(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
    ends.map(|end| &path[..end]).chain((!path.is_empty()).then_some(path))
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
