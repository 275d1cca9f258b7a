//! The `postgres` key of the `store` section: a store that several replicas share.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::Secret;
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

const LEASE_DEFAULT: Duration = Duration::from_secs(30);

const LEASE_BOUNDS: Bounds = Bounds {
    least: (Duration::from_secs(5), "a slow moment of the network would end it"),
    most: (Duration::from_mins(10), "nobody watches for so long what a dead replica held"),
};

/// Where PostgreSQL listens unless it is told otherwise.
const PORT: u16 = 5432;

/// A store that several replicas share, in a database of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postgres {
    /// The file that holds the URL, as [`DatabaseUrl`] has it. It is read whenever a connection is made.
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
    /// How long a replica holds what it has not renewed.
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

/// Where a database is, and who asks: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or with
/// `?host=FOLDER` for the socket in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrl {
    /// Where the server listens.
    pub host: DatabaseHost,
    /// At which port; a socket is named by it, too.
    pub port: u16,
    /// Who asks.
    pub user: String,
    /// The password; empty where the server asks for none.
    pub password: Secret,
    /// The name of the database.
    pub database: String,
    /// What the server calls the connections.
    pub application: String,
}

/// Where a server of PostgreSQL listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseHost {
    /// On a host, by name or address.
    Tcp(String),
    /// On a socket in this folder.
    Socket(PathBuf),
}

impl DatabaseUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with the text, and what would be right: a phrase to follow its name, without the text
    /// itself, which is a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        const RIGHT: &str = "write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE";
        let url = Url::parse(text).map_err(|error| format!("holds no URL ({error}); {RIGHT}"))?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err(format!("holds no URL of PostgreSQL; {RIGHT}"));
        }
        let mut host = match url.host_str().map(plain).transpose()? {
            Some(host) if host.starts_with('/') => Some(DatabaseHost::Socket(host.into())),
            // An address of version 6 has brackets in a URL.
            Some(host) => {
                Some(DatabaseHost::Tcp(host.trim_start_matches('[').trim_end_matches(']').to_owned()))
            }
            None => None,
        };
        let mut application = "regwatch".to_owned();
        for (key, value) in url.query_pairs() {
            match &*key {
                "host" if value.starts_with('/') => host = Some(DatabaseHost::Socket(value.as_ref().into())),
                "application_name" => application = value.into_owned(),
                "sslmode" | "sslrootcert" => {
                    return Err(
                        "says how to protect the connection; say it in `store.postgres.tls`".to_owned()
                    );
                }
                _ => {
                    let right = "`application_name`, and `host` for the folder of a socket";
                    return Err(format!("has a parameter that is not known; there are {right}"));
                }
            }
        }
        let database = plain(url.path().trim_start_matches('/'))?;
        let user = plain(url.username())?;
        if user.is_empty() || database.is_empty() {
            let what = if user.is_empty() { "user" } else { "database" };
            return Err(format!("names no {what}; {RIGHT}"));
        }
        Ok(Self {
            host: host.ok_or_else(|| format!("names no host; {RIGHT}"))?,
            port: url.port().unwrap_or(PORT),
            user,
            password: Secret::new(plain(url.password().unwrap_or_default())?),
            database,
            application,
        })
    }

    /// Whether what is said never leaves the machine.
    pub fn is_local(&self) -> bool {
        match &self.host {
            DatabaseHost::Socket(_) => true,
            DatabaseHost::Tcp(host) => {
                host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
            }
        }
    }
}

/// Where it is, without who asks.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            DatabaseHost::Tcp(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port)?,
            DatabaseHost::Tcp(host) => write!(f, "{host}:{}", self.port)?,
            DatabaseHost::Socket(folder) => write!(f, "{}/.s.PGSQL.{}", folder.display(), self.port)?,
        }
        write!(f, " (database {})", self.database)
    }
}

/// A part of a URL without its escapes.
fn plain(part: &str) -> Result<String, String> {
    // A form stands `+` for a blank, where a URL means itself.
    let escaped = format!("part={}", part.replace('+', "%2B"));
    let plain = form_urlencoded::parse(escaped.as_bytes()).next().map(|(_, plain)| plain.into_owned());
    match plain {
        Some(plain) if !plain.contains(['\0', char::REPLACEMENT_CHARACTER]) => Ok(plain),
        _ => Err("has an escape that stands for no text; write % as %25".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> DatabaseUrl {
        DatabaseUrl::parse(text).unwrap()
    }

    #[test]
    fn a_url_tells_where_and_who() {
        let url = parsed("postgres://keeper:s%40l%2Ft+%25@db.example.com:6432/fleet%20one");
        assert_eq!(url.host, DatabaseHost::Tcp("db.example.com".into()));
        assert_eq!((url.port, &*url.user, url.password.expose()), (6432, "keeper", "s@l/t+%"));
        assert_eq!((&*url.database, &*url.application), ("fleet one", "regwatch"));
        assert_eq!(url.to_string(), "db.example.com:6432 (database fleet one)");
        assert!(!url.is_local());
        assert!(!format!("{url:?}").contains("s@l"), "{url:?}");

        let url = parsed("postgresql://keeper@[::1]/fleet?application_name=a%20b");
        assert_eq!((url.port, url.password.expose(), &*url.application), (5432, "", "a b"));
        assert_eq!(url.to_string(), "[::1]:5432 (database fleet)");
        assert!(url.is_local());
        assert!(parsed("postgres://keeper@localhost/fleet").is_local());

        for text in [
            "postgres://keeper@any/fleet?host=/run/postgresql",
            "postgres://keeper@%2Frun%2Fpostgresql/fleet",
        ] {
            let url = parsed(text);
            assert_eq!(url.host, DatabaseHost::Socket("/run/postgresql".into()), "{text}");
            assert_eq!(url.to_string(), "/run/postgresql/.s.PGSQL.5432 (database fleet)");
            assert!(url.is_local());
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_text() {
        let right = "; write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE";
        let cases = [
            ("hunter2", format!("holds no URL (relative URL without a base){right}")),
            ("mysql://keeper:hunter2@db/fleet", format!("holds no URL of PostgreSQL{right}")),
            ("postgres://db/hunter2", format!("names no user{right}")),
            ("postgres://keeper:hunter2@db/", format!("names no database{right}")),
            ("postgres://keeper:hunter2@/fleet", format!("holds no URL (empty host){right}")),
            ("postgres:hunter2", format!("names no user{right}")),
            (
                "postgres://keeper:hunter2@db/fleet?sslmode=disable",
                "says how to protect the connection; say it in `store.postgres.tls`".to_owned(),
            ),
            (
                "postgres://keeper:hunter2@db/fleet?passfile=hunter2",
                "has a parameter that is not known; there are `application_name`, and `host` for the folder of a \
                 socket"
                    .to_owned(),
            ),
            (
                "postgres://keeper:hunter2%ff@db/fleet",
                "has an escape that stands for no text; write % as %25".to_owned(),
            ),
        ];
        for (text, wrong) in cases {
            assert_eq!(DatabaseUrl::parse(text), Err(wrong), "{text}");
        }
    }
}
