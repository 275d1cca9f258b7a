//! AWS as the script has it, and the machine that it is asked from.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use regwatch::clock::Clock;
use regwatch::model::{self, Failure, FailureReason, Probe, Reading};
use regwatch::probe::{Asked, Prober};
use regwatch::store::TargetKey;
use tokio::time::{Instant, sleep};

use super::journal::{Ending, Entry, Journal, Names, Scope, Target};
use super::quota::Quota;
use super::script::{Fault, FaultKind, Script, dice};
use super::settings::{Bucket, Caller, Hubs, Ms, SECOND};
use super::story::Story;

/// When every world begins.
const EPOCH: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// All that regwatch can learn of.
#[derive(Clone)]
pub(crate) struct Aws(Arc<Mutex<Sky>>);

/// What is the case, whether or not anybody looks.
pub(crate) struct Sky {
    script: Arc<Script>,
    began: Instant,
    /// For how long the machine has been suspended: AWS went on meanwhile.
    suspended: Ms,
    /// By how much the machine's wall clock is off what it showed at the beginning.
    steps: &'static AtomicI64,
    pub(crate) clock: Clock,
    pub(crate) names: Names,
    /// Who the hubs are by now.
    pub(crate) hubs: Hubs,
    targets: Vec<Told>,
    quotas: Vec<Quota>,
    /// Which of them each scope draws on.
    drawn_on: Vec<usize>,
    pub(crate) journal: Journal,
}

struct Told {
    story: Story,
    turns: u64,
    calls: u64,
}

/// What somebody waits for. Dropped before its end, it is noted that nobody does any more.
struct Wait<'a> {
    aws: &'a Aws,
    target: Target,
    scope: Scope,
    has_ended: bool,
}

impl Aws {
    pub(crate) fn new(script: Arc<Script>) -> Self {
        // A clock is a value to copy, so what steps it cannot end; eight bytes a world.
        let steps: &AtomicI64 = Box::leak(Box::new(AtomicI64::new(0)));
        let hubs = script.settings.hubs;
        Self(Arc::new(Mutex::new(Sky {
            script,
            began: Instant::now(),
            suspended: 0,
            clock: Clock::stepping(EPOCH, steps),
            steps,
            names: Names::default(),
            hubs,
            targets: Vec::new(),
            quotas: Vec::new(),
            drawn_on: Vec::new(),
            journal: Journal::default(),
        })))
    }

    pub(crate) fn sky(&self) -> MutexGuard<'_, Sky> {
        self.0.lock().expect("nothing panics while it is held")
    }

    fn wait(&self, target: Target, scope: Scope) -> Wait<'_> {
        Wait { aws: self, target, scope, has_ended: false }
    }
}

impl Wait<'_> {
    fn end(mut self, entry: impl FnOnce(Target, Scope) -> Entry) {
        self.has_ended = true;
        self.aws.sky().note(entry(self.target, self.scope));
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.aws.sky().note(Entry::Dropped(self.target, self.scope));
        }
    }
}

impl Sky {
    pub(crate) fn note(&mut self, entry: Entry) {
        let now = self.now();
        self.journal.note(now, entry);
    }

    /// How long the machine has run, suspensions aside.
    pub(crate) fn now(&self) -> Ms {
        u64::try_from(self.began.elapsed().as_millis()).expect("some weeks")
    }

    pub(crate) fn suspend(&mut self, time: Ms) {
        self.suspended += time;
        self.step(i64::try_from(time).expect("some days"));
    }

    pub(crate) fn step(&mut self, by: i64) {
        self.steps.fetch_add(by, Ordering::Relaxed);
    }

    /// What the machine's wall clock says of an instant that has passed.
    pub(crate) fn wall(&self, at: Instant) -> Timestamp {
        let shown = SignedDuration::from_millis(self.steps.load(Ordering::Relaxed));
        EPOCH + shown + SignedDuration::try_from(at - self.began).expect("some weeks")
    }

    pub(crate) fn reading(&self, target: Target, stage: usize) -> &Reading {
        self.targets[target].story.reading(stage)
    }

    /// The numbers of a target and of the bucket that its calls are counted in.
    fn numbers(&mut self, target: &model::Target) -> (Target, Scope) {
        let hub = target.identity.strip_prefix("hub-").map(|hub| hub.parse::<usize>().expect("a number"));
        let member = Caller { hub: None, account: target.account.id };
        let who = hub.map_or(member, |hub| self.hubs.caller(hub));
        let region = match target.region_str() {
            "eu-central-1" => "eu-central-1",
            "ap-south-1" => "ap-south-1",
            _ => "us-east-1",
        };
        let scope = self.names.scope(&Bucket { service: target.probe.service(), who, region });
        let number = self.names.target(&TargetKey::from(target));
        let Script { seed, span, changes, quotas, .. } = *self.script;
        let times = self.script.settings.times;
        for place in self.targets.len()..self.names.targets.len() {
            let probe = self.names.targets[place].probe;
            let mut rng = dice(seed, "story", place as u64);
            let story = Story::new(probe, EPOCH, span, changes, times, &mut rng);
            self.targets.push(Told { story, turns: 0, calls: 0 });
        }
        for place in self.drawn_on.len()..self.names.scopes.len() {
            let bucket = &self.names.scopes[place];
            let is_same = |other: &Bucket| bucket.counted_as() == other.counted_as();
            let known = self.names.scopes[..place].iter().position(is_same);
            self.drawn_on.push(known.map_or(self.quotas.len(), |place| self.drawn_on[place]));
            if known.is_none() {
                let base = quotas[usize::from(bucket.service == Probe::GovCloud.service())];
                self.quotas.push(Quota::new(base, span, &mut dice(seed, "quota", place as u64)));
            }
        }
        (number, scope)
    }

    /// What goes wrong for a target just now.
    fn fault(
        &self,
        target: Target,
        scope: Scope,
        dice: f64,
        is_of: fn(FaultKind) -> bool,
    ) -> Option<FaultKind> {
        let now = self.now();
        let hits = |fault: &&Fault| {
            let number = if fault.of_scopes { scope } else { target };
            (fault.from..fault.to).contains(&now)
                && number % fault.modulus == fault.remainder
                && dice < fault.share
                && is_of(fault.kind)
        };
        self.script.faults.iter().find(hits).map(|fault| fault.kind)
    }

    /// How long a call takes, and how it ends.
    fn call(&mut self, target: Target, scope: Scope, timeout: Ms) -> (Ms, Ending, Option<Failure>) {
        let told = &mut self.targets[target];
        told.calls += 1;
        let mut rng = dice(self.script.seed, "call", ((target as u64) << 32) + told.calls);
        let usual = rng.u64(20..250).min(timeout - 1);
        let at = self.now() + self.suspended;
        let stage = self.targets[target].story.at(at);
        let fault = self.fault(target, scope, rng.f64(), |kind| !is_of_credentials(kind));
        let quota = &mut self.quotas[self.drawn_on[scope]];
        let (reason, hint) = match fault {
            _ if !quota.take(at) => (FailureReason::Throttled, quota.hint),
            None => return (usual, Ending::Told(stage), None),
            Some(FaultKind::Slow) => return (rng.u64(usual..timeout), Ending::Told(stage), None),
            Some(FaultKind::Silent) => {
                return (timeout, Ending::Lost, Some(failure(FailureReason::Timeout, None)));
            }
            Some(FaultKind::Throttled(hint)) => (FailureReason::Throttled, hint),
            Some(FaultKind::ServerError(hint)) => (FailureReason::ServerError, hint),
            Some(FaultKind::Denied) => (FailureReason::AccessDenied, None),
            Some(FaultKind::WrongAccount) => (FailureReason::WrongAccount, None),
            Some(FaultKind::Malformed) => (FailureReason::MalformedReply, None),
            Some(FaultKind::Unreachable) => (FailureReason::Unreachable, None),
            Some(FaultKind::Unavailable) => (FailureReason::Unavailable, None),
            Some(FaultKind::NoCredentials(_) | FaultKind::SlowCredentials) => unreachable!("filtered out"),
        };
        let ending = match reason {
            FailureReason::Throttled => Ending::Throttled(hint),
            FailureReason::AccessDenied | FailureReason::WrongAccount | FailureReason::Unavailable => {
                Ending::Refused
            }
            _ => Ending::Lost,
        };
        (usual, ending, Some(failure(reason, hint)))
    }
}

fn is_of_credentials(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::NoCredentials(_) | FaultKind::SlowCredentials)
}

fn failure(reason: FailureReason, hint: Option<Ms>) -> Failure {
    Failure { retry_after: hint.map(Duration::from_millis), ..Failure::new(reason, "as scripted") }
}

/// What somebody signs in with: who it is, for the call that follows.
pub(crate) struct Session(Target, Scope);

impl Prober for Aws {
    type Session = Session;

    async fn sign_in(&self, target: &model::Target) -> Result<Session, Failure> {
        let (number, scope, fault, takes) = {
            let sky = &mut *self.sky();
            let (number, scope) = sky.numbers(target);
            sky.note(Entry::Turn(number, scope));
            let told = &mut sky.targets[number];
            told.turns += 1;
            let mut rng = dice(sky.script.seed, "turn", ((number as u64) << 32) + told.turns);
            let fault = sky.fault(number, scope, rng.f64(), is_of_credentials);
            (number, scope, fault, rng.u64(SECOND / 10..60 * SECOND))
        };
        let wait = self.wait(number, scope);
        match fault {
            Some(FaultKind::NoCredentials(hint)) => {
                let now = self.sky().wall(Instant::now());
                wait.end(|target, scope| Entry::TurnedAway(target, scope, now));
                return Err(failure(FailureReason::Credentials, hint));
            }
            Some(_) => sleep(Duration::from_millis(takes)).await,
            None => {}
        }
        wait.end(Entry::Ready);
        Ok(Session(number, scope))
    }

    async fn ask(&self, target: &model::Target, Session(number, scope): Session) -> Asked {
        let at = Instant::now();
        let (takes, ending, failure) = {
            let sky = &mut *self.sky();
            sky.note(Entry::Called(number, scope));
            let timeout = u64::try_from(target.polling.timeout.as_millis()).expect("some minutes");
            sky.call(number, scope, timeout)
        };
        let wait = self.wait(number, scope);
        sleep(Duration::from_millis(takes)).await;
        let sky = self.sky();
        let attempted = sky.wall(at);
        let outcome = match (ending, failure) {
            (Ending::Told(stage), _) => Ok(sky.reading(number, stage).clone()),
            (_, failure) => Err(failure.expect("what is not told failed")),
        };
        drop(sky);
        wait.end(|target, scope| Entry::Answered(target, scope, ending, attempted));
        Asked { at, outcome }
    }
}
