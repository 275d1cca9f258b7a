//! What is polled, and which of it AWS counts together.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Claim, Organization, Resource};

/// A 12-digit AWS account id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u64);

impl AccountId {
    /// An id that AWS gives to nobody: for where no account is meant, and nothing depends on it.
    pub const NOBODY: Self = Self(0);
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AccountId {
    type Err = ParseAccountIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseAccountIdError);
        }
        text.parse().map(Self).map_err(|_| ParseAccountIdError)
    }
}

/// The text is not exactly twelve decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an AWS account id is exactly 12 digits")]
pub struct ParseAccountIdError;

/// An AWS region by its code, such as `eu-central-1`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// The longest code that is taken, in bytes; AWS's have up to 15.
    pub const LONGEST: usize = 32;

    /// Wraps a region code as it is.
    pub fn new(code: impl Into<Arc<str>>) -> Self {
        Self(code.into())
    }

    /// The region's code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where FleetWise exists, by "AWS IoT FleetWise endpoints and quotas" in the AWS General Reference.
pub const FLEETWISE_REGIONS: [&str; 3] = ["us-east-1", "eu-central-1", "ap-south-1"];

/// One of the read-only calls that regwatch makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// AWS IoT FleetWise `GetRegisterAccountStatus`.
    FleetWise,
    /// AWS Account Management `GetGovCloudAccountInformation`.
    GovCloud,
}

impl Probe {
    /// Every probe.
    pub const ALL: [Self; 2] = [Self::FleetWise, Self::GovCloud];

    /// The name used in configuration, log fields and the `probe` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FleetWise => "fleetwise",
            Self::GovCloud => "govcloud",
        }
    }

    /// What the probe can tell the state of.
    pub const fn resources(self) -> &'static [Resource] {
        match self {
            Self::FleetWise => &[Resource::Account, Resource::Iam, Resource::Timestream],
            Self::GovCloud => &[Resource::GovCloudAccount],
        }
    }

    /// The AWS service whose quota the probe's calls draw on.
    pub const fn service(self) -> Service {
        match self {
            Self::FleetWise => Service::FleetWise,
            Self::GovCloud => Service::Account,
        }
    }
}

/// An AWS service that counts calls against a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// AWS IoT FleetWise.
    FleetWise,
    /// AWS Account Management.
    Account,
    /// AWS Security Token Service.
    Sts,
    /// AWS Organizations.
    Organizations,
}

impl Service {
    /// The name used in log fields and the `service` label: the service's own SigV4 name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FleetWise => "iotfleetwise",
            Self::Account => "account",
            Self::Sts => "sts",
            Self::Organizations => "organizations",
        }
    }

    /// Whether its calls are polls of targets.
    pub const fn is_polled(self) -> bool {
        matches!(self, Self::FleetWise | Self::Account)
    }
}

/// An account as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The 12-digit id.
    pub id: AccountId,
    /// The user's own name for it; the id where none was given.
    pub name: Arc<str>,
    /// The user's own labels, by name.
    pub labels: BTreeMap<String, String>,
}

/// How often a target is asked, and when its silence is stale.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Polling {
    /// Time from poll to poll while nothing is expected to change.
    pub interval: Duration,
    /// The same while AWS is at work on it.
    pub pending_interval: Duration,
    /// The same while somebody is expected to mend it.
    pub failed_interval: Duration,
    /// The longest that one call to AWS may take.
    pub timeout: Duration,
    /// The age of the last success from which on the target counts as stale.
    pub stale_after: Duration,
}

/// The place of a target in [`Fleet::targets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(pub u32);

/// What is polled: one probe of one account, in one region where the probe has regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The account asked about.
    pub account: Arc<Account>,
    /// The call that asks.
    pub probe: Probe,
    /// The region asked in; `None` for a global probe.
    pub region: Option<Region>,
    /// Whose credentials ask: a name in the configuration's `identities`.
    pub identity: Arc<str>,
    /// The scope whose quota the calls draw on.
    pub scope: ScopeId,
    /// How often to ask, and when silence is stale. Shared by all targets of equal cadence.
    pub polling: Arc<Polling>,
}

impl Target {
    /// The region's code, or the empty string for a global probe: the value of `aws_region`.
    pub fn region_str(&self) -> &str {
        self.region.as_ref().map_or("", Region::as_str)
    }
}

/// The place of a quota scope in [`Fleet::scopes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(pub u32);

/// Whose bucket AWS counts in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// An account that the configuration tells: a role's ARN names its account.
    Account(AccountId),
    /// The account behind this identity, which `sts:GetCallerIdentity` will tell.
    Identity(Arc<str>),
}

/// The targets whose calls AWS counts in one bucket: one calling account, one service, one region.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    /// The service that counts.
    pub service: Service,
    /// Who calls.
    pub caller: Caller,
    /// The region that counts.
    pub region: Region,
    /// The configured limit, in requests per second; pacing never exceeds it.
    pub limit: f64,
    /// What the configured cadence asks for when all targets are settled, in requests per second.
    pub wanted: f64,
    /// The targets polled through this scope, in ascending order; none for STS and Organizations.
    pub targets: Vec<TargetId>,
}

impl Scope {
    /// What names it across restarts and replicas.
    pub fn key(&self) -> String {
        let Self { service, caller, region, .. } = self;
        let service = service.as_str();
        // The name of an identity is the user's own, so it comes last: no two scopes have one key.
        match caller {
            Caller::Account(account) => format!("{service}/{region}/account/{account}"),
            Caller::Identity(name) => format!("{service}/{region}/identity/{name}"),
        }
    }
}

/// Which configuration, counted from the start of the process: places in a fleet mean something within one
/// generation only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

impl Generation {
    /// The one that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Everything that one generation of configuration watches. Immutable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fleet {
    /// Which generation it is of.
    pub generation: Generation,
    /// The accounts, in the order of their configuration.
    pub accounts: Vec<Arc<Account>>,
    /// The targets; a [`TargetId`] is an index.
    pub targets: Vec<Target>,
    /// The quota scopes; a [`ScopeId`] is an index.
    pub scopes: Vec<Scope>,
    /// The STS scope of each identity that calls STS, by the identity's name.
    pub sts_scopes: BTreeMap<Arc<str>, ScopeId>,
    /// The organizations whose accounts are found.
    pub organizations: Vec<Organization>,
    /// The targets of accounts that have left their organization, and since when. They are shown until the
    /// grace is over, and not polled.
    pub leaving: BTreeMap<TargetId, Timestamp>,
    /// The rights under which scopes are called in, where several replicas share them.
    pub claims: BTreeMap<ScopeId, Claim>,
}

impl Fleet {
    /// The target with this id.
    ///
    /// # Panics
    /// If the id is of another fleet.
    pub fn target(&self, id: TargetId) -> &Target {
        &self.targets[id.0 as usize]
    }

    /// The scope with this id.
    ///
    /// # Panics
    /// If the id is of another fleet.
    pub fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.0 as usize]
    }

    /// The right under which a target is asked, and what comes of it is written; `None` where there is but one
    /// replica.
    pub fn claim(&self, target: &Target) -> Option<&Claim> {
        self.claims.get(&target.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_id_keeps_leading_zeros() {
        let id: AccountId = "000123456789".parse().expect("twelve digits");
        assert_eq!(id.to_string(), "000123456789");
    }

    #[test]
    fn account_id_refuses_all_else() {
        for text in ["", "12345678901", "1234567890123", "12345678901a", "+12345678901", "１23456789012"] {
            assert_eq!(text.parse::<AccountId>(), Err(ParseAccountIdError), "{text}");
        }
    }
}
