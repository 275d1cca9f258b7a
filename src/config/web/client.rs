//! What the `tls_server_config` section asks of clients' certificates.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::Source;
use super::super::mistake::Report;
use super::super::section::Section;
use super::super::value::{list, shown, word};
use super::tls::pem;

pub(super) const POLICY: &str = "client_auth_type";
pub(super) const CA: &str = "client_ca";
pub(super) const CA_FILE: &str = "client_ca_file";
pub(super) const SANS: &str = "client_allowed_sans";

const NONE: &str = "NoClientCert";
const IF_GIVEN: &str = "VerifyClientCertIfGiven";
const REQUIRED: &str = "RequireAndVerifyClientCert";

/// The policies of the format that ask for a certificate and believe any.
const UNVERIFIED: [&str; 3] = ["RequestClientCert", "RequireAnyClientCert", "RequireClientCert"];

/// Whether clients show a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked for one.
    None,
    /// One that is shown has to be right.
    IfGiven(ClientCa),
    /// They have to, and it has to be right.
    Required(ClientCa),
}

/// Which certificates of clients are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCa {
    /// The authorities that issue them, as PEM.
    pub source: Source,
    /// The alternative names of which they have at least one; `None` for any.
    pub allowed_sans: Option<BTreeSet<String>>,
}

/// Reads the keys about clients; `None` where a mistake has been reported.
pub(super) fn read(section: &Section<'_>, folder: &Path, report: &mut Report) -> Option<ClientAuth> {
    let source = pem(section, [CA, CA_FILE], folder, report);
    let allowed_sans = sans(section, report);
    let (at, policy) = match section.get(POLICY) {
        Some(node) => (node.at, word(node, POLICY, report)?),
        None => (section.at, NONE),
    };
    let make: fn(ClientCa) -> ClientAuth = match policy {
        NONE => {
            let Some(more) = [CA, CA_FILE, SANS].into_iter().find_map(|key| section.key(key)) else {
                return Some(ClientAuth::None);
            };
            let right = format!("set `{POLICY}` to {REQUIRED}");
            report.mistake(more, format!("no client is asked for a certificate; {right}"));
            return None;
        }
        IF_GIVEN => ClientAuth::IfGiven,
        REQUIRED => ClientAuth::Required,
        any if UNVERIFIED.contains(&any) => {
            let wrong = format!("`{any}` believes any certificate, so it keeps nobody out");
            report.mistake(at, format!("{wrong}; use {REQUIRED}"));
            return None;
        }
        other => {
            let right = format!("it is {NONE}, {IF_GIVEN} or {REQUIRED}");
            report.mistake(at, format!("`{POLICY}` is {}; {right}", shown(other)));
            return None;
        }
    };
    if section.lacks(CA) && section.lacks(CA_FILE) {
        report.mistake(at, format!("`{policy}` needs `{CA_FILE}`; name the file with the authorities"));
    }
    Some(make(ClientCa { source: source??, allowed_sans: allowed_sans? }))
}

/// The names that clients may have; `Some(None)` where none are listed.
fn sans(section: &Section<'_>, report: &mut Report) -> Option<Option<BTreeSet<String>>> {
    let Some(node) = section.get(SANS) else { return Some(None) };
    let items = list(node, SANS, "each item one name", report)?;
    if items.is_empty() {
        report.mistake(node.at, format!("`{SANS}` is empty, so nobody could come in; leave the key out"));
        return None;
    }
    let read: Vec<_> = items.iter().map(|item| word(item, "client_allowed_sans[]", report)).collect();
    read.into_iter().map(|name| name.map(str::to_owned)).collect::<Option<_>>().map(Some)
}
