//! Who fetches credentials: one task, so that each is fetched once however many wait for it, and so that
//! STS is paced like any quota scope. It lives as long as the process, and goes over from one generation of
//! identities to the next.

mod adoption;
mod step;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::chain::Chains;
use super::credentials::{Cached, CredentialCache, Issued, Key, Request, Session, Vault};
use super::line::{Lines, Turn};
use super::{Aws, chain, sts};
use crate::clock::Clock;
use crate::config::{Config, Identity};
use crate::model::{AccountId, Failure, FailureReason, Fleet, Generation, Report, ScopeId};
use crate::schedule::{Answer, Backoff};

pub use self::adoption::{Adoption, Needed};
use self::step::{Ended, Step, Work};

/// Wishes that may wait: one for every poller that may be waking at once, and more only delay it.
const REQUESTS: usize = 1024;

/// How soon a failed fetch is tried again, first and at the latest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The task that fetches credentials.
pub struct Broker {
    aws: Aws,
    generation: Generation,
    identities: BTreeMap<Arc<str>, Identity>,
    scopes: BTreeMap<Arc<str>, ScopeId>,
    chains: Chains,
    /// The account behind each identity that is not a role, once STS has told it.
    callers: HashMap<Arc<str>, AccountId>,
    cache: CredentialCache,
    requests: mpsc::Receiver<Request>,
    reports: mpsc::Sender<Report>,
    lines: Lines,
    wanted: HashMap<Key, Wanted>,
    failed: HashMap<Key, Failed>,
    steps: FuturesUnordered<Step>,
    random: fastrand::Rng,
}

/// A fetch under way.
struct Wanted {
    /// The account that it is made for; where the credentials are the same for all, one of them.
    account: AccountId,
    waiters: Vec<Waiter>,
}

/// Somebody who waits for credentials, and for which account.
struct Waiter {
    account: AccountId,
    reply: oneshot::Sender<Result<Session, Failure>>,
}

/// A fetch that failed, and from when on another may be made.
struct Failed {
    failure: Failure,
    until: Instant,
    backoff: Backoff,
}

impl Broker {
    /// A broker for the identities of a configuration, and the cache that it fills. Reads profiles and
    /// the environment, and calls nothing yet.
    pub async fn new(
        aws: Aws,
        config: &Config,
        fleet: &Fleet,
        reports: mpsc::Sender<Report>,
        clock: Clock,
    ) -> (Self, CredentialCache) {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let vault = Vault { per_account: config.identities_per_account(), ..Vault::default() };
        let cache = CredentialCache::new(vault, sender, clock);
        let chains = aws.chains(config).await;
        let mut random = fastrand::Rng::new();
        let broker = Self {
            lines: Lines::new(fleet, &mut random),
            generation: fleet.generation,
            scopes: fleet.sts_scopes.clone(),
            identities: config.identities.clone(),
            cache: cache.clone(),
            callers: HashMap::new(),
            wanted: HashMap::new(),
            failed: HashMap::new(),
            steps: FuturesUnordered::new(),
            aws,
            chains,
            requests,
            reports,
            random,
        };
        (broker, cache)
    }

    /// Serves wishes, and goes over to another generation when it is told of one, until it is told to stop;
    /// who still waits then is told so.
    pub async fn run(mut self, mut adoptions: mpsc::Receiver<Adoption>, stop: CancellationToken) {
        loop {
            let next = self.lines.next_call();
            tokio::select! {
                () = stop.cancelled() => return,
                Some(adoption) = adoptions.recv() => self.adopt(adoption),
                Some(request) = self.requests.recv() => self.ask(request),
                Some(step) = self.steps.next() => self.go_on(step).await,
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => self.call(),
            }
        }
    }

    fn ask(&mut self, request: Request) {
        let Request { identity, account, reply } = request;
        if !self.identities.contains_key(&identity) {
            // It went while the wish was on its way, and with it whoever wished.
            return;
        }
        let (key, cached) = self.cache.look(&identity, account);
        if let Some(wanted) = self.wanted.get_mut(&key) {
            wanted.waiters.extend(reply.map(|reply| Waiter { account, reply }));
            return;
        }
        // Fetched while the wish was on its way.
        if let Some(cached) = cached.filter(|cached| self.cache.clock.now() < cached.refresh_at) {
            if let Some(reply) = reply {
                let _ = reply.send(Ok(cached.session));
            }
            return;
        }
        let now = Instant::now();
        if let Some(Failed { failure, until, .. }) = self.failed.get(&key).filter(|failed| failed.until > now)
        {
            if let Some(reply) = reply {
                let retry_after = failure.retry_after.map(|_| *until - now);
                // Who asked may have gone; nobody else wants the answer.
                let _ = reply.send(Err(Failure { retry_after, ..failure.clone() }));
            }
            return;
        }
        self.steps.push(self.base(key.clone(), account));
        let waiters = reply.map(|reply| Waiter { account, reply }).into_iter().collect();
        self.wanted.insert(key, Wanted { account, waiters });
    }

    /// Gets what STS is to be called with: the credentials of the role's `from`, or the chain's own.
    fn base(&self, key: Key, account: AccountId) -> Step {
        let work = match &self.identities[&key.identity] {
            Identity::AssumeRole(role) => {
                let (cache, from) = (self.cache.clone(), Arc::clone(&role.from));
                Work::Base(Box::pin(async move {
                    cache.get(&from, account).await.map(|session| session.credentials)
                }))
            }
            Identity::DefaultChain | Identity::Profile(_) => {
                Work::Base(Box::pin(chain::provide(self.chains.get(&key.identity))))
            }
        };
        Step { key, work }
    }

    async fn go_on(&mut self, (key, ended): (Key, Ended)) {
        match ended {
            Ended::Base(Err(failure)) => self.fail(&key, failure, None).await,
            Ended::Base(Ok(credentials)) => match self.callers.get(&key.identity) {
                Some(&caller) => {
                    let issued = Issued::of_chain(credentials, caller);
                    self.succeed(&key, issued).await;
                }
                None => self.lines.push(self.scope_of(&key.identity), key, credentials),
            },
            Ended::Call(permit, result) => {
                let (scope, answer) = (self.scope_of(&key.identity), Answer::of(&result));
                let (pacing, backoff_until) = self.lines.finish(scope, permit, answer, self.cache.clock);
                self.report(Report::Paced { generation: self.generation, scope, pacing }).await;
                match result {
                    Ok(issued) => self.succeed(&key, issued).await,
                    Err(failure) => self.fail(&key, failure, backoff_until).await,
                }
            }
        }
    }

    /// Makes the calls whose time has come.
    fn call(&mut self) {
        while let Some(Turn { permit, key, credentials }) = self.lines.turn() {
            let aws = self.aws.clone();
            let account = self.wanted[&key].account;
            let identity = self.identities[&key.identity].clone();
            let call = Box::pin(async move {
                match identity {
                    Identity::AssumeRole(role) => sts::assume_role(&aws, credentials, &role, account).await,
                    Identity::DefaultChain | Identity::Profile(_) => {
                        let caller = sts::caller_identity(&aws, credentials.clone()).await;
                        caller.map(|caller| Issued::of_chain(credentials, caller))
                    }
                }
            });
            self.steps.push(Step { key, work: Work::Call(permit, call) });
        }
    }

    async fn succeed(&mut self, key: &Key, issued: Issued) {
        self.failed.remove(key);
        let is_role = matches!(self.identities[&key.identity], Identity::AssumeRole(_));
        if !is_role && self.callers.insert(Arc::clone(&key.identity), issued.session.caller).is_none() {
            let identity = Arc::clone(&key.identity);
            self.report(Report::Caller { identity, account: issued.session.caller }).await;
        }
        let session = issued.session.clone();
        let cached = Cached::new(issued, self.cache.clock.now(), self.random.f64());
        self.cache.vault().sessions.insert(key.clone(), cached);
        self.answer(key, &Ok(session));
        self.report(Report::Refreshed(Ok(()))).await;
    }

    /// Tells who waits, and holds further wishes for the key off for a while. What AWS refused is not
    /// retried before the target's next turn; what may pass by itself asks for a wait.
    async fn fail(&mut self, key: &Key, failure: Failure, gate: Option<Instant>) {
        let Failure { reason, message, retry_after } = failure;
        if let (FailureReason::Credentials, Identity::AssumeRole(role)) =
            (reason, &self.identities[&key.identity])
        {
            // What the role was to be assumed with is no longer good, whatever its expiry says.
            let account = self.wanted[key].account;
            self.cache.forget(&role.from, account);
        }
        let mut backoff = match self.failed.remove(key) {
            Some(failed) => failed.backoff,
            None => Backoff::new(RETRY.0, RETRY.1),
        };
        let now = Instant::now();
        let until = (now + backoff.next(&mut self.random)).max(gate.unwrap_or(now));
        let failure = Failure {
            reason: FailureReason::Credentials,
            message,
            retry_after: (retry_after.is_some() || may_pass(reason)).then_some(until - now),
        };
        self.answer(key, &Err(failure.clone()));
        self.failed.insert(key.clone(), Failed { failure, until, backoff });
        self.report(Report::Refreshed(Err(reason))).await;
    }

    fn answer(&mut self, key: &Key, answer: &Result<Session, Failure>) {
        for waiter in self.wanted.remove(key).into_iter().flat_map(|wanted| wanted.waiters) {
            // Who asked may have gone; nobody else wants the answer.
            let _ = waiter.reply.send(answer.clone());
        }
    }

    /// The scope that counts the identity's STS calls: a role is assumed with its `from`'s credentials.
    fn scope_of(&self, identity: &Arc<str>) -> ScopeId {
        let caller = match &self.identities[identity] {
            Identity::AssumeRole(role) => &role.from,
            Identity::DefaultChain | Identity::Profile(_) => identity,
        };
        self.scopes[caller]
    }

    async fn report(&mut self, report: Report) {
        // The tracker ends last; when it has gone, nobody is left to tell.
        let _ = self.reports.send(report).await;
    }
}

/// Whether trying again soon can help.
fn may_pass(reason: FailureReason) -> bool {
    matches!(
        reason,
        FailureReason::Throttled
            | FailureReason::Timeout
            | FailureReason::Unreachable
            | FailureReason::ServerError
            | FailureReason::Unavailable
    )
}
