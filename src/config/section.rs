//! Mappings with keys: those that are known, those that the user names, and what is wrong with either.

use std::collections::HashMap;

use super::mistake::{Place, Report};
use super::value::shown;
use super::yaml::{Node, Value};

/// The longest word that is looked at for a slip, in bytes.
const LONGEST_SLIP: usize = 100;

/// A mapping whose keys are known.
#[derive(Debug)]
pub(super) struct Section<'n> {
    /// Where it begins: at its first key, or at its brace.
    pub(super) at: Place,
    name: &'static str,
    entries: Vec<(&'static str, Place, &'n Node)>,
    /// What unknown keys were probably meant to be.
    meant: Vec<&'static str>,
}

impl<'n> Section<'n> {
    /// Reads a mapping and reports every key that is unknown or given twice. Nothing at all counts as
    /// an empty mapping, since that is what is left of a section whose keys are all commented out.
    /// `None` if it is something else.
    pub(super) fn open(
        node: &'n Node,
        name: &'static str,
        known: &[&'static str],
        report: &mut Report,
    ) -> Option<Self> {
        let mut section = Self { at: node.at, name, entries: Vec::new(), meant: Vec::new() };
        for (key, at, value) in keys(node, name, report)? {
            let Some(&key) = known.iter().find(|&&name| name == key) else {
                let meant = nearest(key, known.iter().copied());
                report.mistake(at, unknown_key(key, name, meant, known));
                section.meant.extend(meant);
                continue;
            };
            match section.entries.iter().find(|&&(present, ..)| present == key) {
                Some((_, first, _)) => report.mistake(at, given_twice(key, *first)),
                None => section.entries.push((key, at, value)),
            }
        }
        Some(section)
    }

    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, ..)| *name == key).map(|&(.., value)| value)
    }

    /// The value of a key that has to be there; where it is missing, a mistake with what would be right.
    pub(super) fn require(&self, key: &str, right: &str, report: &mut Report) -> Option<&'n Node> {
        if self.lacks(key) {
            report.mistake(self.at, format!("{} needs `{key}`; {right}", self.name));
        }
        self.get(key)
    }

    /// Whether a key is missing, and not just misspelt, which has been reported.
    pub(super) fn lacks(&self, key: &str) -> bool {
        self.get(key).is_none() && !self.meant.contains(&key)
    }

    /// Where a key is, if it is there.
    pub(super) fn key(&self, key: &str) -> Option<Place> {
        self.entries.iter().find(|(name, ..)| *name == key).map(|&(_, at, _)| at)
    }
}

/// The entries of a mapping whose keys are names of the user's own. A key given twice is reported and
/// counts once; one that its value is glued to is reported without it, for it may be a secret. `None` if it
/// is no mapping.
pub(super) fn named<'n>(
    node: &'n Node,
    name: &str,
    report: &mut Report,
) -> Option<Vec<(&'n str, Place, &'n Node)>> {
    let mut first = HashMap::new();
    let mut entries = keys(node, name, report)?;
    entries.retain(|&(key, at, value)| match (key.split_once(':'), first.get(key)) {
        (Some((key, _)), _) if matches!(value.value, Value::Null) => {
            let right = "a key ends with a colon and a space";
            report.mistake(at, format!("{} in {name} has its value glued to it; {right}", shown(key)));
            false
        }
        (_, Some(&first)) => {
            report.mistake(at, given_twice(key, first));
            false
        }
        (_, None) => {
            first.insert(key, at);
            true
        }
    });
    Some(entries)
}

/// A key without what follows a colon inside of it: that is probably its value, glued to it, and may be
/// a secret.
pub(super) fn unglued(key: &str) -> &str {
    key.split_once(':').map_or(key, |(key, _)| key)
}

/// The closest of some names to one that is none of them, if it is close enough to be a slip.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Hyphens and capitals are habits of other tools, not slips; a third of the letters is the most
    // that still looks like the same word.
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    // Comparing takes time by the product of the lengths.
    let name = Some(name).filter(|name| name.len() <= LONGEST_SLIP).map(plain)?;
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST_SLIP)
        .map(|candidate| (strsim::damerau_levenshtein(&name, &plain(candidate)), candidate))
        .filter(|&(distance, candidate)| distance <= (candidate.len() / 3).max(1))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

fn keys<'n>(node: &'n Node, name: &str, report: &mut Report) -> Option<Vec<(&'n str, Place, &'n Node)>> {
    let entries = match &node.value {
        Value::Map(entries) => entries,
        Value::Null => return Some(Vec::new()),
        Value::Refused => return None,
        other => {
            report.mistake(node.at, format!("{name} is {}; it takes keys and their values", other.kind()));
            return None;
        }
    };
    let mut keys = Vec::with_capacity(entries.len());
    for (key, value) in entries.iter() {
        match &key.value {
            Value::Scalar { text, .. } => keys.push((&**text, key.at, value)),
            Value::Refused => {}
            other => report.mistake(key.at, format!("a key of {name} is {}; it is a word", other.kind())),
        }
    }
    Some(keys)
}

fn unknown_key(key: &str, section: &str, meant: Option<&str>, known: &[&str]) -> String {
    // What follows a word is probably a value, glued to its key; it may be a secret.
    if let Some((key, _)) = key.split_once(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-') {
        return format!("unknown key {} in {section}; a key ends with a colon and a space", shown(key));
    }
    match meant {
        Some(meant) => format!("unknown key {} in {section}; did you mean `{meant}`?", shown(key)),
        None => {
            let known: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
            format!("unknown key {} in {section}; its keys are {}", shown(key), known.join(", "))
        }
    }
}

fn given_twice(key: &str, first: Place) -> String {
    format!("{} is given already at line {}; keep one of them", shown(unglued(key)), first.line)
}
