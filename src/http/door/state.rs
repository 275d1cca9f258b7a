//! What a web configuration has come to: everything that it names is read, and ready to be used.

use std::path::PathBuf;
use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::ServerConfig;

use super::DoorError;
use super::password::Users;
use super::tls::{self, Encryption};
use crate::config::{ClientAuth, Source, Tls, Web};

/// The state of a door.
#[derive(Debug, Default)]
pub(super) struct State {
    tls: Option<Encryption>,
    /// How much is asked of clients' certificates, as [`rank`] has it.
    client_auth: u8,
    headers: Vec<(HeaderName, Option<HeaderValue>)>,
    pub(super) users: Arc<Users>,
}

impl State {
    /// The state that a web configuration describes.
    ///
    /// # Errors
    /// Everything that is wrong with the files that it names, one a line.
    pub(super) fn new(web: &Web) -> Result<Self, Vec<String>> {
        let tls = web.tls.as_ref().map(tls::read).transpose()?;
        let client_auth = web.tls.as_ref().map_or(0, |tls| rank(&tls.client_auth));
        let users = Arc::new(Users::new(web.users.clone()));
        Ok(Self { tls, client_auth, headers: web.headers.clone(), users })
    }

    /// This state in the place of another.
    ///
    /// # Errors
    /// If it would take a lock off, or change what every client has to speak.
    pub(super) fn after(self, before: &Self) -> Result<Self, DoorError> {
        let refused = |what: &str| Err(DoorError(vec![format!("{what}; restart regwatch if that is meant")]));
        if self.tls.is_some() != before.tls.is_some() {
            return refused("TLS is switched on and off only at a start");
        }
        if self.client_auth < before.client_auth {
            return refused("less would be asked of clients' certificates than at the start");
        }
        if self.users.is_empty() && !before.users.is_empty() {
            return refused("no user is left, so that passwords would be switched off");
        }
        // Whoever was let in need not be checked again when only a certificate is new.
        let users = if self.users.are(&before.users) { Arc::clone(&before.users) } else { self.users };
        Ok(Self { users, ..self })
    }

    /// How connections are encrypted.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(|tls| Arc::clone(&tls.config))
    }

    /// When the first of its certificates expires, in seconds since 1970; `None` without TLS.
    pub(super) fn not_after(&self) -> Option<i64> {
        self.tls.as_ref().map(|tls| tls.not_after)
    }

    /// Puts the configured headers in the place of regwatch's own.
    pub(super) fn dress(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            match value {
                Some(value) => drop(headers.insert(name, value.clone())),
                None => drop(headers.remove(name)),
            }
        }
    }
}

/// The files that a web configuration names.
pub(super) fn files(web: &Web) -> impl Iterator<Item = PathBuf> {
    let sources = web.tls.iter().flat_map(|Tls { cert, key, client_auth, .. }| {
        let ca = match client_auth {
            ClientAuth::None => None,
            ClientAuth::IfGiven(ca) | ClientAuth::Required(ca) => Some(&ca.source),
        };
        [Some(cert), Some(key), ca].into_iter().flatten()
    });
    sources.filter_map(|source| match source {
        Source::File(path) => Some(path.clone()),
        Source::Here(_) => None,
    })
}

const fn rank(auth: &ClientAuth) -> u8 {
    match auth {
        ClientAuth::None => 0,
        ClientAuth::IfGiven(_) => 1,
        ClientAuth::Required(_) => 2,
    }
}
