//! The `organizations` section: whose accounts are found, and how they are watched.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::account::{self, Accounts, labels};
use super::identity::Identities;
use super::mistake::{Place, Report};
use super::section::{Section, named};
use super::value::{Bounds, duration, list, shown, text, word};
use super::yaml::Node;
use super::{AssumeRole, FleetWise, GovCloud, Identity, Pattern};
use crate::model::{AccountId, Polling};

/// The keys of an organization.
pub(super) const KEYS: &[&str] =
    &["name", "identity", "fleetwise", "govcloud", "include", "exclude", REFRESH, GRACE, "labels", "polling"];

/// The keys of an item of `include` and `exclude`.
pub(super) const RULE_KEYS: &[&str] = &["id", OU, "name", "tags"];

const REFRESH: &str = "refresh";
const GRACE: &str = "grace";
const OU: &str = "ou";

/// How often an organization is listed where nothing else is said.
pub(super) const DEFAULT_REFRESH: Duration = Duration::from_hours(1);

/// How long an account that has left stays visible where nothing else is said: as long as it takes for a
/// listing that was wrong to be followed by one that is right.
pub(super) const DEFAULT_GRACE: Duration = Duration::from_hours(2);

const REFRESH_BOUNDS: Bounds = Bounds {
    least: (Duration::from_secs(1), "a listing takes a call for every 20 accounts"),
    most: (Duration::from_hours(24), "an account that joins would go unwatched for more than a day"),
};

const GRACE_BOUNDS: Bounds = Bounds {
    least: (Duration::ZERO, "nobody has left before leaving"),
    most: (Duration::from_hours(30 * 24), "what is shown would be true no more for longer than a month"),
};

/// An organization whose accounts are found and watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// What logs and metrics call it.
    pub name: Arc<str>,
    /// The identity that lists: of the management account or of a delegated administrator. The same for
    /// all accounts.
    pub identity: Arc<str>,
    /// How each account's registration with FleetWise is asked for: by a role of that account.
    pub fleetwise: Option<FleetWise>,
    /// How each account's linked GovCloud account is asked for.
    pub govcloud: Option<GovCloud>,
    /// Which accounts are taken: those that any of these matches; all of them where there is none.
    pub include: Vec<Rule>,
    /// Which of these are not: those that any of these matches.
    pub exclude: Vec<Rule>,
    /// How often it is listed.
    pub refresh: Duration,
    /// How long an account that has left stays visible.
    pub grace: Duration,
    /// The labels of each of its accounts.
    pub labels: BTreeMap<String, String>,
    /// The cadence of each of its accounts.
    pub polling: Arc<Polling>,
}

/// Which accounts are meant: those of which everything holds that it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The account's id.
    pub id: Option<AccountId>,
    /// The organizational unit that it is in, or in one below.
    pub unit: Option<UnitPath>,
    /// What Organizations calls it.
    pub name: Option<Pattern>,
    /// Tags that it has, and what their values are like.
    pub tags: BTreeMap<String, Pattern>,
}

/// An organizational unit: its name, and those of all above it, from the root down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitPath(Vec<Box<str>>);

impl UnitPath {
    /// The names from the root down; at least one.
    pub fn names(&self) -> &[Box<str>] {
        &self.0
    }

    /// Reads `/NAME/NAME`; `None` if it is not that.
    fn parse(text: &str) -> Option<Self> {
        let names: Vec<Box<str>> = text.strip_prefix('/')?.split('/').map(Box::from).collect();
        names.iter().all(|name| !name.trim().is_empty()).then_some(Self(names))
    }
}

impl fmt::Display for UnitPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|name| write!(f, "/{name}"))
    }
}

impl Organization {
    /// Whether it is listed in the same way: by whom, and who is taken of it.
    pub fn is_listed_like(&self, other: &Self) -> bool {
        let listing = |of: &Self| (of.identity.clone(), of.include.clone(), of.exclude.clone());
        listing(self) == listing(other)
    }

    /// Every rule that it has.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.include.iter().chain(&self.exclude)
    }
}

/// The organizations of a file, as far as they could be read.
#[derive(Default)]
pub(super) struct Organizations {
    read: Vec<Arc<Organization>>,
    names: HashMap<Arc<str>, Place>,
}

impl Organizations {
    /// Reads the next organization.
    pub(super) fn read(
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
    pub(super) fn identities(&self) -> impl Iterator<Item = &Arc<str>> {
        self.read.iter().flat_map(|organization| {
            let fleetwise = organization.fleetwise.iter().map(|fleetwise| &fleetwise.identity);
            let govcloud = organization.govcloud.iter().map(|govcloud| &govcloud.identity);
            std::iter::once(&organization.identity).chain(fleetwise).chain(govcloud)
        })
    }

    pub(super) fn finish(self) -> Vec<Arc<Organization>> {
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

fn rules(section: &Section<'_>, key: &'static str, report: &mut Report) -> Option<Vec<Rule>> {
    let Some(node) = section.get(key) else { return Some(Vec::new()) };
    let items = list(node, key, "each item an account, a unit, a name or tags", report)?;
    // An empty list of what is to be taken would take all.
    if items.is_empty() {
        report.mistake(node.at, format!("`{key}` is empty; list whom it is for, or leave the key out"));
    }
    let read: Vec<_> = items.iter().map(|item| rule(item, report)).collect();
    read.into_iter().collect()
}

fn rule(node: &Node, report: &mut Report) -> Option<Rule> {
    let section = Section::open(node, "a rule", RULE_KEYS, report)?;
    if RULE_KEYS.iter().all(|key| section.lacks(key)) {
        let right = "give it `id`, `ou`, `name` or `tags`";
        report.mistake(section.at, format!("this rule says nothing of an account; {right}"));
        return None;
    }
    // What is left out says nothing; what cannot be read is a mistake that has been reported.
    let id = section.get("id").map(|node| account::id(node, report));
    let unit = section.get(OU).map(|node| unit(node, report));
    let name = section.get("name").map(|node| word(node, "name", report).map(Pattern::new));
    let tags = section.get("tags").map(|node| tags(node, report));
    let (id, unit, name) = (given(id)?, given(unit)?, given(name)?);
    Some(Rule { id, unit, name, tags: given(tags)?.unwrap_or_default() })
}

/// What was given, if it could be read; `None` if it could not.
fn given<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(None) => None,
        Some(read) => Some(read),
        None => Some(None),
    }
}

fn unit(node: &Node, report: &mut Report) -> Option<UnitPath> {
    let text = text(node, OU, report)?;
    let path = UnitPath::parse(text);
    if path.is_none() {
        let right = "write the names from the root down, as /Vehicles/Prod";
        report.mistake(node.at, format!("`{OU}` is {}; {right}", shown(text)));
    }
    path
}

fn tags(node: &Node, report: &mut Report) -> Option<BTreeMap<String, Pattern>> {
    let mut tags = BTreeMap::new();
    for (key, _, node) in named(node, "`tags`", report)? {
        tags.insert(key.to_owned(), Pattern::new(text(node, key, report)?));
    }
    if tags.is_empty() {
        report.mistake(node.at, "`tags` is empty; write keys and their values, as {stage: prod}");
        return None;
    }
    Some(tags)
}
