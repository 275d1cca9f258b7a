//! The `postgres` key of the `store` section: a store that several replicas share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::events::path;
use super::mistake::Report;
use super::section::Section;
use super::value::{Bounds, duration, shown, text, word};
use super::yaml::Node;

/// The keys of it.
pub(super) const KEYS: &[&str] = &[URL_FILE, SCHEMA, POOL, TLS, SHARDS, LEASE, REPLICA];

/// The keys of its `tls`.
pub(super) const TLS_KEYS: &[&str] = &[MODE, CA_FILE];

const URL_FILE: &str = "url_file";
const SCHEMA: &str = "schema";
const POOL: &str = "pool";
const TLS: &str = "tls";
const SHARDS: &str = "shards";
const LEASE: &str = "lease";
const REPLICA: &str = "replica";
const MODE: &str = "mode";
const CA_FILE: &str = "ca_file";

const SCHEMA_DEFAULT: &str = "regwatch";

/// What PostgreSQL allows a name to have.
const LONGEST_SCHEMA: usize = 63;

/// A replica writes one thing at a time; the others are the sinks', the API's and a few streams'.
const POOL_DEFAULT: u16 = 5;

/// Enough for a dozen replicas to have shares that differ little.
const SHARDS_DEFAULT: u16 = 16;

/// Ten rounds of three seconds, in which a slow moment of the database passes.
const LEASE_DEFAULT: Duration = Duration::from_secs(30);

const LEASE_BOUNDS: Bounds = Bounds {
    least: (Duration::from_secs(5), "a slow moment of the network would end it"),
    most: (Duration::from_mins(10), "nobody watches for so long what a dead replica held"),
};

/// A store that several replicas share, in a database of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postgres {
    /// The file that holds the URL, as [`super::DatabaseUrl`] has it. It is read whenever a connection is made.
    pub url_file: PathBuf,
    /// The schema that all of it is in.
    pub schema: String,
    /// Connections at one time, besides the one for leases.
    pub pool: u16,
    /// How the connections are protected; `None` for what is safe where the server is.
    pub tls: Option<TlsMode>,
    /// Who may vouch for the server, besides those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Into how many parts the quota scopes are dealt.
    pub shards: u16,
    /// Within what time others have taken over what a replica held that is gone.
    pub lease: Duration,
    /// What people call this replica; `None` for the name of the host.
    pub replica: Option<Arc<str>>,
}

/// How connections to a database are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// By TLS, with a certificate for the server's name from somebody who is trusted.
    VerifyFull,
    /// By TLS, whoever answers: against those who listen, not against those who pretend.
    Require,
    /// Not at all.
    Disable,
}

impl TlsMode {
    const ALL: [Self; 3] = [Self::VerifyFull, Self::Require, Self::Disable];

    /// The word for it, which is PostgreSQL's own.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyFull => "verify-full",
            Self::Require => "require",
            Self::Disable => "disable",
        }
    }
}

/// Reads it; `None` where a mistake has been reported.
pub(super) fn read(node: &Node, report: &mut Report) -> Option<Postgres> {
    let section = Section::open(node, "`postgres`", KEYS, report)?;
    let right = "name the file that holds the URL of the database";
    let url_file = section.require(URL_FILE, right, report).and_then(|node| path(node, URL_FILE, report));
    let defaults = at(PathBuf::new());
    let schema = section.get(SCHEMA).map_or(Some(defaults.schema), |node| schema(node, report));
    let pool = number(&section, POOL, defaults.pool, (1, 100), report);
    let shards = number(&section, SHARDS, defaults.shards, (1, 1024), report);
    let (tls, ca_file) = match section.get(TLS) {
        Some(node) => tls(node, report).map_or((None, None), |(mode, ca_file)| (Some(mode), Some(ca_file))),
        None => (Some(defaults.tls), Some(defaults.ca_file)),
    };
    let lease = match section.get(LEASE) {
        Some(node) => duration(node, LEASE, LEASE_BOUNDS, report),
        None => Some(defaults.lease),
    };
    let replica = match section.get(REPLICA) {
        Some(node) => word(node, REPLICA, report).map(|name| Some(Arc::from(name))),
        None => Some(None),
    };
    Some(Postgres {
        url_file: url_file?,
        schema: schema?,
        pool: pool?,
        tls: tls?,
        ca_file: ca_file?,
        shards: shards?,
        lease: lease?,
        replica: replica?,
    })
}

/// It with nothing but the file of its URL.
pub(super) fn at(url_file: PathBuf) -> Postgres {
    Postgres {
        url_file,
        schema: SCHEMA_DEFAULT.to_owned(),
        pool: POOL_DEFAULT,
        tls: None,
        ca_file: None,
        shards: SHARDS_DEFAULT,
        lease: LEASE_DEFAULT,
        replica: None,
    }
}

fn schema(node: &Node, report: &mut Report) -> Option<String> {
    let name = word(node, SCHEMA, report)?;
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    let wrong = if !is_plain || name.len() > LONGEST_SCHEMA {
        format!("is no name for a schema; use up to {LONGEST_SCHEMA} small letters, digits and `_`")
    } else if name == "public" || name == "information_schema" || name.starts_with("pg_") {
        "is not regwatch's own; it takes a schema that nobody else uses".to_owned()
    } else {
        return Some(name.to_owned());
    };
    report.mistake(node.at, format!("{} {wrong}", shown(name)));
    None
}

fn number(
    section: &Section<'_>,
    key: &str,
    default: u16,
    (least, most): (u16, u16),
    report: &mut Report,
) -> Option<u16> {
    let Some(node) = section.get(key) else { return Some(default) };
    let text = text(node, key, report)?;
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    if number.is_none() {
        let right = format!("it is a whole number from {least} to {most}");
        report.mistake(node.at, format!("`{key}` is {}; {right}", shown(text)));
    }
    number
}

fn tls(node: &Node, report: &mut Report) -> Option<(Option<TlsMode>, Option<PathBuf>)> {
    let section = Section::open(node, "`tls`", TLS_KEYS, report)?;
    let mode = match section.get(MODE) {
        None => Some(None),
        Some(node) => {
            let text = word(node, MODE, report)?;
            let mode = TlsMode::ALL.into_iter().find(|mode| mode.as_str() == text);
            if mode.is_none() {
                let right = "it is `verify-full`, `require` or `disable`";
                report.mistake(node.at, format!("`{MODE}` is {}; {right}", shown(text)));
            }
            mode.map(Some)
        }
    };
    let ca_file = match section.get(CA_FILE) {
        Some(node) => path(node, CA_FILE, report).map(Some),
        None => Some(None),
    };
    if let (Some(Some(mode @ (TlsMode::Require | TlsMode::Disable))), Some(at)) = (mode, section.key(CA_FILE))
    {
        let (mode, right) = (mode.as_str(), "leave one of them out");
        report.mistake(at, format!("`{CA_FILE}` is for `verify-full`, and `{MODE}` is `{mode}`; {right}"));
        return None;
    }
    Some((mode?, ca_file?))
}
