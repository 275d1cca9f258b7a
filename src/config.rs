//! The validated configuration: what the rest of regwatch may rely on.
//!
//! `yaml` makes a tree of the text, each node with its place; `section` and `value` take it apart;
//! `polling`, `limits`, `store` with `postgres`, `identity`, `account`, `organization`, `events` and `log` each
//! know one part of the file, and `file` the whole. `database` reads the URL of one.
//! All note what is wrong in one report and go on, so that every mistake is told in one go. `fleet`
//! turns the outcome into targets and quota scopes. `web` is a file of its own, read in the same way.

mod account;
mod database;
mod events;
#[cfg(test)]
mod example;
mod file;
mod filter;
mod fleet;
mod header;
mod identity;
mod limits;
mod log;
mod mistake;
mod on;
mod organization;
mod pattern;
mod polling;
mod postgres;
mod region;
mod role_arn;
mod section;
mod store;
mod value;
mod web;
mod yaml;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Account, Polling, Region};

pub use self::database::{DatabaseHost, DatabaseUrl};
pub use self::events::{Source, Webhook, parse_webhook_url};
pub use self::filter::{LogFilter, ParseLogFilterError};
pub use self::fleet::Rosters;
pub use self::mistake::{ConfigError, ConfigErrors, Mistake, Warning};
pub use self::on::On;
pub use self::organization::{Organization, Rule, UnitPath};
pub use self::pattern::Pattern;
pub use self::postgres::{Postgres, TlsMode};
pub use self::role_arn::{ParseRoleArnError, RoleArn};
pub use self::store::Store;
pub use self::web::{ClientAuth, ClientCa, PasswordHash, Tls, Web};

use self::mistake::{Place, Report};

/// A configuration that holds together: every name resolves, every number is in range.
#[derive(Clone, Debug)]
pub struct Config {
    /// Over how long the first polls are spread after a start.
    pub start_window: Duration,
    /// What calls to AWS are held to.
    pub limits: Limits,
    /// What outlives the process, and for how long.
    pub store: Store,
    /// How to get credentials, by name. `from` links have no cycle.
    pub identities: BTreeMap<Arc<str>, Identity>,
    /// What to watch, in the order of the file.
    pub accounts: Vec<WatchedAccount>,
    /// Whose accounts to find and to watch, in the order of the file. No two have the same name, and there
    /// is at least one where there is no account.
    pub organizations: Vec<Arc<Organization>>,
    /// Who else hears of what happens. No two have the same name, and none is called `log`.
    pub webhooks: Vec<Webhook>,
    /// Which log lines are written; `None` where the command line decides.
    pub log: Option<LogFilter>,
}

impl Config {
    /// Reads a configuration file; with what is doubtful in it.
    ///
    /// # Errors
    /// If the file cannot be read, or with every mistake in it.
    pub fn load(path: &Path) -> Result<(Self, Vec<Warning>), ConfigError> {
        load(path, file::read)
    }

    /// Reads the text of a configuration file; with what is doubtful in it.
    ///
    /// # Errors
    /// Every mistake in the text, each with its line and column in the file of this name.
    pub fn parse(file_name: &str, text: &str) -> Result<(Self, Vec<Warning>), ConfigErrors> {
        let mut report = Report::default();
        let config = file::read(text, &mut report);
        report.finish(file_name, config)
    }

    /// The identities whose credentials differ from account to account: a role whose ARN leaves the
    /// account open, and whatever is assumed from one.
    pub fn identities_per_account(&self) -> HashSet<Arc<str>> {
        let differing = self.identities.iter().filter(|(_, identity)| self.is_per_account(identity));
        differing.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// The identities of an earlier configuration that stand for somebody else now, or for nobody: defined
    /// otherwise, or assumed from one that is.
    pub fn redefined(&self, before: &Self) -> HashSet<Arc<str>> {
        let names = before.identities.keys();
        names.filter(|name| !self.is_the_same(before, name)).map(Arc::clone).collect()
    }

    fn is_the_same(&self, before: &Self, name: &str) -> bool {
        let definition = self.identities.get(name);
        if definition.is_none() || definition != before.identities.get(name) {
            return false;
        }
        match definition {
            Some(Identity::AssumeRole(role)) => self.is_the_same(before, &role.from),
            _ => true,
        }
    }

    fn is_per_account(&self, identity: &Identity) -> bool {
        match identity {
            Identity::AssumeRole(role) => {
                role.role_arn.is_template() || self.is_per_account(&self.identities[&role.from])
            }
            Identity::DefaultChain | Identity::Profile(_) => false,
        }
    }
}

/// Reads a file, and makes something of its text.
fn load<T>(
    path: &Path,
    read: impl FnOnce(&str, &mut Report) -> Option<T>,
) -> Result<(T, Vec<Warning>), ConfigError> {
    let file_name = path.display().to_string();
    let bytes =
        std::fs::read(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let mut report = Report::default();
    let read = match String::from_utf8(bytes) {
        Ok(text) => read(&text, &mut report),
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            report.mistake(after(good), "not UTF-8; save the file in that encoding");
            None
        }
    };
    Ok(report.finish(&file_name, read)?)
}

/// The place after some text.
fn after(text: &[u8]) -> Place {
    let text = String::from_utf8_lossy(text);
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    Place { line: text.matches('\n').count() + 1, column: last_line.chars().count() + 1 }
}

/// What calls to AWS are held to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Per calling account and region, FleetWise.
    pub fleetwise_requests_per_second: f64,
    /// Per calling account, Account Management.
    pub account_requests_per_second: f64,
    /// Per calling account, Organizations.
    pub organizations_requests_per_second: f64,
    /// Per calling account, STS.
    pub sts_requests_per_second: f64,
    /// Calls in flight in the whole process.
    pub max_in_flight: usize,
}

/// A named way to get credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The SDK's default credential chain.
    DefaultChain,
    /// A profile of the shared AWS configuration files.
    Profile(String),
    /// A role assumed with the credentials of another identity.
    AssumeRole(AssumeRole),
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    /// The identity whose credentials make the call.
    pub from: Arc<str>,
    /// The role.
    pub role_arn: RoleArn,
    /// The external id that the role's trust policy asks for.
    pub external_id: Option<Secret>,
    /// The session name, seen in the polled account's `CloudTrail`.
    pub session_name: String,
}

/// A text that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// An account and what to watch of it; at least one of the two probes is there.
#[derive(Clone, Debug)]
pub struct WatchedAccount {
    /// The account.
    pub account: Arc<Account>,
    /// How its registration with FleetWise is asked for.
    pub fleetwise: Option<FleetWise>,
    /// How its linked GovCloud account is asked for.
    pub govcloud: Option<GovCloud>,
    /// Its cadence.
    pub polling: Arc<Polling>,
}

/// How an account's registration with FleetWise is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetWise {
    /// The identity that asks: one of the account itself.
    pub identity: Arc<str>,
    /// Where to ask; at least one.
    pub regions: Arc<[Region]>,
}

/// How an account's linked GovCloud account is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GovCloud {
    /// The identity that asks: of the account itself, of its organization's management account, or of
    /// a delegated administrator.
    pub identity: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(identities: &str) -> Config {
        let yaml = format!(
            "{{identities: {identities}, accounts: [{{id: '111122223333', govcloud: {{identity: hub}}}}]}}"
        );
        Config::parse("test.yaml", &yaml).unwrap_or_else(|error| panic!("{error}")).0
    }

    #[test]
    fn an_identity_is_redefined_with_whatever_it_stands_on() {
        let role = |from: &str, name: &str| {
            format!("{{from: {from}, assume_role: {{role_arn: 'arn:aws:iam::{{account_id}}:role/{name}'}}}}")
        };
        let identities = |hub: &str, member: &str| {
            let (member, further) = (role("hub", member), role("member", "further"));
            parse(&format!("{{hub: {hub}, other: {{profile: other}}, member: {member}, further: {further}}}"))
        };
        let before = identities("{}", "regwatch");
        let redefined = |now: &Config| {
            let mut names: Vec<_> = now.redefined(&before).iter().map(|name| name.to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(redefined(&before), [""; 0]);
        assert_eq!(redefined(&identities("{}", "watcher")), ["further", "member"]);
        assert_eq!(redefined(&identities("{profile: hub}", "regwatch")), ["further", "hub", "member"]);
        assert_eq!(redefined(&parse("{hub: {}}")), ["further", "member", "other"]);
    }
}
