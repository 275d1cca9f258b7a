//! What is done with each identity of a configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::policy::OWN_ACCOUNT;
use crate::config::{Config, Identity, Organization, RoleArn};
use crate::model::{AccountId, Region};

/// What one identity needs; a role of a fixed account whose name tells the polled one counts once for each.
#[derive(Default)]
pub(super) struct Need {
    pub(super) accounts: BTreeSet<AccountId>,
    /// Whether it is used for accounts that are yet to be found.
    pub(super) organization: bool,
    /// The roles to assume: as they are, and with a `*` for the polled account.
    pub(super) assumes: BTreeSet<(String, String)>,
    /// The roles to assume in accounts that are yet to be found.
    pub(super) assumes_any: BTreeSet<String>,
    /// What it takes to find accounts.
    pub(super) lists: BTreeSet<&'static str>,
    pub(super) fleetwise_regions: BTreeSet<Region>,
    /// The accounts whose registration with FleetWise it asks for: its own.
    pub(super) own: BTreeSet<AccountId>,
    /// The accounts whose GovCloud account it asks for.
    pub(super) govcloud: BTreeSet<AccountId>,
    /// Whether it asks for those of accounts that are yet to be found.
    pub(super) govcloud_any: bool,
}

/// Whose need: an identity, and the polled account where each has a role of its own in a fixed account.
pub(super) type Key = (Arc<str>, Option<AccountId>);

/// What is done with all identities that the configuration uses.
pub(super) fn all(config: &Config) -> BTreeMap<Key, Need> {
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
    needs.needs
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
