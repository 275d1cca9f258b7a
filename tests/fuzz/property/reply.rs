//! A reply of AWS: it is a reading whose states are of the closed set, or a failure that asks for nothing
//! absurd.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_credential_types::Credentials;
use jiff::Timestamp;
use regwatch::aws::{Aws, Broker, Session};
use regwatch::clock::Clock;
use regwatch::config::Config;
use regwatch::model::{
    Details, Entry, Event, Failure, FailureReason, Fleet, Poll, Reading, Region, Snapshot, Status, Target,
    TargetId,
};
use regwatch::probe::{Asked, AwsProber, Prober};
use regwatch::schedule::{Answer, Cadence, Pace};
use regwatch::sink::CloudEvent;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::pocket::{Pocket, Reply, is_of_caller, paused};
use crate::snapshot::NOW;

/// Account 111122223333 is asked for by a role of its own and by its hub, which is itself.
const CONFIG: &str = r#"
identities:
  hub: {}
  member: {from: hub, assume_role: {role_arn: "arn:aws:iam::{account_id}:role/regwatch"}}
accounts:
- id: "111122223333"
  fleetwise: {identity: member, regions: [us-east-1]}
  govcloud: {identity: hub}
"#;

const ACCOUNT: &str = "111122223333";

/// What a session is made of in the replies of the corpus, and what nobody may ever be told.
const SECRET: &str = "hunter2";

/// The longest that a target, or its scope, is left alone because AWS says so.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Which call is answered. Those before it are answered as they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    FleetWise,
    GovCloud,
    AssumeRole,
    CallerIdentity,
}

const CALLS: [(&str, Call); 4] = [
    ("fleetwise", Call::FleetWise),
    ("govcloud", Call::GovCloud),
    ("role", Call::AssumeRole),
    ("caller", Call::CallerIdentity),
];

/// Clients and what they ask about.
struct Stage {
    runtime: Runtime,
    pocket: Pocket,
    aws: Aws,
    config: Config,
    fleet: Arc<Fleet>,
}

thread_local! {
    /// Clients cost far more than calls, so there is one set a thread.
    static STAGE: Stage = Stage::new();
}

pub(crate) fn holds(input: &[u8]) {
    let Some((name, reply)) = Reply::read(input) else { return };
    let Some(&(_, call)) = CALLS.iter().find(|(known, _)| *known == name) else { return };
    STAGE.with(|stage| {
        let answer = reply.clone();
        stage.pocket.fill(move |request| match (call, is_of_caller(request)) {
            (Call::CallerIdentity, false) => Reply::Unreachable,
            (Call::CallerIdentity, true) | (_, false) => answer.clone(),
            (_, true) => Reply::caller_identity(ACCOUNT),
        });
        stage.runtime.block_on(async {
            match call {
                Call::FleetWise => stage.ask(TargetId(0), &reply).await,
                Call::GovCloud => stage.ask(TargetId(1), &reply).await,
                Call::AssumeRole => stage.sign_in(TargetId(0), &reply).await,
                Call::CallerIdentity => stage.sign_in(TargetId(1), &reply).await,
            }
        });
    });
}

impl Stage {
    fn new() -> Self {
        let (runtime, pocket) = (paused(), Pocket::default());
        let aws = runtime.block_on(Aws::load(pocket.overrides(), 1));
        let (config, _) = Config::parse("config.yaml", CONFIG).expect("no mistake");
        let fleet = Arc::new(config.fleet(&Region::new("us-east-1")));
        Self { runtime, pocket, aws, config, fleet }
    }

    /// Credentials for a target, from a process that has just started.
    async fn prober(&self) -> (AwsProber, impl Future<Output = ()>) {
        let (reports, mut received) = mpsc::channel(16);
        let (broker, cache) =
            Broker::new(self.aws.clone(), &self.config, &self.fleet, reports, Clock::System).await;
        let (adopt, adoptions) = mpsc::channel(1);
        let run = async move {
            let _adopt = adopt;
            let drain = async { while received.recv().await.is_some() {} };
            tokio::join!(broker.run(adoptions, CancellationToken::new()), drain);
        };
        (AwsProber::new(self.aws.clone(), cache), run)
    }

    async fn sign_in(&self, id: TargetId, reply: &Reply) {
        let (prober, broker) = self.prober().await;
        let session = tokio::select! {
            session = prober.sign_in(self.fleet.target(id)) => session,
            () = broker => unreachable!("it runs until it is told to stop"),
        };
        match session {
            Ok(Session { credentials, caller }) => {
                assert_eq!(reply.status().map(|status| status / 100), Some(2), "{reply:?}");
                assert!(
                    !credentials.access_key_id().is_empty() && !credentials.secret_access_key().is_empty()
                );
                let body = String::from_utf8_lossy(reply.body());
                assert!(id == TargetId(1) || caller.to_string() == ACCOUNT, "{caller}: {body}");
            }
            Err(failure) => {
                assert_eq!(failure.reason, FailureReason::Credentials);
                check_failure(&failure, reply, self.fleet.target(id));
            }
        }
    }

    async fn ask(&self, id: TargetId, reply: &Reply) {
        let target = self.fleet.target(id);
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "fuzzing");
        let session = Session { credentials, caller: target.account.id };
        let (prober, _) = self.prober().await;
        let Asked { outcome, .. } = prober.ask(target, session).await;
        match &outcome {
            Ok(reading) => check_reading(reading, reply, target),
            Err(failure) => {
                let is_whole = matches!(reply, Reply::Whole { status: 200..=299, .. });
                let of_content = [FailureReason::MalformedReply, FailureReason::WrongAccount];
                assert!(!is_whole || of_content.contains(&failure.reason), "{failure:?}: {reply:?}");
                check_failure(failure, reply, target);
            }
        }
        check_events(outcome, Snapshot::new(Arc::clone(&self.fleet), now()), id);
    }
}

fn now() -> Timestamp {
    NOW.parse().expect("a time")
}

/// The states are of the closed set, and those that the body tells.
fn check_reading(reading: &Reading, reply: &Reply, target: &Target) {
    let mut resources = BTreeSet::new();
    assert!(!reading.resources.is_empty(), "a reading of nothing");
    for one in &reading.resources {
        assert!(target.probe.resources().contains(&one.resource), "{one:?}");
        assert!(one.resource.statuses().contains(&one.status), "{one:?}");
        assert!(resources.insert(one.resource), "twice: {reading:?}");
        assert_eq!(one.text().is_some(), one.status == Status::Unknown, "{one:?}");
        assert!(
            [one.text(), one.error_message()].into_iter().flatten().all(|text| !text.is_empty()),
            "{one:?}"
        );
    }
    let first = &reading.resources[0];
    if [Status::NotRegistered, Status::NotLinked].contains(&first.status) {
        assert!(reply.status().is_some_and(|status| status >= 300), "{reply:?}");
        assert_eq!((&reading.details, reading.resources.len()), (&Details::None, 1));
        return;
    }
    assert!(reply.status().is_some_and(|status| status < 300), "{reply:?}");
    let Ok(body) = serde_json::from_slice::<Value>(reply.body()) else { return };
    let state = first.text().unwrap_or(first.status.as_str());
    match &reading.details {
        Details::GovCloud(details) => {
            assert_eq!(body["AccountState"], state);
            assert_eq!(body["GovCloudAccountId"], *details.govcloud_account_id);
        }
        _ => {
            assert_eq!(
                (&body["customerAccountId"], &body["accountStatus"]),
                (&ACCOUNT.into(), &state.into())
            );
            assert!(reading.created_at.is_some_and(|time| time > Timestamp::UNIX_EPOCH));
            assert!(reading.modified_at.is_some_and(|time| time > Timestamp::UNIX_EPOCH));
        }
    }
}

/// A failure fits on a line, gives nothing away, and makes nobody wait for long.
fn check_failure(failure: &Failure, reply: &Reply, target: &Target) {
    let message = &failure.message;
    assert!(!message.is_empty() && !message.contains('\n') && message.len() <= 1000, "{message:?}");
    if let Reply::Whole { status: 200..=299, headers, .. } = reply {
        let is_of_header = headers.iter().any(|(_, value)| value.contains(SECRET));
        assert!(is_of_header || !message.contains(SECRET), "{message:?}");
    }
    let now = Instant::now();
    let interval = target.polling.interval;
    let mut rng = fastrand::Rng::with_seed(0);
    let again = Cadence::new(target, now).after_failure(failure, &mut None, now, interval, &mut rng);
    assert!(again <= now + interval, "{failure:?}");
    let mut pace = Pace::new(1.0, now, 0);
    let permit = pace.start(now);
    pace.finish(permit, Answer::of::<()>(&Err(failure.clone())), now);
    assert!(pace.backoff_until().is_none_or(|until| until <= now + LONGEST_WAIT), "{failure:?}");
}

/// What was heard can be told.
fn check_events(outcome: Result<Reading, Failure>, mut snapshot: Snapshot, id: TargetId) {
    let poll = Poll {
        target: id,
        attempted_at: now(),
        next_poll: now(),
        lag: Duration::ZERO,
        duration: Duration::ZERO,
        outcome,
    };
    let target = snapshot.fleet.target(id).clone();
    let state = Arc::make_mut(&mut snapshot.targets[id.0 as usize]);
    for (sequence, transition) in (1..).zip(state.record(poll)) {
        let details = state.details.clone();
        let event = Event::new(&target, transition, &details);
        let told = serde_json::to_string(&CloudEvent::from(&Entry { sequence, event })).expect("JSON");
        assert!(serde_json::from_str::<Value>(&told).expect("JSON")["data"]["to"].is_string(), "{told}");
    }
}
