//! How the rules of a choice are read.

use std::collections::BTreeMap;

use super::{OU, RULE_KEYS, Rule, UnitPath};
use crate::config::Pattern;
use crate::config::account;
use crate::config::mistake::Report;
use crate::config::section::{Section, named};
use crate::config::value::{list, shown, text, word};
use crate::config::yaml::Node;

/// Reads `include` or `exclude`: empty where the key is left out, `None` where a mistake has been reported.
pub(super) fn rules(section: &Section<'_>, key: &'static str, report: &mut Report) -> Option<Vec<Rule>> {
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
