//! The `basic_auth_users` section: who may come in, each with the hash of a password.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use bcrypt::HashParts;

use super::super::Secret;
use super::super::mistake::Report;
use super::super::section::{named, unglued};
use super::super::value::{shown, text};
use super::super::yaml::Node;

/// How dear a hash may be: each step doubles the work. A check of the dearest takes some 5 s, and half of
/// the usual scrape timeout.
const COSTS: RangeInclusive<u32> = 4..=16;

/// Hashes cheaper than this are tried by the thousand a second on one machine.
const CHEAP: u32 = 10;

const HOW: &str = "make one with htpasswd -nBC 10 NAME";

/// A bcrypt hash of a password. It never shows itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordHash {
    hash: Secret,
    cost: u32,
}

impl PasswordHash {
    /// The logarithm of the work that a check takes.
    pub const fn cost(&self) -> u32 {
        self.cost
    }

    /// Whether this is a password's hash. Like every bcrypt it looks at the first 72 bytes. It takes
    /// a while, by design: 70 ms at a cost of 10.
    pub fn is_of(&self, password: &[u8]) -> bool {
        bcrypt::verify(password, self.hash.expose()).expect("it could be read before")
    }
}

/// Reads the section; `None` where a mistake has been reported.
pub(super) fn read(node: &Node, report: &mut Report) -> Option<BTreeMap<String, PasswordHash>> {
    let mut users = BTreeMap::new();
    let mut is_sound = true;
    for (name, at, node) in named(node, "`basic_auth_users`", report)? {
        let hash = hash(node, unglued(name), report);
        if name.contains(':') || name.chars().any(char::is_control) {
            let right = "a name that browsers and scrapers can send has no colon and no control character";
            report.mistake(at, format!("{} is no name for a user; {right}", shown(unglued(name))));
            is_sound = false;
        }
        is_sound &= hash.is_some();
        users.extend(hash.map(|hash| (name.to_owned(), hash)));
    }
    is_sound.then_some(users)
}

/// A hash. What is wrong with it is told without it.
fn hash(node: &Node, name: &str, report: &mut Report) -> Option<PasswordHash> {
    let user = shown(name);
    let text = text(node, &format!("basic_auth_users.{name}"), report)?;
    let Ok(parts) = HashParts::from_str(text) else {
        report.mistake(node.at, format!("what {user} has is no bcrypt hash of a password; {HOW}"));
        return None;
    };
    let cost = parts.get_cost();
    if !COSTS.contains(&cost) {
        let (least, most) = COSTS.into_inner();
        let right = format!("take one from {least} to {most}, best {CHEAP} to 12");
        report.mistake(node.at, format!("the hash of {user} has a cost of {cost}; {right}"));
        return None;
    }
    if cost < CHEAP {
        let doubt =
            format!("the hash of {user} has a cost of {cost}, so that passwords are tried in no time");
        report.warning(node.at, doubt);
    }
    Some(PasswordHash { hash: Secret::new(text), cost })
}
