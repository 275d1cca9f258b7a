//! The credentials of the process, cached per (identity, account).
//!
//! The SDK's own caches hold 64 partitions or none, and storm STS beyond that; see [`super::Broker`] for
//! who fills this one.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use aws_credential_types::Credentials;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::model::{AccountId, Failure, FailureReason};

/// How long before its end a session is replaced at the earliest and the latest, so that many that began
/// together are not replaced together. A target polled every five minutes meets it once at least.
const REFRESH_LEAD_SECONDS: Range<f64> = 300.0..900.0;

/// The same as a share of the session's length, for sessions too short for the above.
const REFRESH_LEAD_SHARE: Range<f64> = 0.2..0.4;

/// A session this close to its end is not used any more: a call takes time, and clocks differ.
const EXPIRY_MARGIN: SignedDuration = SignedDuration::from_secs(20);

/// Whose credentials: an identity, and the account where its role is in each account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) identity: Arc<str>,
    /// `None` for an identity that is the same whatever account is asked about.
    pub(super) account: Option<AccountId>,
}

impl Key {
    /// The key of an identity for an account, where these differ from account to account.
    pub(super) fn new(identity: &Arc<str>, account: AccountId, per_account: &HashSet<Arc<str>>) -> Self {
        let account = per_account.contains(identity).then_some(account);
        Self { identity: Arc::clone(identity), account }
    }
}

/// Credentials and the account that they call as.
#[derive(Clone, Debug)]
pub struct Session {
    /// The credentials.
    pub credentials: Credentials,
    /// The calling account.
    pub caller: AccountId,
}

/// A session and when AWS ends it; `None` for one that has no end.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) session: Session,
    pub(super) expires_at: Option<Timestamp>,
}

impl Issued {
    /// Credentials that did not come from STS, and the account that STS says they are of.
    pub(super) fn of_chain(credentials: Credentials, caller: AccountId) -> Self {
        let expires_at = credentials.expiry().and_then(|expiry| Timestamp::try_from(expiry).ok());
        Self { session: Session { credentials, caller }, expires_at }
    }
}

/// A session and when it is to be replaced.
#[derive(Clone, Debug)]
pub(super) struct Cached {
    pub(super) session: Session,
    /// From then on a use asks for a replacement, and goes on with what there is.
    pub(super) refresh_at: Timestamp,
    /// From then on it is of no use.
    pub(super) expires_at: Timestamp,
}

impl Cached {
    /// A session issued now, to be replaced some time before its end: when exactly, `jitter` in 0..1 says.
    pub(super) fn new(issued: Issued, now: Timestamp, jitter: f64) -> Self {
        let Some(ends_at) = issued.expires_at else {
            return Self { session: issued.session, refresh_at: Timestamp::MAX, expires_at: Timestamp::MAX };
        };
        let length = ends_at.duration_since(now).as_secs_f64().max(0.0);
        let at = |range: Range<f64>| range.start + (range.end - range.start) * jitter;
        let lead =
            SignedDuration::from_secs_f64(at(REFRESH_LEAD_SECONDS).min(at(REFRESH_LEAD_SHARE) * length));
        let before = |by: SignedDuration| ends_at.saturating_sub(by).unwrap_or(Timestamp::MIN);
        Self {
            session: issued.session,
            refresh_at: before(lead),
            expires_at: before(EXPIRY_MARGIN.min(lead)),
        }
    }
}

/// A wish for credentials; without `reply`, nobody waits for them.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) identity: Arc<str>,
    /// The account that they are wanted for.
    pub(super) account: AccountId,
    pub(super) reply: Option<oneshot::Sender<Result<Session, Failure>>>,
}

/// What is cached, and by what key.
#[derive(Debug, Default)]
pub(super) struct Vault {
    pub(super) sessions: HashMap<Key, Cached>,
    /// The identities whose credentials differ from account to account.
    pub(super) per_account: HashSet<Arc<str>>,
}

/// Where callers get their credentials. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CredentialCache {
    /// Read at each call by every poller and written once an hour per key, each time for the length of a map
    /// access and never over an await: a lock is cheaper here than a message to the broker and back.
    vault: Arc<RwLock<Vault>>,
    requests: mpsc::Sender<Request>,
    pub(super) clock: Clock,
}

impl CredentialCache {
    pub(super) fn new(vault: Vault, requests: mpsc::Sender<Request>, clock: Clock) -> Self {
        Self { vault: Arc::new(RwLock::new(vault)), requests, clock }
    }

    /// Credentials of an identity for asking about an account: at once when cached, else as soon as STS
    /// has answered.
    ///
    /// # Errors
    /// A failure of reason `credentials`. It asks for a wait when trying again can help.
    pub async fn get(&self, identity: &Arc<str>, account: AccountId) -> Result<Session, Failure> {
        let now = self.clock.now();
        let cached = self.look(identity, account).1;
        let wish = |reply| Request { identity: Arc::clone(identity), account, reply };
        if let Some(cached) = cached.filter(|cached| now < cached.expires_at) {
            if now >= cached.refresh_at {
                // A full queue is no loss: the next use asks again.
                let _ = self.requests.try_send(wish(None));
            }
            return Ok(cached.session);
        }
        let (reply, answer) = oneshot::channel();
        let gone = || Failure::new(FailureReason::Credentials, "regwatch is shutting down");
        self.requests.send(wish(Some(reply))).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The same for an identity that is the same whatever account is asked about.
    ///
    /// # Errors
    /// As [`CredentialCache::get`].
    pub async fn get_shared(&self, identity: &Arc<str>) -> Result<Session, Failure> {
        self.get(identity, AccountId::NOBODY).await
    }

    /// Forgets credentials of such an identity that AWS has refused.
    pub fn forget_shared(&self, identity: &Arc<str>) {
        self.forget(identity, AccountId::NOBODY);
    }

    /// Forgets credentials that AWS has refused, so that the next call fetches new ones.
    pub fn forget(&self, identity: &Arc<str>, account: AccountId) {
        let mut vault = self.vault();
        let key = Key::new(identity, account, &vault.per_account);
        vault.sessions.remove(&key);
    }

    /// By what key credentials are cached, and what is.
    pub(super) fn look(&self, identity: &Arc<str>, account: AccountId) -> (Key, Option<Cached>) {
        let vault = self.vault.read().unwrap_or_else(PoisonError::into_inner);
        let key = Key::new(identity, account, &vault.per_account);
        let cached = vault.sessions.get(&key).cloned();
        (key, cached)
    }

    /// To change what is cached; one that a panic left is as whole as any.
    pub(super) fn vault(&self) -> RwLockWriteGuard<'_, Vault> {
        self.vault.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_session_is_replaced_while_it_lasts(length in 0..43_200_i64, jitter in 0.0..1.0) {
            let now = Timestamp::from_second(1_800_000_000).unwrap();
            let ends_at = now + SignedDuration::from_secs(length);
            let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, Some(ends_at.into()), "test");
            let caller = "111122223333".parse().unwrap();
            let cached = Cached::new(Issued::of_chain(credentials, caller), now, jitter);
            prop_assert!(now <= cached.refresh_at);
            prop_assert!(cached.refresh_at <= cached.expires_at);
            prop_assert!(cached.expires_at <= ends_at);
            if length == 3600 {
                prop_assert!(cached.refresh_at <= ends_at - SignedDuration::from_mins(5));
            }
        }
    }
}
