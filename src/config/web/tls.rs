//! The `tls_server_config` section: the certificate, and what is spoken.

use std::path::Path;

use rustls::{CipherSuite, NamedGroup, ProtocolVersion};

use super::super::events::either;
use super::super::mistake::Report;
use super::super::section::{Section, nearest};
use super::super::value::{list, shown, text, word};
use super::super::yaml::Node;
use super::super::{Secret, Source};
use super::client::{self, ClientAuth};
use super::header::boolean;

/// The keys of the section.
const KEYS: &[&str] = &[
    "cert",
    "key",
    client::CA,
    "cert_file",
    "key_file",
    client::POLICY,
    client::CA_FILE,
    client::SANS,
    MIN,
    MAX,
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
];

const MIN: &str = "min_version";
const MAX: &str = "max_version";

/// The versions that regwatch speaks, as the format names them.
const VERSIONS: [(&str, ProtocolVersion); 2] =
    [("TLS12", ProtocolVersion::TLSv1_2), ("TLS13", ProtocolVersion::TLSv1_3)];

/// The suites that regwatch speaks, as the format names them: those with forward secrecy and
/// authenticated encryption. Those of TLS 1.3 may be named, and are never left out.
const SUITES: [(&str, CipherSuite); 9] = [
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// The curves that regwatch speaks, as the format names them.
const CURVES: [(&str, NamedGroup); 3] = [
    ("CurveP256", NamedGroup::secp256r1),
    ("CurveP384", NamedGroup::secp384r1),
    ("X25519", NamedGroup::X25519),
];

/// How connections are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate and those that lead to its authority, as PEM.
    pub cert: Source,
    /// The certificate's private key, as PEM.
    pub key: Source,
    /// Whether clients show a certificate.
    pub client_auth: ClientAuth,
    /// The versions that are spoken; at least one.
    pub versions: Vec<ProtocolVersion>,
    /// The suites of TLS 1.2, the preferred first; `None` for all. Those of TLS 1.3 are not to be chosen.
    pub cipher_suites: Option<Vec<CipherSuite>>,
    /// Whether this server's preference of suites counts, and not the client's.
    pub prefer_server_cipher_suites: bool,
    /// The groups for the exchange of keys, the preferred first; `None` for all.
    pub curves: Option<Vec<NamedGroup>>,
}

/// Reads the section; `None` where a mistake has been reported, `Some(None)` where nothing is in it.
pub(super) fn read(node: &Node, folder: &Path, report: &mut Report) -> Option<Option<Tls>> {
    let section = Section::open(node, "`tls_server_config`", KEYS, report)?;
    if KEYS.iter().all(|key| section.lacks(key)) {
        return Some(None);
    }
    let cert = pem(&section, ["cert", "cert_file"], folder, report);
    let key = pem(&section, ["key", "key_file"], folder, report);
    for [here, in_file] in [["cert", "cert_file"], ["key", "key_file"]] {
        if section.lacks(here) && section.lacks(in_file) {
            let right = format!("name the file as `{in_file}`");
            report.mistake(section.at, format!("`tls_server_config` needs `{here}` or `{in_file}`; {right}"));
        }
    }
    let client_auth = client::read(&section, folder, report);
    let versions = versions(&section, report);
    let cipher_suites = names(&section, "cipher_suites", "suite", &SUITES, report);
    let prefer = section
        .get("prefer_server_cipher_suites")
        .map_or(Some(true), |node| boolean(node, "prefer_server_cipher_suites", report));
    let curves = names(&section, "curve_preferences", "curve", &CURVES, report);
    Some(Some(Tls {
        cert: cert??,
        key: key??,
        client_auth: client_auth?,
        versions: versions?,
        cipher_suites: cipher_suites?,
        prefer_server_cipher_suites: prefer?,
        curves: curves?,
    }))
}

/// PEM that is given here or in a file; `Some(None)` where there is neither.
pub(super) fn pem(
    section: &Section<'_>,
    [here, in_file]: [&str; 2],
    folder: &Path,
    report: &mut Report,
) -> Option<Option<Source>> {
    let source = either(section, [here, in_file], report, |node, report| {
        let text = word(node, here, report)?;
        if !text.contains("-----BEGIN ") {
            let right = format!("give the whole block in PEM, or name its file as `{in_file}`");
            report.mistake(node.at, format!("`{here}` holds no PEM; {right}"));
            return None;
        }
        Some(Secret::new(text))
    })?;
    Some(source.map(|source| match source {
        Source::File(path) => Source::File(folder.join(path)),
        here => here,
    }))
}

fn versions(section: &Section<'_>, report: &mut Report) -> Option<Vec<ProtocolVersion>> {
    let [least, most] = [(MIN, 0), (MAX, 1)].map(|(key, default)| version(section, key, default, report));
    let (least, most) = (least?, most?);
    if least > most {
        let at = section.key(MIN).unwrap_or(section.at);
        report.mistake(at, format!("`{MIN}` is above `{MAX}`, so no version is left; swap them"));
        return None;
    }
    Some(VERSIONS[least..=most].iter().map(|(_, version)| *version).collect())
}

/// The place of a version in [`VERSIONS`].
fn version(section: &Section<'_>, key: &str, default: usize, report: &mut Report) -> Option<usize> {
    let Some(node) = section.get(key) else { return Some(default) };
    let text = word(node, key, report)?;
    let found = VERSIONS.iter().position(|(name, _)| *name == text);
    if found.is_none() {
        let wrong = match text {
            "TLS10" | "TLS11" => format!("`{key}` is {text}, which is broken and not spoken here; use TLS12"),
            other => format!("`{key}` is {}; it is TLS12 or TLS13", shown(other)),
        };
        report.mistake(node.at, wrong);
    }
    found
}

/// A list of words that each stand for something; `Some(None)` where it is left out or empty.
fn names<T: Copy>(
    section: &Section<'_>,
    key: &str,
    what: &str,
    known: &[(&str, T)],
    report: &mut Report,
) -> Option<Option<Vec<T>>> {
    let Some(node) = section.get(key) else { return Some(None) };
    let items = list(node, key, &format!("each item one {what}"), report)?;
    let read: Vec<_> = items
        .iter()
        .map(|item| {
            let text = text(item, &format!("{key}[]"), report)?;
            let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
            if found.is_none() {
                let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
                let right = match nearest(text, names.iter().copied()) {
                    // The names of broken suites are near those of sound ones, and no slips.
                    Some(meant) if meant.eq_ignore_ascii_case(text) => format!("did you mean `{meant}`?"),
                    _ => format!("it is one of {}", names.join(", ")),
                };
                report.mistake(item.at, format!("{} is no {what} that is spoken here; {right}", shown(text)));
            }
            found
        })
        .collect();
    let read: Vec<T> = read.into_iter().collect::<Option<_>>()?;
    Some((!read.is_empty()).then_some(read))
}
