//! A small part of IAM's semantics: what policies and trust policies allow.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{HUB, OTHER};

/// One call, as IAM sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub(super) caller: String,
    pub(super) action: &'static str,
    pub(super) resource: String,
    pub(super) region: String,
}

/// What is printed, put to work: policies by their holder, trust policies by the role.
pub(super) struct World {
    pub(super) policies: BTreeMap<String, Vec<Json>>,
    trusts: BTreeMap<String, Json>,
}

impl World {
    pub(super) fn of(shown: &Json) -> Self {
        let mut world = Self { policies: BTreeMap::new(), trusts: BTreeMap::new() };
        let filled = |value: &Json, account: &str| -> Json {
            let text = value.to_string().replace("{hub_principal_arn}", HUB);
            let text = text.replace("{other_principal_arn}", OTHER).replace("{account_id}", account);
            serde_json::from_str(&text).unwrap()
        };
        for grant in shown["principals"].as_array().unwrap() {
            let arn = if grant["identity"] == "hub" { HUB } else { OTHER };
            let policies = grant["policies"].as_array().unwrap();
            let documents = policies.iter().map(|policy| filled(&policy["document"], "none"));
            world.policies.insert(arn.to_owned(), documents.collect());
        }
        for role in shown["roles"].as_array().unwrap() {
            let accounts = role["accounts"].as_array().unwrap();
            let mut role = role.clone();
            role["accounts"] = Json::Null;
            for account in accounts {
                let role = filled(&role, account.as_str().unwrap());
                let arn = role["role_arn"].as_str().unwrap().to_owned();
                let policies = role["policies"].as_array().unwrap();
                world
                    .policies
                    .insert(arn.clone(), policies.iter().map(|policy| policy["document"].clone()).collect());
                world.trusts.insert(arn, role["trust_policy"].clone());
            }
        }
        world
    }

    pub(super) fn allows(&self, call: &Call) -> bool {
        let documents = self.policies.get(&call.caller).into_iter().flatten();
        let mut statements = documents.flat_map(|document| document["Statement"].as_array().unwrap());
        statements.any(|statement| {
            many(&statement["Resource"]).iter().any(|pattern| matches(pattern, &call.resource))
                && many(&statement["Action"]).contains(&call.action.to_owned())
                && holds(statement, &BTreeMap::from([("aws:RequestedRegion", call.region.as_str())]))
        })
    }

    pub(super) fn trusts(&self, role: &str, caller: &str, external_id: Option<&str>) -> bool {
        let keys = external_id.map(|id| ("sts:ExternalId", id)).into_iter().collect();
        let statements = self.trusts[role]["Statement"].as_array().unwrap();
        statements.iter().any(|statement| {
            many(&statement["Principal"]["AWS"]).contains(&caller.to_owned()) && holds(statement, &keys)
        })
    }
}

fn many(value: &Json) -> Vec<String> {
    match value {
        Json::Array(values) => values.iter().map(|value| value.as_str().unwrap().to_owned()).collect(),
        value => vec![value.as_str().unwrap().to_owned()],
    }
}

fn holds(statement: &Json, keys: &BTreeMap<&str, &str>) -> bool {
    let Some(conditions) = statement.get("Condition") else { return true };
    let (operator, wanted) = conditions.as_object().unwrap().iter().next().unwrap();
    assert_eq!((operator.as_str(), conditions.as_object().unwrap().len()), ("StringEquals", 1));
    wanted.as_object().unwrap().iter().all(|(key, values)| {
        keys.get(key.as_str()).is_some_and(|value| many(values).contains(&(*value).to_owned()))
    })
}

/// Whether a text is of a pattern in which a star stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| matches(rest, &text[at..]))
        }),
    }
}
