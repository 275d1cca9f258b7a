//! Policies as HCL, for Terraform and OpenTofu.

use std::collections::HashSet;
use std::fmt::Write;

use super::grant::{Grant, Holder, Place, Role};
use super::json::{names, parameters};
use super::policy::{OWN_ACCOUNT, Parameter, Policy, Text};

/// What gives the id of the account that the provider is signed in to.
const CALLER: &str = "data.aws_caller_identity.current.account_id";

/// The grants as HCL.
pub(super) fn render(grants: &[Grant]) -> String {
    let mut body = String::new();
    let mut taken = HashSet::new();
    for grant in grants {
        body.push('\n');
        let name = name_of(&format!("regwatch_{}", grant.identity), &mut taken);
        block_of(&mut body, grant, &name, &mut taken).expect("a text takes all");
    }
    let mut text = head(grants);
    for parameter in parameters(grants) {
        open(&mut text, &parameter).expect("a text takes all");
    }
    if body.contains(CALLER) {
        text.push_str("\ndata \"aws_caller_identity\" \"current\" {}\n");
    }
    text + &body
}

fn head(grants: &[Grant]) -> String {
    let identities: HashSet<_> = grants.iter().map(|grant| &grant.identity).collect();
    let mut text =
        "# What AWS has to allow for regwatch. Written by `regwatch iam --format terraform`.\n".to_owned();
    if identities.len() > 1 {
        text.push_str(
            "# What belongs into different accounts is applied there: `--for IDENTITY` has each alone.\n",
        );
    }
    text
}

fn open(text: &mut String, parameter: &Parameter) -> std::fmt::Result {
    let name = parameter.words().join("_");
    writeln!(text, "\nvariable \"{name}\" {{")?;
    writeln!(text, "  type        = string")?;
    writeln!(text, "  description = {}", quoted(&parameter.about()))?;
    writeln!(text, "  validation {{")?;
    writeln!(text, "    condition     = can(regex({}, var.{name}))", quoted(parameter.pattern()))?;
    writeln!(text, "    error_message = \"It must be one whole, without wildcards.\"")?;
    writeln!(text, "  }}\n}}")
}

fn block_of(text: &mut String, grant: &Grant, name: &str, taken: &mut HashSet<String>) -> std::fmt::Result {
    let identity = &grant.identity;
    match &grant.holder {
        Holder::Principal => {
            writeln!(text, "# Identity {identity}: to be attached to the role or user that it finds.")?;
        }
        Holder::Role(role) => {
            let place = match &role.place {
                Place::EachOf { organization: true, .. } => {
                    "in each account of the organization that is asked with it".to_owned()
                }
                Place::EachOf { accounts, .. } => {
                    format!("in each of the {} accounts that are asked with it", accounts.len())
                }
                Place::In(account) => format!("in account {account}"),
            };
            writeln!(text, "# Identity {identity}: a role {place}.")?;
            role_block(text, role, name)?;
        }
    }
    for (index, (policy_name, policy)) in names(grant).zip(&grant.policies).enumerate() {
        let part =
            if index == 0 { name.to_owned() } else { name_of(&format!("{name}_{}", index + 1), taken) };
        policy_block(text, policy, &part)?;
        writeln!(text, "\nresource \"aws_iam_policy\" \"{part}\" {{")?;
        writeln!(text, "  name   = {}", quoted(&policy_name))?;
        writeln!(text, "  policy = data.aws_iam_policy_document.{part}.json\n}}")?;
        if let Holder::Role(_) = grant.holder {
            writeln!(text, "\nresource \"aws_iam_role_policy_attachment\" \"{part}\" {{")?;
            writeln!(text, "  role       = aws_iam_role.{name}.name")?;
            writeln!(text, "  policy_arn = aws_iam_policy.{part}.arn\n}}")?;
        }
    }
    Ok(())
}

fn role_block(text: &mut String, role: &Role, name: &str) -> std::fmt::Result {
    writeln!(text, "data \"aws_iam_policy_document\" \"{name}_trust\" {{")?;
    writeln!(text, "  statement {{")?;
    writeln!(text, "    sid     = \"Assume\"\n    actions = [\"sts:AssumeRole\"]")?;
    let kind = if role.trusted.len() == 1 { "type       " } else { "type" };
    writeln!(text, "    principals {{\n      {kind} = \"AWS\"")?;
    writeln!(text, "      identifiers = {}\n    }}", list(&role.trusted, 6))?;
    if let Some(id) = &role.external_id {
        condition(text, "sts:ExternalId", &[Text::Known(id.clone())])?;
    }
    writeln!(text, "  }}\n}}")?;
    let (path, role_name) = role.path_and_name();
    writeln!(text, "\nresource \"aws_iam_role\" \"{name}\" {{")?;
    writeln!(text, "  name               = {}", template(role_name))?;
    writeln!(text, "  path               = {}", template(path))?;
    writeln!(text, "  assume_role_policy = data.aws_iam_policy_document.{name}_trust.json\n}}\n")
}

fn policy_block(text: &mut String, policy: &Policy, name: &str) -> std::fmt::Result {
    writeln!(text, "data \"aws_iam_policy_document\" \"{name}\" {{")?;
    for statement in &policy.0 {
        let resources: Vec<_> = statement.resources.iter().cloned().map(Text::Known).collect();
        writeln!(text, "  statement {{")?;
        let is_one = resources.len() == 1;
        // As `terraform fmt` has it: what is on one line is aligned.
        let [sid, actions] = if is_one { ["sid      ", "actions  "] } else { ["sid    ", "actions"] };
        let all: Vec<_> = statement.actions.iter().map(|action| quoted(action)).collect();
        writeln!(text, "    {sid} = \"{}\"\n    {actions} = [{}]", statement.sid, all.join(", "))?;
        writeln!(text, "    resources = {}", list(&resources, 4))?;
        if let Some((key, values)) = &statement.condition {
            condition(text, key, values)?;
        }
        writeln!(text, "  }}")?;
    }
    writeln!(text, "}}")
}

fn condition(text: &mut String, key: &str, values: &[Text]) -> std::fmt::Result {
    writeln!(text, "    condition {{\n      test     = \"StringEquals\"\n      variable = {}", quoted(key))?;
    let name = if values.len() == 1 { "values  " } else { "values" };
    writeln!(text, "      {name} = {}\n    }}", list(values, 6))
}

/// One value on the line, and more below each other.
fn list(texts: &[Text], indent: usize) -> String {
    let values: Vec<_> = texts
        .iter()
        .map(|text| match text {
            Text::Known(text) => template(text),
            Text::Open(parameter) => format!("var.{}", parameter.words().join("_")),
        })
        .collect();
    match &values[..] {
        [one] => format!("[{one}]"),
        many => {
            let lines: String = many.iter().map(|value| format!("{:indent$}  {value},\n", "")).collect();
            format!("[\n{lines}{:indent$}]", "")
        }
    }
}

/// A text in which the account may be open.
fn template(text: &str) -> String {
    let parts: Vec<_> = text.split(OWN_ACCOUNT).map(escaped).collect();
    format!("\"{}\"", parts.join(&format!("${{{CALLER}}}")))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// "String Templates" in the Terraform language: what would begin one, or end the text.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace("${", "$${").replace("%{", "%%{")
}

/// A name that HCL takes, and that is another for each.
fn name_of(wanted: &str, taken: &mut HashSet<String>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let first: String = wanted.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let mut name = first.clone();
    while !taken.insert(name.clone()) {
        name.push('_');
    }
    name
}
