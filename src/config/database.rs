//! The URL of a database: where it is, and who asks.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use reqwest::Url;

use super::Secret;

/// Where PostgreSQL listens unless it is told otherwise.
const PORT: u16 = 5432;

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
