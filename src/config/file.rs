//! The configuration file as a whole: its sections, in the order in which they need each other.

use super::account::Accounts;
use super::identity::Identities;
use super::mistake::{Place, Report};
use super::organization::Organizations;
use super::polling::{self, Cadence};
use super::section::Section;
use super::value::list;
use super::yaml::{self, Node, Value};
use super::{Config, Store, events, limits, log, store};

/// The keys at the top of the file.
pub(super) const KEYS: &[&str] =
    &["polling", "limits", "store", "identities", "accounts", "organizations", "events", "log"];

/// Reads a configuration; `None` where a mistake has been reported.
pub(super) fn read(text: &str, report: &mut Report) -> Option<Config> {
    let root = yaml::read(text, report)?;
    let section = Section::open(&root, "the file", KEYS, report)?;
    // A section that is left out is an empty one: all of its keys have their defaults.
    let nothing = Node { at: Place::START, value: Value::Null };
    let part = |key| section.get(key).unwrap_or(&nothing);

    let polling = Section::open(part("polling"), "`polling`", polling::KEYS, report);
    let start_window = polling::start_window(polling.as_ref(), report);
    let cadence = polling.map_or_else(Cadence::default, |polling| Cadence::default().with(&polling, report));
    let limits = Section::open(part("limits"), "`limits`", limits::KEYS, report)
        .and_then(|limits| limits::read(&limits, report));
    let store = match section.get("store") {
        Some(node) => Section::open(node, "`store`", store::KEYS, report)
            .and_then(|section| store::read(&section, report)),
        None => Some(Store::default()),
    };
    let identities = Identities::read(part("identities"), report);

    let mut reader = Accounts::new(&identities, cadence);
    let mut accounts = Vec::new();
    let items = list(part("accounts"), "accounts", "each item one account", report);
    let listed = list(part("organizations"), "organizations", "each item one organization", report);
    if items.is_some_and(<[Node]>::is_empty) && listed.is_some_and(<[Node]>::is_empty) {
        let at = section.get("accounts").map_or(Place::START, |accounts| accounts.at);
        let right = "list at least one under `accounts`, or have them found with `organizations`";
        report.mistake(at, format!("no account to watch; {right}"));
    }
    for item in items.unwrap_or_default() {
        accounts.extend(reader.read(item, report));
    }
    let mut organizations = Organizations::default();
    for item in listed.unwrap_or_default() {
        organizations.read(item, &mut reader, &identities, report);
    }
    // Which accounts an organization has, nobody knows yet.
    let is_all = report.is_clean() && listed.is_some_and(<[Node]>::is_empty);
    let known = is_all.then_some(&accounts[..]);
    let webhooks = Section::open(part("events"), "`events`", events::KEYS, report)
        .and_then(|events| events::read(&events, known, report));
    let log = Section::open(part("log"), "`log`", log::KEYS, report).and_then(|log| log::read(&log, report));
    if !report.is_clean() {
        return None;
    }
    let used = accounts.iter().flat_map(|account| {
        let fleetwise = account.fleetwise.iter().map(|fleetwise| &fleetwise.identity);
        fleetwise.chain(account.govcloud.iter().map(|govcloud| &govcloud.identity))
    });
    identities.warn_unused(used.chain(organizations.identities()), report);
    Some(Config {
        start_window: start_window?,
        limits: limits?,
        store: store?,
        identities: identities.finish()?,
        accounts,
        organizations: organizations.finish(),
        webhooks: webhooks?,
        log: log?,
    })
}
