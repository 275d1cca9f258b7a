//! Which events a webhook is sent.

use std::collections::{BTreeSet, HashSet};

use super::WatchedAccount;
use super::mistake::{Place, Report};
use super::section::{Section, nearest};
use super::value::{list, shown, text};
use super::yaml::{Node, Value};
use crate::model::{AccountId, Event, Probe, Resource, Status, TransitionKind, Word};

/// Which events are wanted; a set that is empty wants all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct On {
    /// Of these kinds.
    pub kinds: BTreeSet<TransitionKind>,
    /// Of these probes.
    pub probes: BTreeSet<Probe>,
    /// Into these states.
    pub to: BTreeSet<Status>,
    /// Of these accounts.
    pub accounts: BTreeSet<AccountId>,
}

/// The keys of `on`.
pub(super) const KEYS: &[&str] = &["kinds", "probes", "to", "accounts"];

impl Default for On {
    /// What has changed or ended. What was merely seen for the first time would be thousands of events at the
    /// first start.
    fn default() -> Self {
        Self {
            kinds: BTreeSet::from([TransitionKind::Changed, TransitionKind::Modified, TransitionKind::Ended]),
            probes: BTreeSet::new(),
            to: BTreeSet::new(),
            accounts: BTreeSet::new(),
        }
    }
}

impl On {
    /// Every event.
    pub fn everything() -> Self {
        Self { kinds: BTreeSet::new(), ..Self::default() }
    }

    /// Whether an event is wanted.
    pub fn wants(&self, event: &Event) -> bool {
        fn has<T: Ord>(set: &BTreeSet<T>, item: &T) -> bool {
            set.is_empty() || set.contains(item)
        }
        has(&self.kinds, &event.transition.kind)
            && has(&self.probes, &event.probe)
            && has(&self.to, &event.transition.to)
            && has(&self.accounts, &event.account.id)
    }
}

/// Reads the section; `None` where a mistake has been reported.
pub(super) fn read(node: &Node, accounts: Option<&[WatchedAccount]>, report: &mut Report) -> Option<On> {
    let section = Section::open(node, "`on`", KEYS, report)?;
    let kinds = words::<TransitionKind>(&section, "kinds", "kind", report);
    let probes = words::<Probe>(&section, "probes", "probe", report);
    let to = words::<Status>(&section, "to", "state", report);
    let accounts = account_ids(&section, accounts, report);
    check_states(&probes, &to, report)?;
    let (kinds, probes, to) = (all(kinds)?, all(probes)?, all(to)?);
    let kinds = if kinds.is_empty() { On::default().kinds } else { without_places(kinds) };
    Some(On { kinds, probes: without_places(probes), to: without_places(to), accounts: accounts? })
}

/// All of a list, unless a mistake has been reported.
fn all<T>(words: Vec<Option<T>>) -> Option<Vec<T>> {
    words.into_iter().collect()
}

fn without_places<T: Ord>(items: Vec<(T, Place)>) -> BTreeSet<T> {
    items.into_iter().map(|(item, _)| item).collect()
}

/// The words of a list, each with its place; none where the key is left out. Where a mistake has been
/// reported, it is a `None` among them.
fn words<T: Word>(
    section: &Section<'_>,
    key: &str,
    what: &str,
    report: &mut Report,
) -> Vec<Option<(T, Place)>> {
    let Some(items) = items(section, key, T::ALL[0].word(), report) else { return vec![None] };
    let read = items.iter().map(|item| {
        let word = text(item, &format!("{key}[]"), report)?;
        let found = T::from_word(word);
        if found.is_none() {
            let right = match nearest(word, T::ALL.iter().map(|value| value.word())) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => {
                    let names: Vec<_> = T::ALL.iter().map(|value| value.word()).collect();
                    format!("it is one of {}", names.join(", "))
                }
            };
            report.mistake(item.at, format!("{} is no {what}; {right}", shown(word)));
        }
        found.map(|value| (value, item.at))
    });
    read.collect()
}

/// The items of a list that is not empty; none where the key is left out.
fn items<'n>(section: &Section<'n>, key: &str, example: &str, report: &mut Report) -> Option<&'n [Node]> {
    let Some(node) = section.get(key) else { return Some(&[]) };
    let items = list(node, key, &format!("as [{example}]"), report)?;
    if items.is_empty() {
        let right = "list what is wanted, or leave the key out";
        report.mistake(node.at, format!("`{key}` is empty, so that nothing would ever be sent; {right}"));
        return None;
    }
    Some(items)
}

/// A state that none of the chosen probes can tell is waited for in vain.
fn check_states(
    probes: &[Option<(Probe, Place)>],
    to: &[Option<(Status, Place)>],
    report: &mut Report,
) -> Option<()> {
    let chosen: BTreeSet<_> =
        probes.iter().map(|probe| probe.map(|(probe, _)| probe)).collect::<Option<_>>()?;
    let mut is_sound = true;
    for (status, at) in to.iter().flatten() {
        let has =
            |probe: &Probe| probe.resources().iter().any(|resource| resource.statuses().contains(status));
        if chosen.is_empty() || chosen.iter().any(has) {
            continue;
        }
        is_sound = false;
        let states: BTreeSet<_> = chosen
            .iter()
            .flat_map(|probe| probe.resources())
            .flat_map(|resource: &Resource| resource.statuses())
            .map(|status| status.as_str())
            .collect();
        let probes: Vec<_> = chosen.iter().map(|probe| probe.as_str()).collect();
        let right = format!("its states are {}", states.into_iter().collect::<Vec<_>>().join(", "));
        let status = status.as_str();
        report.mistake(*at, format!("`{status}` is no state of {}; {right}", probes.join(" or ")));
    }
    is_sound.then_some(())
}

fn account_ids(
    section: &Section<'_>,
    accounts: Option<&[WatchedAccount]>,
    report: &mut Report,
) -> Option<BTreeSet<AccountId>> {
    let items = items(section, "accounts", "\"111122223333\"", report)?;
    let watched = accounts.filter(|_| !items.is_empty());
    let known: Option<HashSet<_>> =
        watched.map(|watched| watched.iter().map(|watched| watched.account.id).collect());
    let read = items.iter().map(|item| {
        let text = text(item, "accounts[]", report)?;
        let is_quoted = matches!(item.value, Value::Scalar { quoted: true, .. });
        match text.parse::<AccountId>() {
            Ok(id) if is_quoted => {
                if known.as_ref().is_some_and(|known| !known.contains(&id)) {
                    report.warning(
                        item.at,
                        format!("account {id} is not watched, so nothing is ever sent of it"),
                    );
                }
                return Some(id);
            }
            Ok(id) => report.mistake(
                item.at,
                format!(
                    "account id {id} needs quotes, \"{id}\"; without them YAML tools take it for a number"
                ),
            ),
            Err(_) => report.mistake(
                item.at,
                format!(
                    "{} is no account id; write its 12 digits in quotes, as \"111122223333\"",
                    shown(text)
                ),
            ),
        }
        None
    });
    read.collect::<Vec<_>>().into_iter().collect()
}
