//! The `accounts` section: what to watch.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::identity::Identities;
use super::mistake::{Place, Report};
use super::polling::{self, Cadence};
use super::region;
use super::section::{Section, named};
use super::value::{shown, text, word};
use super::yaml::{Node, Value};
use super::{FleetWise, GovCloud, Identity, WatchedAccount};
use crate::model::{Account, AccountId, Polling, Region};

/// The keys of an account.
pub(super) const KEYS: &[&str] = &["id", "name", "labels", "fleetwise", "govcloud", "polling"];

/// The keys of `fleetwise`.
pub(super) const FLEETWISE_KEYS: &[&str] = &["identity", "regions"];

/// The keys of `govcloud`.
pub(super) const GOVCLOUD_KEYS: &[&str] = &["identity"];

/// Reads accounts one by one, with what has to be known of those before.
pub(super) struct Accounts<'a> {
    identities: &'a Identities,
    cadence: Cadence,
    seen: HashMap<AccountId, Place>,
    /// Each cadence once, since thousands of accounts share a few.
    cadences: BTreeSet<Arc<Polling>>,
    /// Each list of regions once, for the same reason.
    regions: BTreeSet<Arc<[Region]>>,
    /// For each identity without a role the one account whose FleetWise it can ask.
    own_account: HashMap<Arc<str>, AccountId>,
}

impl<'a> Accounts<'a> {
    /// For accounts with these identities, and this cadence where they have none of their own.
    pub(super) fn new(identities: &'a Identities, cadence: Cadence) -> Self {
        Self {
            identities,
            cadence,
            seen: HashMap::new(),
            cadences: BTreeSet::new(),
            regions: BTreeSet::new(),
            own_account: HashMap::new(),
        }
    }

    /// Reads the next account; `None` where a mistake has been reported.
    pub(super) fn read(&mut self, node: &Node, report: &mut Report) -> Option<WatchedAccount> {
        let section = Section::open(node, "an account", KEYS, report)?;
        let id = section
            .require("id", "write its 12 digits in quotes", report)
            .and_then(|node| self.id(node, report));
        let name = match section.get("name") {
            Some(node) => word(node, "name", report).map(Some),
            None => Some(None),
        };
        let labels = section.get("labels").map_or(Some(BTreeMap::new()), |node| labels(node, report));
        let fleetwise = match section.get("fleetwise") {
            Some(node) => self.fleetwise(node, id, report).map(Some),
            None => Some(None),
        };
        let govcloud = match section.get("govcloud") {
            Some(node) => self.govcloud(node, report).map(Some),
            None => Some(None),
        };
        if section.lacks("fleetwise") && section.lacks("govcloud") {
            report.mistake(section.at, "nothing to watch of this account; give it `fleetwise` or `govcloud`");
        }
        let polling = self.cadence_of(&section, report);
        let id = id?;
        let name = name?.map_or_else(|| id.to_string().into(), Arc::from);
        Some(WatchedAccount {
            account: Arc::new(Account { id, name, labels: labels? }),
            fleetwise: fleetwise?,
            govcloud: govcloud?,
            polling: self.shared(polling?),
        })
    }

    fn id(&mut self, node: &Node, report: &mut Report) -> Option<AccountId> {
        let id = id(node, report)?;
        if let Some(first) = self.seen.get(&id) {
            let right = "keep one of them";
            report
                .mistake(node.at, format!("account {id} is listed already at line {}; {right}", first.line));
            return None;
        }
        self.seen.insert(id, node.at);
        Some(id)
    }

    pub(super) fn fleetwise(
        &mut self,
        node: &Node,
        id: Option<AccountId>,
        report: &mut Report,
    ) -> Option<FleetWise> {
        let section = Section::open(node, "`fleetwise`", FLEETWISE_KEYS, report)?;
        let identity = self.identity(&section, report);
        if let (Some(name), Some(id), Some(at)) = (&identity, id, section.get("identity").map(|node| node.at))
        {
            self.check_own_account(name, id, at, report);
        }
        let regions = section
            .require("regions", "list them, as [us-east-1]", report)
            .and_then(|node| region::read(node, report));
        Some(FleetWise { identity: identity?, regions: shared(&mut self.regions, regions?.into()) })
    }

    pub(super) fn govcloud(&self, node: &Node, report: &mut Report) -> Option<GovCloud> {
        let section = Section::open(node, "`govcloud`", GOVCLOUD_KEYS, report)?;
        Some(GovCloud { identity: self.identity(&section, report)? })
    }

    pub(super) fn identity(&self, section: &Section<'_>, report: &mut Report) -> Option<Arc<str>> {
        let node = section.require("identity", "name one of `identities`", report)?;
        let name = text(node, "identity", report)?;
        self.identities.resolve(name, node.at, report).cloned()
    }

    /// `GetRegisterAccountStatus` answers only for the caller's own account.
    fn check_own_account(&mut self, name: &Arc<str>, id: AccountId, at: Place, report: &mut Report) {
        let rule = "FleetWise answers only for the caller's own account";
        match self.identities.get(name) {
            Some(Identity::AssumeRole(role)) => {
                let caller = role.role_arn.account(id);
                if caller != id {
                    report.mistake(
                        at,
                        format!(
                            "identity {} is a role of account {caller}, but {rule}; \
                             use a role with {{account_id}} in its ARN",
                            shown(name)
                        ),
                    );
                }
            }
            Some(_) => {
                let own = *self.own_account.entry(name.clone()).or_insert(id);
                if own != id {
                    report.mistake(
                        at,
                        format!(
                            "identity {} asks for account {own} already, but {rule}; \
                             use an identity that assumes a role in each account",
                            shown(name)
                        ),
                    );
                }
            }
            None => {}
        }
    }

    /// The cadence of a section that may have one of its own.
    pub(super) fn cadence_of(&self, section: &Section<'_>, report: &mut Report) -> Option<Polling> {
        match section.get("polling") {
            Some(node) => self.polling(node, report),
            None => self.cadence.polling(),
        }
    }

    fn polling(&self, node: &Node, report: &mut Report) -> Option<Polling> {
        let section = Section::open(node, "`polling`", polling::KEYS, report)?;
        if let Some(at) = section.key(polling::START_WINDOW) {
            report.mistake(at, "`start_window` is one for all accounts; move it to the file's own `polling`");
        }
        self.cadence.with(&section, report).polling()
    }

    pub(super) fn shared(&mut self, polling: Polling) -> Arc<Polling> {
        shared(&mut self.cadences, Arc::new(polling))
    }
}

/// The one that is there already where it is the same.
fn shared<T: Ord + ?Sized>(all: &mut BTreeSet<Arc<T>>, new: Arc<T>) -> Arc<T> {
    if let Some(shared) = all.get(&new) {
        return Arc::clone(shared);
    }
    all.insert(Arc::clone(&new));
    new
}

/// Reads an account's id, which has to be in quotes.
pub(super) fn id(node: &Node, report: &mut Report) -> Option<AccountId> {
    let Value::Scalar { text, quoted } = &node.value else {
        text(node, "id", report);
        return None;
    };
    match text.parse::<AccountId>() {
        Ok(id) if *quoted => return Some(id),
        Ok(id) => report.mistake(
            node.at,
            format!("account id {id} needs quotes, \"{id}\"; without them YAML tools take it for a number"),
        ),
        Err(_) => report.mistake(node.at, no_id(text)),
    }
    None
}

fn no_id(text: &str) -> String {
    let joined = text.replace(['-', ' '], "");
    if joined != text && joined.parse::<AccountId>().is_ok() {
        return format!("{} is no account id; write it without separators, \"{joined}\"", shown(text));
    }
    format!("{} is no account id; write its 12 digits in quotes, as \"111122223333\"", shown(text))
}

pub(super) fn labels(node: &Node, report: &mut Report) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for (name, at, node) in named(node, "`labels`", report)? {
        // With `label_` in front the first may be a digit, and no name of regwatch's own is taken.
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let right = "Prometheus accepts letters, digits and `_`";
            report.mistake(at, format!("{} is no label name; {right}", shown(name)));
        }
        if let Some(value) = text(node, name, report) {
            labels.insert(name.to_owned(), value.to_owned());
        }
    }
    Some(labels)
}
