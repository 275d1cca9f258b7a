//! What AWS Organizations replies while an organization is listed: it comes to whom the pages tell of, and
//! to nobody else, or to a failure. What is no page is never an empty one, and every list has an end.
//!
//! The first line of an input names the organization. Replies follow, apart by lines of `---`. Those to the
//! same call are given in their order, and from the first again when they are over, so that lists can go in
//! circles.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use jiff::Timestamp;
use regwatch::aws::{Aws, Broker};
use regwatch::clock::Clock;
use regwatch::config::{Config, Rosters};
use regwatch::discovery::{Discoverer, Outcome, Surroundings};
use regwatch::liveness::Liveness;
use regwatch::model::{Failure, Fleet, Listing, Region, Roster, Snapshot};
use regwatch::poller::{Assignment, Inheritance, Orders};
use regwatch::probe::AwsDirectory;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::fleet::check_pages;
use super::pages::{Asked, Call, Listed, Told, told};
use super::pocket::{Pocket, Reply, is_of_caller, paused};
use super::visitor::Visitor;
use crate::snapshot::NOW;

/// The organizations, by the name that an input calls them: the rules of each, and what they mean.
const ORGANIZATIONS: [(&str, &str, IsMeant); 3] = [
    ("all", "", |_| true),
    ("units", "include: [{ou: /Vehicles/Prod}], exclude: [{name: \"lab*\"}]", |account| {
        account.is_in_unit && !account.name.starts_with("lab")
    }),
    ("tags", "include: [{name: fleet}, {tags: {stage: prod}}]", |account| {
        let stage = || account.tags.as_ref().expect("nothing else decides").get("stage");
        account.name == "fleet" || stage().is_some_and(|stage| stage == "prod")
    }),
];

/// The unit that the rules name, from the root down.
const UNIT: [&str; 2] = ["Vehicles", "Prod"];

type IsMeant = fn(&Listed) -> bool;

/// More replies than that only make it slow.
const REPLIES: usize = 32;

/// How often a call is made at most before the listing has failed.
const TRIES: usize = 5;

/// The longest that a call waits because AWS says so.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Larger organizations are not asked to be shown.
const SHOWN: usize = 200;

/// Clients, and the organizations that they list.
struct Stage {
    runtime: Runtime,
    pocket: Pocket,
    aws: Aws,
    organizations: HashMap<&'static str, (Config, Arc<Fleet>, IsMeant)>,
}

thread_local! {
    static STAGE: Stage = Stage::new();
}

pub(crate) fn holds(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (name, rest) = input.split_at(end);
    let Some(script) = script(rest.get(1..).unwrap_or_default()) else { return };
    STAGE.with(|stage| {
        let name = std::str::from_utf8(name).unwrap_or_default();
        let Some((config, fleet, is_meant)) = stage.organizations.get(name) else { return };
        let log = Log::default();
        stage.pocket.fill(log.clone().keeping(script));
        let (Outcome { listing, .. }, waited) = stage.runtime.block_on(stage.list(config, fleet));
        let log = log.0.lock().expect("nobody panicked with it");
        let calls = u32::try_from(log.len()).expect("a few");
        assert!(waited <= LONGEST_WAIT * (calls + 1), "{calls} calls take {waited:?}");
        check(&listing, told(&log, &UNIT), *is_meant);
        if let Ok(listing) = listing
            && listing.accounts.len() <= SHOWN
        {
            show(config, &listing);
        }
    });
}

/// The replies to each call.
fn script(mut rest: &[u8]) -> Option<HashMap<Call, Vec<Reply>>> {
    let mut script = HashMap::<_, Vec<_>>::new();
    for number in 0.. {
        let end = rest.windows(5).position(|five| five == b"\n---\n");
        let (name, reply) = Reply::read(&rest[..end.unwrap_or(rest.len())])?;
        script.entry(Call::called(name)?).or_default().push(reply);
        let Some(end) = end.filter(|_| number < REPLIES) else { break };
        rest = &rest[end + 5..];
    }
    Some(script)
}

/// What was asked, and the answers.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Asked>>>);

impl Log {
    /// Answers by a script, and keeps what was asked.
    fn keeping(self, script: HashMap<Call, Vec<Reply>>) -> impl FnMut(&HttpRequest) -> Reply + Send {
        let most = most_calls(&script);
        let mut given = HashMap::<Call, usize>::new();
        move |request| {
            if is_of_caller(request) {
                return Reply::caller_identity("111122223333");
            }
            let (call, about, token) = Call::of(request);
            let number = given.entry(call).or_default();
            let reply = match script.get(&call) {
                Some(replies) => replies[*number % replies.len()].clone(),
                None => Reply::Unreachable,
            };
            *number += 1;
            let mut log = self.0.lock().expect("nobody panicked with it");
            log.push(Asked { call, about, token, reply: reply.clone() });
            assert!(log.len() <= most, "the listing has no end: it has asked {most} times");
            reply
        }
    }
}

/// Each page of each list, as often as it is tried: a list has a page for each token, and there is one list
/// of all accounts, one of the roots, two for each unit and one for each account.
fn most_calls(script: &HashMap<Call, Vec<Reply>>) -> usize {
    let replies = || script.values().flatten();
    let objects: usize =
        replies().map(|reply| reply.body().iter().filter(|byte| **byte == b'{').count()).sum();
    TRIES * (replies().count() + 1) * (2 + 2 * objects)
}

impl Stage {
    fn new() -> Self {
        let (runtime, pocket) = (paused(), Pocket::default());
        let aws = runtime.block_on(Aws::load(pocket.overrides(), 1));
        let organizations = ORGANIZATIONS.map(|(name, rules, is_meant)| {
            let text = format!(
                "{{identities: {{hub: {{}}}}, organizations: [{{identity: hub, govcloud: {{identity: hub}}, {rules}}}]}}"
            );
            let (config, _) = Config::parse("config.yaml", &text).expect("no mistake");
            let fleet = Arc::new(config.fleet(&Region::new("us-east-1")));
            (name, (config, fleet, is_meant))
        });
        Self { runtime, pocket, aws, organizations: organizations.into() }
    }

    /// What comes of listing an organization, and how long it took.
    async fn list(&self, config: &Config, fleet: &Arc<Fleet>) -> (Outcome, Duration) {
        let (reports, mut reported) = mpsc::channel(16);
        let (broker, cache) =
            Broker::new(self.aws.clone(), config, fleet, reports.clone(), Clock::System).await;
        let (outcomes, mut ended) = mpsc::channel(1);
        let (_adopt, adoptions) = mpsc::channel(1);
        let began = Instant::now();
        let around = Arc::new(Surroundings {
            directory: AwsDirectory::new(self.aws.clone(), cache),
            outcomes,
            reports,
            liveness: Arc::new(Liveness::new()),
            clock: Clock::System,
            anchor: began,
            held: None,
        });
        let assignment = Arc::new(Assignment {
            fleet: Arc::clone(fleet),
            succession: Arc::default(),
            redefined: Arc::default(),
            organizations: config.organizations.clone(),
            start_window: Duration::ZERO,
            inheritance: Inheritance::default(),
            held: mpsc::channel(1).0,
        });
        let orders = watch::Sender::new(Orders { assignment, is_settled: true });
        let scope = fleet.organizations[0].scope;
        let discoverer = Discoverer::new(around, orders.subscribe(), scope, 7);
        let outcome = tokio::select! {
            outcome = ended.recv() => outcome.expect("the loop is there"),
            _ = discoverer.run() => unreachable!("it runs while it can be given orders"),
            () = broker.run(adoptions, CancellationToken::new()) => unreachable!("it runs until it is told to stop"),
            () = async { while reported.recv().await.is_some() {} } => unreachable!("the loop is there"),
        };
        (outcome, began.elapsed())
    }
}

/// What came of it is what the pages tell.
fn check(listing: &Result<Listing, Failure>, told: Told, is_meant: IsMeant) {
    match (listing, told) {
        (Ok(listing), Told::Accounts(accounts)) => {
            let watchable = accounts.iter().filter(|account| !INACTIVE.contains(&&*account.state));
            let (active, unclear): (Vec<_>, Vec<_>) =
                watchable.filter(|account| is_meant(account)).partition(|account| account.state == "ACTIVE");
            let active: Vec<_> = active.iter().map(|account| (account.id, account.name.clone())).collect();
            let listed: Vec<_> =
                listing.accounts.iter().map(|(id, name)| (*id, name.as_ref().to_owned())).collect();
            assert_eq!(listed, active);
            let unclear: Vec<_> = unclear.iter().map(|account| account.id).collect();
            assert_eq!(listing.unclear.iter().copied().collect::<Vec<_>>(), unclear);
            if let Some(id) = listing.organization.as_deref() {
                let is_told = |account: &Listed| {
                    account.arn.as_ref().is_some_and(|arn| arn.split('/').any(|part| part == id))
                };
                assert!(accounts.iter().any(is_told), "{id}");
            }
        }
        (Ok(_), Told::Unread) => {}
        (Ok(listing), Told::Nothing(why)) => panic!("{why}, and yet it is {listing:?}"),
        (Ok(listing), Told::Part) => panic!("not all was asked for, and yet it is {listing:?}"),
        (Err(failure), told) => {
            let Failure { message, .. } = failure;
            assert!(!message.is_empty() && !message.contains('\n') && message.len() <= 1000, "{message:?}");
            // What the SDK cannot read, it refuses for reasons of its own.
            let is_unread = message.starts_with("HTTP status 2") || matches!(told, Told::Unread);
            assert!(is_unread || matches!(told, Told::Nothing(_)), "{failure:?}, and yet there is {told:?}");
        }
    }
}

/// Words for accounts that nobody can ask about.
const INACTIVE: [&str; 4] = ["PENDING_ACTIVATION", "SUSPENDED", "PENDING_CLOSURE", "CLOSED"];

/// Who was found can be watched, shown and paged through.
fn show(config: &Config, listing: &Listing) {
    let now: Timestamp = NOW.parse().expect("a time");
    let mut roster = Roster::default();
    assert_eq!(roster.take(listing, now).joined.len(), listing.accounts.len());
    assert!(roster.take(listing, now).is_empty(), "the same listing changes something");
    let rosters = Rosters::from([(Arc::clone(&config.organizations[0].name), roster)]);
    let fleet = Arc::new(config.fleet_with(&Region::new("us-east-1"), &rosters));
    assert_eq!(fleet.targets.len(), listing.accounts.len());
    Visitor::with(async |visitor| {
        visitor.show(Arc::new(Snapshot::new(Arc::clone(&fleet), now)));
        check_pages(visitor, &fleet).await;
        for path in ["/", "/scopes", "/metrics"] {
            assert_eq!(visitor.get(path.as_bytes()).await.status, 200, "{path}");
        }
        for target in fleet.targets.iter().take(3) {
            let path = format!("/api/v1/targets/{}/govcloud", target.account.id);
            let page = visitor.get(path.as_bytes()).await.json(200);
            assert_eq!(page["items"][0]["account_name"], *target.account.name);
        }
    });
}
