//! Who calls, and the credentials that prove it.

use std::collections::HashMap;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::identity::Identity;
use jiff::Timestamp;

use super::World;
use crate::model::AccountId;

/// The alphabet of AWS's ids.
const ID_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The alphabet of AWS's secrets and tokens.
const SECRET_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principal {
    pub(super) account: AccountId,
    pub(super) arn: String,
    pub(super) user_id: String,
    /// Whether the caller is a role's session, so that assuming another role is chaining.
    pub(super) is_session: bool,
}

/// Credentials that the simulation knows.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) principal: Principal,
    /// The same credentials, as the signing library takes them.
    pub(super) identity: Identity,
    pub(super) session: Option<SessionPart>,
}

/// What the credentials of a session have beyond a key and a secret.
#[derive(Clone, Debug)]
pub(super) struct SessionPart {
    pub(super) token: String,
    pub(super) expires: Timestamp,
}

/// Session credentials, as STS hands them out.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) access_key_id: String,
    pub(super) secret: String,
    pub(super) token: String,
}

/// All credentials that the simulation knows, by access key id.
#[derive(Debug)]
pub(super) struct Keys {
    by_id: HashMap<String, Arc<Key>>,
}

impl Keys {
    /// The long-term keys of a world.
    pub(super) fn of(world: &World) -> Self {
        let accounts = world.accounts.values();
        let keys = accounts.flat_map(|account| account.keys.iter().map(|key| (account.id, key)));
        let by_id = keys.map(|(account, key)| {
            let principal = Principal {
                account,
                arn: format!("arn:aws:iam::{account}:user/simulated"),
                user_id: random("AIDA", 17, ID_ALPHABET),
                is_session: false,
            };
            let identity = Credentials::new(&key.id, &key.secret, None, None, "simulated").into();
            (key.id.clone(), Arc::new(Key { principal, identity, session: None }))
        });
        Self { by_id: by_id.collect() }
    }

    pub(super) fn get(&self, access_key_id: &str) -> Option<Arc<Key>> {
        self.by_id.get(access_key_id).cloned()
    }

    /// New credentials of a session. They are never forgotten: an expired token is told from an unknown one.
    pub(super) fn open_session(&mut self, principal: Principal, expires: Timestamp) -> Session {
        let access_key_id = random("ASIA", 16, ID_ALPHABET);
        let secret = random("", 40, SECRET_ALPHABET);
        let token = random("IQoJb3JpZ2luX2Vj", 300, SECRET_ALPHABET);
        let credentials = Credentials::new(&access_key_id, &secret, Some(token.clone()), None, "simulated");
        let session = Some(SessionPart { token: token.clone(), expires });
        let key = Key { principal, identity: credentials.into(), session };
        self.by_id.insert(access_key_id.clone(), Arc::new(key));
        Session { access_key_id, secret, token }
    }

    /// Ends every session.
    pub(super) fn expire_sessions(&mut self, now: Timestamp) {
        for key in self.by_id.values_mut().filter(|key| key.session.is_some()) {
            if let Some(session) = &mut Arc::make_mut(key).session {
                session.expires = session.expires.min(now);
            }
        }
    }
}

/// A role's unique id (`AROA…`), the same whenever it is asked for.
pub(super) fn role_id(account: AccountId, role: &str) -> String {
    let text = format!("{account}/{role}");
    // FNV-1a, so that the id depends on nothing but the role.
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut id = String::from("AROA");
    for _ in 0..17 {
        id.push(char::from(ID_ALPHABET[(hash >> 59) as usize]));
        hash = hash.rotate_left(5).wrapping_mul(0x0100_0000_01b3);
    }
    id
}

fn random(prefix: &str, length: usize, alphabet: &[u8]) -> String {
    let letters = (0..length).map(|_| char::from(alphabet[fastrand::usize(..alphabet.len())]));
    prefix.chars().chain(letters).collect()
}
