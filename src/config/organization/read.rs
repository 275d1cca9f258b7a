//! How the section is read, and what can be wrong with whom it names.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::rule::rules;
use super::{DEFAULT_GRACE, DEFAULT_REFRESH, GRACE, KEYS, Organization, REFRESH};
use crate::config::account::{Accounts, labels};
use crate::config::identity::Identities;
use crate::config::mistake::{Place, Report};
use crate::config::section::Section;
use crate::config::value::{Bounds, duration, shown, word};
use crate::config::yaml::Node;
use crate::config::{AssumeRole, Identity};

const REFRESH_BOUNDS: Bounds = Bounds {
    least: (Duration::from_secs(1), "a listing takes a call for every 20 accounts"),
    most: (Duration::from_hours(24), "an account that joins would go unwatched for more than a day"),
};

const GRACE_BOUNDS: Bounds = Bounds {
    least: (Duration::ZERO, "nobody has left before leaving"),
    most: (Duration::from_hours(30 * 24), "what is shown would be true no more for longer than a month"),
};

/// The organizations of a file, as far as they could be read.
#[derive(Default)]
pub(in crate::config) struct Organizations {
    read: Vec<Arc<Organization>>,
    names: HashMap<Arc<str>, Place>,
}

impl Organizations {
    /// Reads the next organization.
    pub(in crate::config) fn read(
        &mut self,
        node: &Node,
        accounts: &mut Accounts<'_>,
        identities: &Identities,
        report: &mut Report,
    ) {
        let read = self.one(node, accounts, identities, report);
        self.read.extend(read.map(Arc::new));
    }

    /// The identities that they use.
    pub(in crate::config) fn identities(&self) -> impl Iterator<Item = &Arc<str>> {
        self.read.iter().flat_map(|organization| {
            let fleetwise = organization.fleetwise.iter().map(|fleetwise| &fleetwise.identity);
            let govcloud = organization.govcloud.iter().map(|govcloud| &govcloud.identity);
            std::iter::once(&organization.identity).chain(fleetwise).chain(govcloud)
        })
    }

    pub(in crate::config) fn finish(self) -> Vec<Arc<Organization>> {
        self.read
    }

    fn one(
        &mut self,
        node: &Node,
        accounts: &mut Accounts<'_>,
        identities: &Identities,
        report: &mut Report,
    ) -> Option<Organization> {
        let section = Section::open(node, "an organization", KEYS, report)?;
        let identity = accounts.identity(&section, report);
        if let (Some(name), Some(node)) = (&identity, section.get("identity")) {
            check_lister(name, identities, node.at, report);
        }
        let name = match section.get("name") {
            Some(node) => word(node, "name", report).map(|name| (Arc::from(name), node.at)),
            None => identity.clone().map(|name| (name, section.at)),
        };
        let name = name.and_then(|(name, at)| self.unique(name, at, report));
        let fleetwise = match section.get("fleetwise") {
            Some(node) => {
                let read = accounts.fleetwise(node, None, report);
                if let Some(fleetwise) = &read {
                    check_members(&fleetwise.identity, identities, node, report);
                }
                read.map(Some)
            }
            None => Some(None),
        };
        let govcloud = match section.get("govcloud") {
            Some(node) => accounts.govcloud(node, report).map(Some),
            None => Some(None),
        };
        let by_fleetwise = fleetwise.iter().flatten().map(|fleetwise| ("fleetwise", &fleetwise.identity));
        let by_govcloud = govcloud.iter().flatten().map(|govcloud| ("govcloud", &govcloud.identity));
        for (key, name) in by_fleetwise.chain(by_govcloud) {
            check_names(name, identities, section.key(key).unwrap_or(section.at), report);
        }
        if section.lacks("fleetwise") && section.lacks("govcloud") {
            let right = "give it `fleetwise` or `govcloud`";
            report.mistake(section.at, format!("nothing to watch of this organization's accounts; {right}"));
        }
        let [include, exclude] = ["include", "exclude"].map(|key| rules(&section, key, report));
        let mut length = |key, bounds, default| match section.get(key) {
            Some(node) => duration(node, key, bounds, report),
            None => Some(default),
        };
        let refresh = length(REFRESH, REFRESH_BOUNDS, DEFAULT_REFRESH);
        let grace = length(GRACE, GRACE_BOUNDS, DEFAULT_GRACE);
        let labels = section.get("labels").map_or(Some(BTreeMap::new()), |node| labels(node, report));
        let polling = accounts.cadence_of(&section, report);
        Some(Organization {
            name: name?,
            identity: identity?,
            fleetwise: fleetwise?,
            govcloud: govcloud?,
            include: include?,
            exclude: exclude?,
            refresh: refresh?,
            grace: grace?,
            labels: labels?,
            polling: accounts.shared(polling?),
        })
    }

    fn unique(&mut self, name: Arc<str>, at: Place, report: &mut Report) -> Option<Arc<str>> {
        if let Some(first) = self.names.get(&name) {
            let right = "give each a `name` of its own";
            report.mistake(
                at,
                format!("organization {} is there already, at line {}; {right}", shown(&name), first.line),
            );
            return None;
        }
        self.names.insert(name.clone(), at);
        Some(name)
    }
}

/// An organization is listed by somebody who is the same for all of its accounts.
fn check_lister(name: &Arc<str>, identities: &Identities, at: Place, report: &mut Report) {
    if roles(name, identities).any(|role| role.role_arn.is_template()) {
        report.mistake(
            at,
            format!(
                "identity `{name}` is another for each account, but one lists them all; use one of the management \
                 account or of a delegated administrator"
            ),
        );
    }
}

/// Nobody knows yet which roles there would have to be that are all in one account, another for each.
fn check_names(name: &Arc<str>, identities: &Identities, at: Place, report: &mut Report) {
    let is_apart = |role: &AssumeRole| role.role_arn.is_template() && role.role_arn.fixed_account().is_some();
    if let Some(apart) = roles(name, identities).find(|role| is_apart(role)) {
        let right = "use a role in each account, or one that is the same for all";
        report.mistake(
            at,
            format!(
                "identity `{name}` takes a role of another name for each account, {}; {right}",
                apart.role_arn
            ),
        );
    }
}

/// The roles along an identity's chain, as far as it could be read. One that goes in a circle has been
/// reported, and is not followed for ever.
fn roles<'a>(name: &'a str, identities: &'a Identities) -> impl Iterator<Item = &'a AssumeRole> {
    let role = |name: &str| match identities.get(name) {
        Some(Identity::AssumeRole(role)) => Some(role),
        _ => None,
    };
    std::iter::successors(role(name), move |before| role(&before.from)).take(identities.len())
}

/// `GetRegisterAccountStatus` answers only for the caller's own account, and nobody knows yet which
/// accounts there will be.
fn check_members(name: &Arc<str>, identities: &Identities, node: &Node, report: &mut Report) {
    let is_of_each = match identities.get(name) {
        Some(Identity::AssumeRole(role)) => role.role_arn.fixed_account().is_none(),
        Some(Identity::DefaultChain | Identity::Profile(_)) => false,
        None => true,
    };
    if !is_of_each {
        let rule = "FleetWise answers only for the caller's own account";
        report.mistake(
            node.at,
            format!(
                "identity `{name}` is of one account, but {rule}; use a role with {{account_id}} as the account \
                 in its ARN"
            ),
        );
    }
}
