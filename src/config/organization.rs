//! The `organizations` section: whose accounts are found, and how they are watched.

mod read;
mod rule;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{FleetWise, GovCloud, Pattern};
use crate::model::{AccountId, Polling};

pub(super) use self::read::Organizations;

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
