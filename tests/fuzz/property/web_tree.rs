//! A web configuration that somebody wrote with slips: whatever is told of it, no password and no key is;
//! and if it is accepted, each lock that it asks for is there.

use std::collections::BTreeSet;

use regwatch::config::{ClientAuth, Web};

use super::tree::Kind::{Named, Secret, Section, Word, Words};
use super::tree::{Kind, SECRET, Written, write};
use super::verdict::judge;

const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

const TLS: &[(&str, Kind)] = &[
    ("cert_file", Word(&["server.crt"])),
    ("key_file", Word(&["server.key"])),
    (
        "client_auth_type",
        Word(&["NoClientCert", REQUIRED, "VerifyClientCertIfGiven", "RequireAnyClientCert", "x"]),
    ),
    ("client_ca_file", Word(&["client-ca.crt"])),
    ("client_allowed_sans", Words(&["a", "b"])),
    ("min_version", Word(&["TLS12", "TLS13", "TLS10", "x"])),
    ("max_version", Word(&["TLS13", "TLS12", "x"])),
    ("cipher_suites", Words(&["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "x"])),
];

const REQUIRED: &str = "RequireAndVerifyClientCert";

const PEM: &[(&str, Kind)] = &[
    ("cert", Secret(&["\"-----BEGIN CERTIFICATE-----hunter2\""])),
    ("key", Secret(&["\"-----BEGIN PRIVATE KEY-----hunter2\""])),
];

const USERS: Kind = Named(&["alice", "bob", "carol", "\"a:b\""], &Secret(&[HASH, "$2y$04$hunter2"]));

const FILE: &[(&str, Kind)] = &[
    ("tls_server_config", Section(TLS)),
    (
        "http_server_config",
        Section(&[("headers", Section(&[("X-Frame-Options", Word(&["deny", "\"\"", "x"]))]))]),
    ),
    ("basic_auth_users", USERS),
];

const FILE_OF_TEXTS: &[(&str, Kind)] = &[("tls_server_config", Section(PEM)), ("basic_auth_users", USERS)];

pub(crate) fn holds(input: &[u8]) {
    let (keys, input) = match input.split_first() {
        Some((1, rest)) => (FILE_OF_TEXTS, rest),
        Some((_, rest)) => (FILE, rest),
        None => (FILE, input),
    };
    let Written { text, said } = write(input, keys);
    let parse = || Web::parse("web.yaml", &text);
    let web = judge(&text, parse);
    let told = match parse() {
        Ok((web, warnings)) => format!("{web:?} {warnings:?}"),
        Err(errors) => format!("{errors} {errors:?}"),
    };
    assert!(!told.contains(SECRET) && !told.contains(HASH), "{told}\nis told of\n{text}");
    let Some(web) = web else { return };
    let asks = |path: &str, word: &str| said.get(path).is_some_and(|said| said == word);
    let tls = |key: &str| format!("/tls_server_config/{key}");
    assert_eq!(web.tls.is_some(), said.keys().any(|path| path.starts_with(&tls(""))), "{text}");
    if let Some(read) = &web.tls {
        let is_required = matches!(read.client_auth, ClientAuth::Required(_));
        assert_eq!(is_required, asks(&tls("client_auth_type"), REQUIRED), "{text}");
        let is_new_only = asks(&tls("min_version"), "TLS13");
        assert_eq!(read.versions.contains(&rustls::ProtocolVersion::TLSv1_2), !is_new_only, "{text}");
        let names = match &read.client_auth {
            ClientAuth::Required(ca) | ClientAuth::IfGiven(ca) => ca.allowed_sans.as_ref(),
            ClientAuth::None => None,
        };
        let asked =
            said.get(&tls("client_allowed_sans")).map(|list| list.split(", ").collect::<BTreeSet<_>>());
        assert_eq!(names.map(|names| names.iter().map(String::as_str).collect()), asked, "{text}");
    }
    let users: BTreeSet<_> = web.users.keys().map(String::as_str).collect();
    let asked = said.keys().filter_map(|path| path.strip_prefix("/basic_auth_users/")).collect();
    assert_eq!(users, asked, "{text}");
}
