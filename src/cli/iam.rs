//! `regwatch iam`: what AWS has to allow for a configuration to work, and nothing more.

mod cloudformation;
mod grant;
mod json;
mod need;
mod policy;
mod terraform;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use self::grant::{Grant, Holder, Place};
use super::terminal::print;

/// What `--help` says below the options.
pub(super) const AFTER_HELP: &str = "\
What is printed:
  For an identity that is a role: the role, its trust policy with the external id, and its policies. A role whose ARN has {account_id} belongs into each account that is asked with it.
  For any other identity: the policies for the role or user whose credentials it finds. regwatch does not know which that is, so no role is made of it; and where another role has to trust it, its ARN is a parameter.
  External ids are printed as they are.

Formats:
  json            one object, with `principals` and `roles`, each with its policies; and `placeholders`, which has what is to be put in the place of each text in braces
  cloudformation  one template, in JSON, for one identity: without --for the one whose role is in each account. As a StackSet, service-managed or not, it makes the role in each account; a service-managed one passes over the management account. It needs CAPABILITY_NAMED_IAM
  terraform       HCL for the AWS provider; what belongs into different accounts has to be applied there, so take one identity at a time with --for

Role ARNs and accounts are listed one by one, in as many managed policies as that takes, up to the ten that AWS attaches to a role. Beyond that (about 1,100 roles) a pattern takes their place: roles of that name within your organization. So it does where accounts are found with `organizations`.";

#[derive(Debug, Args)]
pub(super) struct Iam {
    /// What the policies are written as
    // The log has a `format` too.
    #[arg(id = "iam.format", long = "format", value_name = "FORMAT", default_value = "json")]
    format: Format,

    /// Only what this identity of the configuration needs
    #[arg(long = "for", value_name = "IDENTITY")]
    identity: Option<String>,

    /// The configuration
    #[arg(long = "config.file", value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,
}

/// What policies are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Policy documents.
    Json,
    /// A template.
    Cloudformation,
    /// HCL.
    Terraform,
}

impl Iam {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let grants = grant::all(&super::load(&self.config)?);
        let chosen = self.chosen(grants)?;
        let text = match self.format {
            Format::Json => json::render(&chosen),
            Format::Cloudformation => cloudformation::render(&chosen),
            Format::Terraform => terraform::render(&chosen),
        };
        print(text.as_bytes())
    }

    fn chosen(&self, grants: Vec<Grant>) -> anyhow::Result<Vec<Grant>> {
        let mut names: Vec<Arc<str>> = grants.iter().map(|grant| grant.identity.clone()).collect();
        names.dedup();
        let wanted = match (&self.identity, self.format) {
            (Some(name), _) => {
                let known = names.iter().find(|known| ***known == **name);
                let (file, known_names) = (self.config.display(), names.join(", "));
                known.with_context(|| {
                    format!("{file}: no account needs an identity {name}, but {known_names}")
                })?
            }
            (None, Format::Json | Format::Terraform) => return Ok(grants),
            (None, Format::Cloudformation) => only_template(&grants, &names)?,
        };
        let wanted = wanted.clone();
        let others: Vec<_> = names.iter().filter(|name| **name != wanted).map(|name| &**name).collect();
        if self.identity.is_none() && !others.is_empty() {
            eprintln!(
                "regwatch: this is the template for identity {wanted}; --for {} has more",
                others.join(", --for ")
            );
        }
        Ok(grants.into_iter().filter(|grant| grant.identity == wanted).collect())
    }
}

/// The identity whose template is meant where none is named: the only one, or the only one in each account.
fn only_template<'a>(grants: &'a [Grant], names: &'a [Arc<str>]) -> anyhow::Result<&'a Arc<str>> {
    let in_each = grants.iter().filter(
        |grant| matches!(&grant.holder, Holder::Role(role) if matches!(role.place, Place::EachOf { .. })),
    );
    match (names, &in_each.collect::<Vec<_>>()[..]) {
        ([only], _) => Ok(only),
        (_, [only]) => Ok(&only.identity),
        _ => bail!("a template is for one identity: name it with --for, one of {}", names.join(", ")),
    }
}
