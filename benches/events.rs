//! What events cost: `cargo bench --bench events`.
//!
//! It prints how many events a second reach the store, and how many are then delivered to a receiver on
//! loopback; and how often a tracker writes while nothing changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use jiff::Timestamp;
use regwatch::clock::Clock;
use regwatch::config::Config;
use regwatch::liveness::Liveness;
use regwatch::metrics::Metrics;
use regwatch::model::{
    Account, Caller, Details, Event, Fleet, Generation, Pacing, Poll, Polling, Probe, Reading, Region,
    Report, Resource, ResourceReading, Scope, ScopeId, Service, Snapshot, Status, Target, TargetId,
    Transition, TransitionKind,
};
use regwatch::sink::{Sink, Webhook};
use regwatch::store::{Batch, Committed, Ledger, Store, StoreError};
use regwatch::tracker::Tracker;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const EVENTS: usize = 20_000;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    for size in [1, 10, 100, 1000] {
        let path = folder.path().join(format!("batches-of-{size}.db"));
        let store = open(&path).await;
        let count = if size == 1 { EVENTS / 10 } else { EVENTS };
        let rate = persist(&store, count, size).await;
        println!("persisted in transactions of {size:>4}: {rate:>7.0} events/s");
        store.close().await;
    }
    println!("delivered to a receiver on loopback: {:>7.0} events/s", deliver(folder.path()).await);
    quiet_polls(folder.path()).await;
}

fn config(path: &Path, receiver: &str) -> Config {
    let yaml = format!(
        "store: {{path: '{}'}}
events: {{webhooks: [{{name: receiver, url: '{receiver}', on: {{kinds: [first_seen, changed]}}}}]}}
identities: {{hub: {{}}}}
accounts: [{{id: '111122223333', govcloud: {{identity: hub}}}}]\n",
        path.display()
    );
    Config::parse("bench.yaml", &yaml).expect("a sound configuration").0
}

async fn open(path: &Path) -> Store {
    Store::open(&config(path, "http://127.0.0.1:9/").store).await.expect("a store")
}

/// Events a second that reach the store when so many go in one transaction.
async fn persist(store: &Store, count: usize, size: usize) -> f64 {
    let target = target(0);
    let began = Instant::now();
    for _ in 0..count / size {
        let events = (0..size).map(|_| event(&target)).collect();
        store.commit(Arc::new(vec![Batch { events, ..Batch::default() }])).await.expect("written");
    }
    count as f64 / began.elapsed().as_secs_f64()
}

/// Events a second from the store to a receiver that takes each.
async fn deliver(folder: &Path) -> f64 {
    let router = Router::new().route("/", post(async || ()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
    let config = config(&folder.join("delivered.db"), &url);
    let store = Store::open(&config.store).await.expect("a store");
    let settings = &config.webhooks[0];
    let webhook = Webhook::open(settings, Clock::System).expect("a webhook");
    let (name, on) = (settings.name.clone(), settings.on.clone());
    let sink = Sink::open(name, on, Arc::new(webhook), store.clone(), Clock::System).await.expect("a sink");
    let progress = sink.progress();
    persist(&store, EVENTS, 1000).await;
    let began = Instant::now();
    let draining = CancellationToken::new();
    draining.cancel();
    let (_held, no_changes) = mpsc::channel(1);
    sink.run(no_changes, draining).await;
    assert_eq!(progress.delivered(), EVENTS as u64);
    EVENTS as f64 / began.elapsed().as_secs_f64()
}

/// A store that counts the writes.
#[derive(Clone)]
struct Counted(Store, Arc<AtomicUsize>);

impl Ledger for Counted {
    async fn commit(&self, batches: Arc<Vec<Batch>>) -> Result<Committed, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.commit(batches).await
    }
}

/// A thousand targets that answer the same a hundred times each.
async fn quiet_polls(folder: &Path) {
    const TARGETS: u32 = 1000;
    const ROUNDS: u32 = 100;
    let fleet = Arc::new(Fleet {
        targets: (0..TARGETS).map(target).collect(),
        scopes: vec![Scope {
            service: Service::Account,
            caller: Caller::Identity("hub".into()),
            region: Region::new("us-east-1"),
            limit: 2.0,
            wanted: 1.0,
            targets: (0..TARGETS).map(TargetId).collect(),
        }],
        ..Fleet::default()
    });
    let writes = Arc::new(AtomicUsize::new(0));
    let ledger = Counted(open(&folder.join("quiet.db")).await, writes.clone());
    let snapshot = Snapshot::new(fleet, now());
    let (metrics, liveness) = (Arc::new(Metrics::new()), Arc::new(Liveness::new()));
    let (tracker, _look) = Tracker::new(snapshot, ledger, metrics, &liveness);
    let (reports, received) = mpsc::channel(1024);
    let mut tasks = JoinSet::new();
    let (_held, adoptions) = mpsc::channel(1);
    tasks.spawn(tracker.run(received, adoptions));
    for target in 0..TARGETS {
        reports.send(polled(target)).await.expect("the tracker runs");
    }
    // Until what was seen first is in the store.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = writes.load(Ordering::Relaxed);
    let began = Instant::now();
    for _ in 0..ROUNDS {
        for target in 0..TARGETS {
            reports.send(polled(target)).await.expect("the tracker runs");
        }
    }
    let (polls, took) = (TARGETS * ROUNDS, began.elapsed());
    let quiet = writes.load(Ordering::Relaxed) - before;
    println!("{polls} polls with nothing new: {quiet} writes to the store, in {took:.2?}");
    drop(reports);
    while tasks.join_next().await.is_some() {}
    let last = writes.load(Ordering::Relaxed) - before - quiet;
    println!("written at the end, that all of them had answered: {last}");
}

fn now() -> Timestamp {
    Clock::System.now()
}

fn target(number: u32) -> Target {
    let id = format!("{:012}", 100_000_000_000 + u64::from(number)).parse().expect("twelve digits");
    Target {
        account: Arc::new(Account { id, name: "fleet-prod".into(), labels: BTreeMap::new() }),
        probe: Probe::GovCloud,
        region: None,
        identity: "hub".into(),
        scope: ScopeId(0),
        polling: Arc::new(Polling {
            interval: Duration::from_secs(300),
            pending_interval: Duration::from_secs(15),
            failed_interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            stale_after: Duration::from_secs(900),
        }),
    }
}

fn event(target: &Target) -> Event {
    let transition = Transition {
        kind: TransitionKind::Changed,
        resource: Resource::GovCloudAccount,
        from: Some(Status::Active),
        to: Status::Suspended,
        text: None,
        error_message: None,
        previous_since: Some(now()),
        observed_at: now(),
        aws_modified_at: None,
    };
    Event::new(target, transition, &Details::None)
}

fn polled(target: u32) -> Report {
    let reading = Reading {
        resources: vec![ResourceReading::new(Resource::GovCloudAccount, Status::Active)],
        details: Details::None,
        created_at: None,
        modified_at: None,
    };
    let poll = Poll {
        target: TargetId(target),
        attempted_at: now(),
        next_poll: now(),
        lag: Duration::ZERO,
        duration: Duration::from_millis(20),
        outcome: Ok(reading),
    };
    Report::Polled { generation: Generation(0), poll, scope: ScopeId(0), pacing: Pacing::default() }
}
