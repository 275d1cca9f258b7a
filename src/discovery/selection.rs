//! Which accounts of an organization are taken.
//!
//! What is told of an account comes in steps, and its tags cost a call of their own: so a rule may not be
//! decided yet, and often need not be.

use std::collections::BTreeMap;

use crate::config::{Organization, Rule, UnitPath};
use crate::model::AccountId;

/// What is known of an account so far.
pub(super) struct Candidate<'a, U> {
    pub(super) id: AccountId,
    pub(super) name: &'a str,
    /// Whether it is in a unit, or in one below.
    pub(super) is_in: U,
    /// Its tags, once they are known.
    pub(super) tags: Option<&'a BTreeMap<String, String>>,
}

/// Whether an account is taken: if it is included, or there is no word on that, and not excluded. `None`
/// while only its tags can tell.
pub(super) fn is_taken(
    organization: &Organization,
    candidate: &Candidate<'_, impl Fn(&UnitPath) -> bool>,
) -> Option<bool> {
    let included = match &organization.include[..] {
        [] => Some(true),
        rules => any(rules, candidate),
    };
    let excluded = any(&organization.exclude, candidate);
    match (included, excluded) {
        (Some(false), _) | (_, Some(true)) => Some(false),
        (Some(true), Some(false)) => Some(true),
        _ => None,
    }
}

fn any(rules: &[Rule], candidate: &Candidate<'_, impl Fn(&UnitPath) -> bool>) -> Option<bool> {
    let mut is_open = false;
    for rule in rules {
        match holds(rule, candidate) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => is_open = true,
        }
    }
    (!is_open).then_some(false)
}

fn holds(rule: &Rule, candidate: &Candidate<'_, impl Fn(&UnitPath) -> bool>) -> Option<bool> {
    let is_it = rule.id.is_none_or(|id| id == candidate.id)
        && rule.name.as_ref().is_none_or(|name| name.matches(candidate.name))
        && rule.unit.as_ref().is_none_or(&candidate.is_in);
    if !is_it || rule.tags.is_empty() {
        return Some(is_it);
    }
    let tags = candidate.tags?;
    Some(rule.tags.iter().all(|(key, value)| tags.get(key).is_some_and(|tag| value.matches(tag))))
}
