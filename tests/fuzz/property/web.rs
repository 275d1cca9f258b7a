//! A web configuration, as the text of its file: what is accepted makes a door with every lock that
//! was read, or none.

use std::fs;
use std::path::Path;

use regwatch::clock::Clock;
use regwatch::config::{ClientAuth, Source, Web};
use regwatch::http::Door;
use tempfile::TempDir;

use super::verdict::judge;
use super::visitor::Visitor;
use crate::pki::Authority;

/// The files that are there. A name of another may be that of any file of the machine.
const NAMES: [&str; 3] = ["server.crt", "server.key", "client-ca.crt"];

thread_local! {
    /// What a web configuration may name.
    static FOLDER: TempDir = {
        let folder = TempDir::new().expect("a temporary folder");
        let authority = Authority::new("an authority");
        authority.server().write(folder.path(), "server");
        fs::write(folder.path().join("client-ca.crt"), &authority.pem).expect("it can be written");
        folder
    };
}

pub(crate) fn holds(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Some(web) = judge(text, || Web::parse("web.yaml", text)) else { return };
    if !names(&web).all(|file| NAMES.iter().any(|name| file == Path::new(name))) {
        return;
    }
    FOLDER.with(|folder| {
        let file = folder.path().join("web.yaml");
        fs::write(&file, text).expect("it can be written");
        match Door::open(&file, false, Clock::System) {
            Ok((door, _)) => check_locks(&web, door),
            Err(error) => assert!(web.tls.is_some() && !error.to_string().is_empty(), "{error:?}"),
        }
    });
}

/// The files that a web configuration names.
fn names(web: &Web) -> impl Iterator<Item = &Path> {
    let tls = web.tls.iter();
    tls.flat_map(|tls| {
        let ca = match &tls.client_auth {
            ClientAuth::None => None,
            ClientAuth::IfGiven(ca) | ClientAuth::Required(ca) => Some(&ca.source),
        };
        [Some(&tls.cert), Some(&tls.key), ca]
    })
    .filter_map(|source| match source? {
        Source::File(path) => Some(path.as_path()),
        Source::Here(_) => None,
    })
}

/// Who brings nothing along gets in where nothing is asked, and nowhere else.
fn check_locks(web: &Web, door: Door) {
    let status = match (&web.tls, web.users.is_empty()) {
        (None, true) => 200,
        (None, false) => 401,
        (Some(_), _) => 400,
    };
    assert_eq!(door.is_encrypted(), web.tls.is_some());
    Visitor::before(door, async |visitor| {
        assert_eq!(visitor.get(b"/-/healthy").await.status, status, "{web:?}");
    });
}
