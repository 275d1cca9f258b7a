//! What each identity of a configuration has to be allowed: exactly what regwatch does with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::policy::{OWN_ACCOUNT, Parameter, Policy, Statement, Text};
use crate::config::{AssumeRole, Config, Identity, Organization, RoleArn};
use crate::model::{AccountId, Region};

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

/// What one identity needs; a role of a fixed account whose name tells the polled one counts once for each.
#[derive(Default)]
struct Need {
    accounts: BTreeSet<AccountId>,
    /// Whether it is used for accounts that are yet to be found.
    organization: bool,
    /// The roles to assume: as they are, and with a `*` for the polled account.
    assumes: BTreeSet<(String, String)>,
    /// The roles to assume in accounts that are yet to be found.
    assumes_any: BTreeSet<String>,
    /// What it takes to find accounts.
    lists: BTreeSet<&'static str>,
    fleetwise_regions: BTreeSet<Region>,
    /// The accounts whose registration with FleetWise it asks for: its own.
    own: BTreeSet<AccountId>,
    /// The accounts whose GovCloud account it asks for.
    govcloud: BTreeSet<AccountId>,
    /// Whether it asks for those of accounts that are yet to be found.
    govcloud_any: bool,
}

/// Whose need: an identity, and the polled account where each has a role of its own in a fixed account.
type Key = (Arc<str>, Option<AccountId>);

/// What all identities need that the configuration uses, each before those that it is assumed with.
pub(super) fn all(config: &Config) -> Vec<Grant> {
    let mut needs = Needs { config, needs: BTreeMap::new() };
    for watched in &config.accounts {
        let account = watched.account.id;
        if let Some(fleetwise) = &watched.fleetwise {
            let need = needs.of(&fleetwise.identity, account);
            need.fleetwise_regions.extend(fleetwise.regions.iter().cloned());
            need.own.insert(account);
        }
        if let Some(govcloud) = &watched.govcloud {
            needs.of(&govcloud.identity, account).govcloud.insert(account);
        }
    }
    for organization in &config.organizations {
        needs.found(&organization.identity).lists.extend(lists(organization));
        if let Some(fleetwise) = &organization.fleetwise {
            let need = needs.found(&fleetwise.identity);
            need.fleetwise_regions.extend(fleetwise.regions.iter().cloned());
            need.organization = true;
        }
        if let Some(govcloud) = &organization.govcloud {
            let need = needs.found(&govcloud.identity);
            (need.govcloud_any, need.organization) = (true, true);
        }
    }
    let (principals, roles): (Vec<_>, Vec<_>) = needs
        .needs
        .iter()
        .partition(|((identity, _), _)| !matches!(config.identities[identity], Identity::AssumeRole(_)));
    principals
        .into_iter()
        .chain(roles)
        .map(|((identity, account), need)| grant(config, identity, *account, need))
        .collect()
}

/// The calls that list an organization.
fn lists(organization: &Organization) -> Vec<&'static str> {
    let mut actions = vec!["organizations:ListAccounts"];
    if organization.rules().any(|rule| rule.unit.is_some()) {
        actions.extend([
            "organizations:ListRoots",
            "organizations:ListOrganizationalUnitsForParent",
            "organizations:ListAccountsForParent",
        ]);
    }
    if organization.rules().any(|rule| !rule.tags.is_empty()) {
        actions.push("organizations:ListTagsForResource");
    }
    actions
}

struct Needs<'a> {
    config: &'a Config,
    needs: BTreeMap<Key, Need>,
}

impl Needs<'_> {
    /// The need of an identity that is used for an account; what it takes to get it is noted on the way.
    fn of(&mut self, identity: &Arc<str>, account: AccountId) -> &mut Need {
        let config = self.config;
        let mut name = identity;
        while let Identity::AssumeRole(role) = &config.identities[name] {
            self.at(name, account).accounts.insert(account);
            let arn = match &config.identities[&role.from] {
                Identity::AssumeRole(from) if is_in_each(&from.role_arn) => role.role_arn.to_string(),
                _ => role.role_arn.for_account(account),
            };
            let any = role.role_arn.to_string().replace(OWN_ACCOUNT, "*");
            self.at(&role.from, account).assumes.insert((arn, any));
            name = &role.from;
        }
        self.at(identity, account)
    }

    /// The need of an identity that is used for accounts that are yet to be found, or to find them.
    fn found(&mut self, identity: &Arc<str>) -> &mut Need {
        let config = self.config;
        let mut name = identity;
        while let Identity::AssumeRole(role) = &config.identities[name] {
            self.shared(name).organization |= is_in_each(&role.role_arn);
            let need = self.shared(&role.from);
            let is_from_each = matches!(&config.identities[&role.from], Identity::AssumeRole(from) if is_in_each(&from.role_arn));
            let arn = role.role_arn.to_string();
            if is_in_each(&role.role_arn) && !is_from_each {
                need.assumes_any.insert(arn.replace(OWN_ACCOUNT, "*"));
            } else {
                need.assumes.insert((arn.clone(), arn));
            }
            name = &role.from;
        }
        self.shared(identity)
    }

    /// The need of an identity that has no role of another name for each account.
    fn shared(&mut self, identity: &Arc<str>) -> &mut Need {
        self.needs.entry((Arc::clone(identity), None)).or_default()
    }

    fn at(&mut self, identity: &Arc<str>, account: AccountId) -> &mut Need {
        let apart = match &self.config.identities[identity] {
            Identity::AssumeRole(role) if role.role_arn.is_template() && !is_in_each(&role.role_arn) => {
                Some(account)
            }
            _ => None,
        };
        self.needs.entry((Arc::clone(identity), apart)).or_default()
    }
}

/// Whether a role is in the polled account, whichever that is.
fn is_in_each(role: &RoleArn) -> bool {
    role.fixed_account().is_none()
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
