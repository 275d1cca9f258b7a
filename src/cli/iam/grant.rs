//! What each identity of a configuration has to be allowed: exactly what regwatch does with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::need::{self, Need};
use super::policy::{OWN_ACCOUNT, Parameter, Policy, Statement, Text};
use crate::config::{AssumeRole, Config, Identity};
use crate::model::AccountId;

/// The managed policies that a role may have without a raised quota: "IAM and AWS STS quotas" in the AWS IAM
/// user guide.
const POLICIES: usize = 10;

/// What an identity is allowed, and who it is.
#[derive(Debug)]
pub(super) struct Grant {
    /// Its name in the configuration.
    pub(super) identity: Arc<str>,
    /// The one account that it is for, where each has a role of its own in another account.
    pub(super) apart: Option<AccountId>,
    pub(super) holder: Holder,
    pub(super) policies: Vec<Policy>,
}

/// Who is allowed it.
#[derive(Debug)]
pub(super) enum Holder {
    /// Whoever has the credentials that the default chain or a profile finds.
    Principal,
    Role(Role),
}

/// A role to be made.
#[derive(Debug)]
pub(super) struct Role {
    /// Its ARN, with [`OWN_ACCOUNT`] for the account that it is in where that is many.
    pub(super) arn: String,
    pub(super) place: Place,
    /// Who may assume it.
    pub(super) trusted: Vec<Text>,
    pub(super) external_id: Option<String>,
}

/// Where a role is.
#[derive(Debug)]
pub(super) enum Place {
    /// In each of these accounts, and in each that is found in an organization.
    EachOf {
        accounts: BTreeSet<AccountId>,
        organization: bool,
    },
    In(AccountId),
}

impl Role {
    /// The path, with a slash at both ends, and the name.
    pub(super) fn path_and_name(&self) -> (&str, &str) {
        let (_, resource) = self.arn.split_once(":role").expect("config takes only ARNs of roles");
        let name = resource.rfind('/').map_or(0, |slash| slash + 1);
        resource.split_at(name)
    }
}

/// What all identities need that the configuration uses, each before those that it is assumed with.
pub(super) fn all(config: &Config) -> Vec<Grant> {
    let needs = need::all(config);
    let (principals, roles): (Vec<_>, Vec<_>) = needs
        .iter()
        .partition(|((identity, _), _)| !matches!(config.identities[identity], Identity::AssumeRole(_)));
    principals
        .into_iter()
        .chain(roles)
        .map(|((identity, account), need)| grant(config, identity, *account, need))
        .collect()
}

fn grant(config: &Config, identity: &Arc<str>, account: Option<AccountId>, need: &Need) -> Grant {
    let (holder, caller) = match &config.identities[identity] {
        Identity::AssumeRole(role) => {
            let role = role_of(config, role, account, need);
            let caller = match &role.place {
                Place::EachOf { .. } => Caller::Each,
                Place::In(account) => Caller::Known(*account),
            };
            (Holder::Role(role), caller)
        }
        // FleetWise answers for the caller's own account, so that is what the account asked for is.
        Identity::DefaultChain | Identity::Profile(_) => {
            let caller = need.own.first().map_or(Caller::Unknown, |account| Caller::Known(*account));
            (Holder::Principal, caller)
        }
    };
    let exact = Policy::pack(statements(need, caller, false));
    let policies = if exact.len() > POLICIES { Policy::pack(statements(need, caller, true)) } else { exact };
    Grant { identity: Arc::clone(identity), apart: account, holder, policies }
}

fn role_of(config: &Config, role: &AssumeRole, account: Option<AccountId>, need: &Need) -> Role {
    let text = role.role_arn.to_string();
    let (arn, place) = match role.role_arn.fixed_account() {
        Some(fixed) => (account.map_or(text, |account| role.role_arn.for_account(account)), Place::In(fixed)),
        None => {
            let (accounts, organization) = (need.accounts.clone(), need.organization);
            (text, Place::EachOf { accounts, organization })
        }
    };
    let trusted = match &config.identities[&role.from] {
        Identity::AssumeRole(from) if matches!(place, Place::EachOf { .. }) => {
            vec![Text::Known(from.role_arn.to_string())]
        }
        // It is one role, whichever accounts it is used for.
        Identity::AssumeRole(from) if !from.role_arn.is_template() => {
            vec![Text::Known(from.role_arn.to_string())]
        }
        Identity::AssumeRole(from) => {
            let arns: BTreeSet<_> =
                need.accounts.iter().map(|account| from.role_arn.for_account(*account)).collect();
            arns.into_iter().map(Text::Known).collect()
        }
        Identity::DefaultChain | Identity::Profile(_) => {
            vec![Text::Open(Parameter::Principal(role.from.clone()))]
        }
    };
    let external_id = role.external_id.as_ref().map(|id| id.expose().to_owned());
    Role { arn, place, trusted, external_id }
}

/// The account that an identity calls as.
#[derive(Clone, Copy)]
enum Caller {
    Known(AccountId),
    /// The polled account, whichever that is.
    Each,
    Unknown,
}

/// What is to be allowed: thing by thing, or by patterns where that is too much for the policies of a role.
fn statements(need: &Need, caller: Caller, by_pattern: bool) -> Vec<Statement> {
    let mut statements = Vec::new();
    if !need.assumes.is_empty() {
        let arns = need.assumes.iter();
        let resources: BTreeSet<_> =
            arns.map(|(arn, any)| if by_pattern { any.clone() } else { arn.clone() }).collect();
        statements.push(Statement {
            sid: "AssumeRoles",
            actions: vec!["sts:AssumeRole"],
            resources: resources.into_iter().collect(),
            condition: by_pattern.then(in_organization),
        });
    }
    if !need.assumes_any.is_empty() {
        statements.push(Statement {
            sid: "AssumeRolesInOrganization",
            actions: vec!["sts:AssumeRole"],
            resources: need.assumes_any.iter().cloned().collect(),
            condition: Some(in_organization()),
        });
    }
    if !need.lists.is_empty() {
        statements.push(Statement {
            sid: "OrganizationAccounts",
            actions: need.lists.iter().copied().collect(),
            // Some of them know no resources, and the others mean the whole organization.
            resources: vec!["*".to_owned()],
            condition: None,
        });
    }
    if !need.fleetwise_regions.is_empty() {
        let regions = need.fleetwise_regions.iter().map(|region| Text::Known(region.to_string()));
        statements.push(Statement {
            sid: "FleetWiseRegistration",
            actions: vec!["iotfleetwise:GetRegisterAccountStatus"],
            // The action knows no resources.
            resources: vec!["*".to_owned()],
            condition: Some(("aws:RequestedRegion", regions.collect())),
        });
    }
    if !need.govcloud.is_empty() || need.govcloud_any {
        statements.push(Statement {
            sid: "GovCloudAccount",
            actions: vec!["account:GetGovCloudAccountInformation"],
            resources: govcloud_resources(need, caller, by_pattern),
            condition: None,
        });
    }
    statements
}

/// Whatever is called has to be of the organization.
fn in_organization() -> (&'static str, Vec<Text>) {
    ("aws:ResourceOrgID", vec![Text::Open(Parameter::Organization)])
}

/// The caller's own account is a resource without an organization; another is one of its organization,
/// whose id and whose management account's the configuration does not tell.
fn govcloud_resources(need: &Need, caller: Caller, by_pattern: bool) -> Vec<String> {
    let own = |account: &str| format!("arn:aws:account::{account}:account");
    let member = |account: &str| format!("arn:aws:account::*:account/o-*/{account}");
    let mut resources = Vec::new();
    match caller {
        Caller::Each => return vec![own(OWN_ACCOUNT)],
        Caller::Known(account) if need.govcloud.contains(&account) => {
            resources.push(own(&account.to_string()))
        }
        Caller::Known(_) => {}
        // Only ever the caller's own, and it may be among those that are asked for.
        Caller::Unknown => resources.push(own("*")),
    }
    let others =
        need.govcloud.iter().filter(|account| !matches!(caller, Caller::Known(own) if own == **account));
    if by_pattern || need.govcloud_any {
        resources.push(member("*"));
    } else {
        resources.extend(others.map(|account| member(&account.to_string())));
    }
    resources
}
