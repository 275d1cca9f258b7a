//! Policies as JSON documents, for whatever else makes roles.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::grant::{Grant, Holder, Place, Role};
use super::policy::{OWN_ACCOUNT, Parameter, Spell, Text, trust};

/// Writes what is open as a placeholder in braces, which no ARN has.
pub(super) struct Braces;

impl Spell for Braces {
    fn spell(&self, text: &Text) -> Json {
        match text {
            Text::Known(text) => text.as_str().into(),
            Text::Open(parameter) => placeholder(parameter).into(),
        }
    }
}

/// The grants as one JSON object, and a line end.
pub(super) fn render(grants: &[Grant]) -> String {
    let mut principals = Vec::new();
    let mut roles = Vec::new();
    for grant in grants {
        let policies: Vec<_> = names(grant)
            .zip(&grant.policies)
            .map(|(name, policy)| json!({ "name": name, "document": policy.document(&Braces) }))
            .collect();
        match &grant.holder {
            Holder::Principal => {
                principals.push(json!({ "identity": &*grant.identity, "policies": policies }))
            }
            Holder::Role(role) => roles.push(json!({
                "identity": &*grant.identity,
                "role_arn": role.arn,
                "accounts": accounts(role),
                "organization": matches!(role.place, Place::EachOf { organization: true, .. }),
                "trust_policy": trust(&role.trusted, role.external_id.as_deref(), &Braces),
                "policies": policies,
            })),
        }
    }
    let mut document = json!({ "principals": principals, "roles": roles });
    let text = document.to_string();
    let open = parameters(grants).into_iter().map(|parameter| (placeholder(&parameter), parameter.about()));
    let mut placeholders: BTreeMap<_, _> = open.collect();
    if text.contains(OWN_ACCOUNT) {
        let about = "The id of the account that the role is in.";
        placeholders.insert(OWN_ACCOUNT.to_owned(), about.to_owned());
    }
    document["placeholders"] = json!(placeholders);
    format!("{document:#}\n")
}

/// What the reader has to fill in.
pub(super) fn parameters(grants: &[Grant]) -> Vec<Parameter> {
    let trusted = grants.iter().filter_map(|grant| match &grant.holder {
        Holder::Role(role) => Some(&role.trusted),
        Holder::Principal => None,
    });
    let policies = grants.iter().flat_map(|grant| &grant.policies);
    let conditions =
        policies.flat_map(|policy| &policy.0).filter_map(|statement| statement.condition.as_ref());
    let texts = trusted.flatten().chain(conditions.flat_map(|(_, values)| values));
    let mut open: Vec<_> = texts
        .filter_map(|text| match text {
            Text::Open(parameter) => Some(parameter.clone()),
            Text::Known(_) => None,
        })
        .collect();
    open.sort_unstable();
    open.dedup();
    open
}

/// A name for each policy of a grant.
pub(super) fn names(grant: &Grant) -> impl Iterator<Item = String> {
    let apart = grant.apart.map(|account| format!("-{account}")).unwrap_or_default();
    let first = format!("regwatch-{}{apart}", grant.identity);
    (1..).map(move |number| if number == 1 { first.clone() } else { format!("{first}-{number}") })
}

fn placeholder(parameter: &Parameter) -> String {
    format!("{{{}}}", parameter.words().join("_"))
}

fn accounts(role: &Role) -> Vec<String> {
    match &role.place {
        Place::EachOf { accounts, .. } => accounts.iter().map(ToString::to_string).collect(),
        Place::In(account) => vec![account.to_string()],
    }
}
