//! Policies as values, and how many of them it takes.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

/// What stands for the id of the account that a role is in, where one policy is for many.
pub(super) const OWN_ACCOUNT: &str = "{account_id}";

/// The most characters of a managed policy, white space aside: "IAM and AWS STS quotas" in the AWS IAM user
/// guide.
const MANAGED_POLICY: usize = 6144;

/// What a policy needs beside its statements' resources, at most.
const FRAME: usize = 300;

/// Something that only the reader knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Parameter {
    /// The ARN of the role or user behind an identity.
    Principal(Arc<str>),
    /// The id of the organization.
    Organization,
}

impl Parameter {
    /// Its name, in words of small letters and digits.
    pub(super) fn words(&self) -> Vec<String> {
        match self {
            Self::Principal(identity) => {
                let words =
                    identity.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
                words.chain(["principal", "arn"]).map(str::to_ascii_lowercase).collect()
            }
            Self::Organization => ["organization", "id"].map(str::to_owned).into(),
        }
    }

    /// What it is.
    pub(super) fn about(&self) -> String {
        match self {
            Self::Principal(identity) => format!(
                "The ARN of the role or user whose credentials identity {identity} finds, such as \
                 arn:aws:iam::111122223333:role/regwatch-hub; aws sts get-caller-identity with them tells which it is. It has to exist before the roles that trust it."
            ),
            Self::Organization => {
                "The id of the organization that the accounts are in, o- and what follows.".to_owned()
            }
        }
    }

    /// What it looks like, as a regular expression: never a wildcard.
    pub(super) fn pattern(&self) -> &'static str {
        match self {
            Self::Principal(_) => r"^arn:aws:iam::\d{12}:(role|user)/[\w+=,.@/-]+$",
            Self::Organization => "^o-[a-z0-9]{10,32}$",
        }
    }
}

/// A text of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// As it is; may have [`OWN_ACCOUNT`] in it.
    Known(String),
    /// To be filled in.
    Open(Parameter),
}

/// What is allowed, on what, and if what holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sid: &'static str,
    pub(super) actions: Vec<&'static str>,
    /// May have [`OWN_ACCOUNT`] in it.
    pub(super) resources: Vec<String>,
    /// A key of the request and the values that it may have.
    pub(super) condition: Option<(&'static str, Vec<Text>)>,
}

/// A policy of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Policy(pub(super) Vec<Statement>);

/// How the texts of a policy are written in a format.
pub(super) trait Spell {
    /// As a JSON value.
    fn spell(&self, text: &Text) -> Json;
}

impl Policy {
    /// Statements in as few policies as they fit in, in their order.
    pub(super) fn pack(statements: Vec<Statement>) -> Vec<Self> {
        let mut policies = vec![Self::default()];
        let mut used = FRAME;
        for statement in statements {
            let mut open = Statement { resources: Vec::new(), ..statement.clone() };
            for resource in statement.resources {
                // Two quotes and a comma.
                let size = resource.len() + 3;
                if used + size > MANAGED_POLICY {
                    let full = Statement { resources: std::mem::take(&mut open.resources), ..open.clone() };
                    let last = policies.len() - 1;
                    policies[last].0.extend((!full.resources.is_empty()).then_some(full));
                    policies.push(Self::default());
                    used = FRAME;
                }
                used += size;
                open.resources.push(resource);
            }
            used += FRAME;
            let last = policies.len() - 1;
            policies[last].0.push(open);
        }
        policies.retain(|policy| !policy.0.is_empty());
        policies
    }

    /// The policy as IAM takes it.
    pub(super) fn document(&self, spell: &impl Spell) -> Json {
        let statements: Vec<_> = self.0.iter().map(|statement| statement.document(spell)).collect();
        json!({ "Version": "2012-10-17", "Statement": statements })
    }
}

impl Statement {
    fn document(&self, spell: &impl Spell) -> Json {
        let resources = self.resources.iter().cloned().map(Text::Known);
        let mut statement = json!({
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": one_or_many(self.actions.iter().map(|action| Json::from(*action)).collect()),
            "Resource": one_or_many(resources.map(|text| spell.spell(&text)).collect()),
        });
        if let Some((key, values)) = &self.condition {
            let values = one_or_many(values.iter().map(|text| spell.spell(text)).collect());
            statement["Condition"] = equals(key, values);
        }
        statement
    }
}

/// Who may assume a role, as its trust policy says it.
pub(super) fn trust(principals: &[Text], external_id: Option<&str>, spell: &impl Spell) -> Json {
    let principals = one_or_many(principals.iter().map(|text| spell.spell(text)).collect());
    let mut statement = json!({
        "Sid": "Assume",
        "Effect": "Allow",
        "Principal": { "AWS": principals },
        "Action": "sts:AssumeRole",
    });
    if let Some(id) = external_id {
        statement["Condition"] = equals("sts:ExternalId", id.into());
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

fn equals(key: &str, values: Json) -> Json {
    json!({ "StringEquals": Map::from_iter([(key.to_owned(), values)]) })
}

fn one_or_many(mut values: Vec<Json>) -> Json {
    if values.len() == 1 { values.remove(0) } else { values.into() }
}
