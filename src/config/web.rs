//! The web configuration: what a visitor of the HTTP server has to bring along, in the format that
//! Prometheus' exporters share.
//!
//! What the format allows and regwatch cannot keep is a mistake where leaving it out would be a weaker
//! lock than the one that was asked for, and accepted where it would not.
//!
//! Source: <https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>.

mod client;
mod header;
mod tls;
mod user;

use std::collections::BTreeMap;
use std::path::Path;

use hyper::header::{HeaderName, HeaderValue};

pub use self::client::{ClientAuth, ClientCa};
pub use self::tls::Tls;
pub use self::user::PasswordHash;

use super::mistake::{ConfigError, ConfigErrors, Place, Report, Warning};
use super::section::Section;
use super::yaml::{self, Node, Value};

/// The keys at the top of the file.
const KEYS: &[&str] = &[TLS, HTTP, USERS, RATE_LIMIT];

const TLS: &str = "tls_server_config";
const HTTP: &str = "http_server_config";
const USERS: &str = "basic_auth_users";
const RATE_LIMIT: &str = "rate_limit";

/// What a visitor has to bring along, and what every answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Web {
    /// How connections are encrypted; `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// Headers that every answer gets in place of regwatch's own; `None` leaves one out.
    pub headers: Vec<(HeaderName, Option<HeaderValue>)>,
    /// Who may come in, by name; anybody if it is empty.
    pub users: BTreeMap<String, PasswordHash>,
}

impl Web {
    /// Reads a web configuration; with what is doubtful in it. The files that it names are not read yet.
    ///
    /// # Errors
    /// If the file cannot be read, or with every mistake in it.
    pub fn load(path: &Path) -> Result<(Self, Vec<Warning>), ConfigError> {
        super::load(path, |text, report| read(text, folder_of(path), report))
    }

    /// Reads the text of a web configuration; with what is doubtful in it.
    ///
    /// # Errors
    /// Every mistake in the text, each with its line and column in the file of this name.
    pub fn parse(file_name: &str, text: &str) -> Result<(Self, Vec<Warning>), ConfigErrors> {
        let mut report = Report::default();
        let web = read(text, folder_of(Path::new(file_name)), &mut report);
        report.finish(file_name, web)
    }
}

/// What paths in a file are relative to.
fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// Reads a web configuration; `None` where a mistake has been reported. Paths in it are relative to the
/// folder.
fn read(text: &str, folder: &Path, report: &mut Report) -> Option<Web> {
    let root = yaml::read(text, report)?;
    let section = Section::open(&root, "the file", KEYS, report)?;
    let nothing = Node { at: Place::START, value: Value::Null };
    let part = |key| section.get(key).unwrap_or(&nothing);
    let tls = tls::read(part(TLS), folder, report);
    let headers = header::read(part(HTTP), report);
    let users = user::read(part(USERS), report);
    if let Some(at) = section.key(RATE_LIMIT) {
        let right = "leave it out: wrong passwords and connections are limited as they are";
        report.mistake(
            at,
            format!("`{RATE_LIMIT}` counts requests of any kind, which regwatch does not; {right}"),
        );
    }
    Some(Web { tls: tls?, headers: headers?, users: users? }).filter(|_| report.is_clean())
}
