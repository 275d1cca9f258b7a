//! Policies as a CloudFormation template: of a stack, or of a StackSet for what is in each account.
//!
//! In JSON, which CloudFormation takes as it takes YAML.

use serde_json::{Map, Value as Json, json};

use super::grant::{Grant, Holder, Place, Role};
use super::json::parameters;
use super::policy::{OWN_ACCOUNT, Parameter, Spell, Text, trust};

/// Writes what is open as references.
struct References;

impl Spell for References {
    fn spell(&self, text: &Text) -> Json {
        match text {
            Text::Known(text) if text.contains(OWN_ACCOUNT) => {
                json!({ "Fn::Sub": text.replace(OWN_ACCOUNT, "${AWS::AccountId}") })
            }
            Text::Known(text) => text.as_str().into(),
            Text::Open(parameter) => json!({ "Ref": name(parameter) }),
        }
    }
}

/// The parameter of a template for an identity that is no role.
const ROLE_NAME: &str = "RoleName";

/// The template for the grants of one identity, and a line end.
pub(super) fn render(grants: &[Grant]) -> String {
    let mut open = Map::new();
    for parameter in parameters(grants) {
        let definition = json!({
            "Type": "String",
            "Description": parameter.about(),
            "AllowedPattern": parameter.pattern(),
        });
        open.insert(name(&parameter), definition);
    }
    let mut resources = Map::new();
    let mut conditions = Map::new();
    for (index, grant) in grants.iter().enumerate() {
        // Only roles of one account, one for each account that is asked about, are many.
        let number = if index == 0 { String::new() } else { (index + 1).to_string() };
        let holders = match &grant.holder {
            Holder::Role(role) => {
                let id = format!("Role{number}");
                resources.insert(id.clone(), resource_of(role));
                json!([{ "Ref": id }])
            }
            Holder::Principal => {
                let about = "The name of the role that gets the policies; if it is left empty, they are made and \
                             attached to nobody.";
                open.insert(
                    ROLE_NAME.to_owned(),
                    json!({ "Type": "String", "Default": "", "Description": about }),
                );
                conditions.insert(
                    "HasRole".to_owned(),
                    json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": ROLE_NAME }, ""] }] }),
                );
                json!({ "Fn::If": ["HasRole", [{ "Ref": ROLE_NAME }], { "Ref": "AWS::NoValue" }] })
            }
        };
        for (place, policy) in grant.policies.iter().enumerate() {
            let id = if place == 0 {
                format!("Policy{number}")
            } else {
                format!("Policy{number}Part{}", place + 1)
            };
            let properties = json!({
                "Description": format!("What regwatch needs as its identity {}", grant.identity),
                "PolicyDocument": policy.document(&References),
                "Roles": holders,
            });
            resources.insert(id, json!({ "Type": "AWS::IAM::ManagedPolicy", "Properties": properties }));
        }
    }
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description(grants),
        "Resources": resources,
    });
    for (section, content) in [("Parameters", open), ("Conditions", conditions)] {
        if !content.is_empty() {
            template[section] = content.into();
        }
    }
    format!("{template:#}\n")
}

fn resource_of(role: &Role) -> Json {
    let (path, name) = role.path_and_name();
    let known = |text: &str| References.spell(&Text::Known(text.to_owned()));
    let properties = json!({
        "RoleName": known(name),
        "Path": known(path),
        "Description": "regwatch assumes it to ask for registrations and GovCloud accounts, and can change nothing",
        "AssumeRolePolicyDocument": trust(&role.trusted, role.external_id.as_deref(), &References),
    });
    json!({ "Type": "AWS::IAM::Role", "Properties": properties })
}

/// Where the template belongs. CloudFormation takes 1,024 bytes.
fn description(grants: &[Grant]) -> String {
    let Some(grant) = grants.first() else { return "Nothing is needed".to_owned() };
    let what = match &grant.holder {
        Holder::Principal => {
            "The policies for the role that regwatch runs as: a stack in its account.".to_owned()
        }
        Holder::Role(Role { place: Place::In(account), .. }) => {
            format!("A role that regwatch assumes: a stack in account {account}.")
        }
        Holder::Role(Role { place: Place::EachOf { accounts, organization }, .. }) => {
            let over = if *organization {
                "accounts of the organization".to_owned()
            } else {
                format!("{} accounts that are asked with it", accounts.len())
            };
            let joins =
                if *organization { " With automatic deployment it follows those that join." } else { "" };
            format!(
                "The role that regwatch assumes in each account: a StackSet over the {over}, in one region, since roles \
                 have none. A service-managed one passes over the management account, which gets a stack of its \
                 own.{joins}"
            )
        }
    };
    format!("{what} Identity {} of its configuration. Needs CAPABILITY_NAMED_IAM.", grant.identity)
}

fn name(parameter: &Parameter) -> String {
    let words = parameter.words();
    words.iter().map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect()
}
