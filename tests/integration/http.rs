//! The web server on real sockets: what it answers, and whom it does not let stand in the way.

use std::sync::Arc;
use std::time::Duration;

use regwatch::http::{Limits, Server};
use regwatch::model::{Caller, Fleet, Probe, Snapshot, Status};
use reqwest::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Client, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::server::{Running, SOON};
use crate::snapshot::{account, at, record, registration, rich, scope, target};

/// Far shorter than the server's default patience.
const BRIEF: Duration = Duration::from_millis(300);

const SCRAPE: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: regwatch\r\n\r\n";

/// A page of some 6 MB: more than the kernel takes off the server's hands.
fn large() -> Arc<Snapshot> {
    many(1_500)
}

/// A page of so many targets, 4 KB each.
pub(crate) fn many(targets: u32) -> Arc<Snapshot> {
    let accounts: Vec<_> = (0..u64::from(targets)).map(|id| account(id, "large", &[])).collect();
    let fleet = Fleet {
        targets: accounts.iter().map(|account| target(account, Some("us-east-1"), 0)).collect(),
        scopes: vec![scope(Probe::FleetWise, Caller::Account(accounts[0].id), "us-east-1", &[0])],
        accounts,
        ..Fleet::default()
    };
    let mut snapshot = Snapshot::new(Arc::new(fleet), at("11:00:00"));
    for target in 0..targets {
        let success = Status::RegistrationSuccess;
        record(&mut snapshot, target, "11:59:00", Ok(registration(success, Some(success))));
    }
    Arc::new(snapshot)
}

/// Reads until the server closes the connection, and tells how much came.
async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A connection that the server gives up is reset rather than ended where bytes are under way.
    let _ = timeout(SOON, stream.read_to_end(&mut all)).await.expect("the server closes it soon");
    all
}

#[tokio::test]
async fn metrics_are_those_of_the_latest_snapshot() {
    let running = Running::start(rich()).await;
    let answer = running.client.get(running.url("/metrics")).send().await.expect("an answer");
    assert_eq!(answer.headers()[CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let page = answer.text().await.expect("text");
    let (state, _) =
        include_str!("metrics.prom").split_once("# HELP regwatch_event").expect("sinks come last");
    assert!(page.starts_with(state), "{page}");
    assert!(page.contains("\nprocess_open_fds "), "{page}");
    running.snapshot.send_replace(Arc::new(Snapshot::new(Arc::default(), at("11:00:00"))));
    let (status, page) = running.get("/metrics").await;
    assert_eq!((status, page.contains("aws_account_id=")), (200, false), "{page}");
}

#[tokio::test]
async fn metrics_are_compressed_when_asked() {
    let running = Running::start(large()).await;
    let plain = running.get("/metrics").await.1;
    let asking = running.client.get(running.url("/metrics")).header(ACCEPT_ENCODING, "gzip");
    let answer = asking.send().await.expect("an answer");
    assert_eq!(answer.headers()[CONTENT_ENCODING], "gzip");
    let packed = answer.bytes().await.expect("bytes");
    assert!(packed.len() * 10 < plain.len(), "{} of {} bytes", packed.len(), plain.len());
    let client = Client::builder().no_proxy().gzip(true).build().expect("a client");
    let unpacked =
        client.get(running.url("/metrics")).send().await.expect("an answer").text().await.expect("text");
    let state = |page: &str| page.split("# HELP process_").next().map(str::to_owned);
    assert!(state(&unpacked) == state(&plain));
}

#[tokio::test]
async fn every_page_answers_head_and_is_secured() {
    let running = Running::start(rich()).await;
    for path in ["/", "/style.css", "/metrics", "/-/healthy", "/nowhere"] {
        let get = running.client.get(running.url(path)).send().await.expect("an answer");
        let head = running.client.head(running.url(path)).send().await.expect("an answer");
        assert_eq!(
            (head.status(), &head.headers()[CONTENT_TYPE]),
            (get.status(), &get.headers()[CONTENT_TYPE])
        );
        for answer in [&get, &head] {
            let policy = answer.headers()["content-security-policy"].to_str().expect("text");
            assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
            assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        }
        assert_eq!(head.text().await.expect("no body"), "");
        assert_ne!(get.text().await.expect("a body"), "");
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_says_so() {
    let running = Running::start(rich()).await;
    let (status, text) = running.get("/metrics/").await;
    assert_eq!((status, text.as_str()), (404, "There is no such page; / tells what there is.\n"));
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let asking = running.client.request(method, running.url("/metrics")).body("x");
        let answer = asking.send().await.expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[ALLOW]),
            (405, &"GET,HEAD".parse().expect("text"))
        );
        assert_eq!(answer.text().await.expect("text"), "regwatch is read-only: it answers GET and HEAD.\n");
    }
}

#[tokio::test]
async fn readiness_counts_the_scopes_and_ends_with_the_shutdown() {
    let running = Running::start(rich()).await;
    assert_eq!(running.get("/-/healthy").await, (200, "regwatch is healthy\n".to_owned()));
    let all = "regwatch is ready: 5 of 5 quota scopes have been asked, or are known from before\n";
    assert_eq!(running.get("/-/ready").await, (200, all.to_owned()));
    running.snapshot.send_modify(|snapshot| {
        Arc::make_mut(snapshot).targets.iter_mut().for_each(|state| *state = Arc::default());
    });
    let text = "regwatch is not ready: 3 of 5 quota scopes have been asked, or are known from before\n";
    assert_eq!(running.get("/-/ready").await, (503, text.to_owned()));
    running.snapshot.send_modify(|snapshot| {
        for scope in Arc::make_mut(snapshot).scopes.iter_mut() {
            scope.attempted = true;
        }
    });
    assert_eq!(running.get("/-/ready").await, (200, all.to_owned()));
    running.view.stopping.cancel();
    assert_eq!(running.get("/-/ready").await, (503, "regwatch is shutting down\n".to_owned()));
    assert_eq!(running.get("/-/healthy").await.0, 200);
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_it() {
    let running = Running::start(rich()).await;
    let error = Server::new(running.view.clone()).bind(&[running.address]).expect_err("it is taken");
    assert_eq!(error.to_string(), format!("cannot listen on {}", running.address));
}

/// How one of the crowd takes up a connection.
#[derive(Clone, Copy)]
enum Manner {
    Silent,
    DripsItsRequest,
    DripsTheAnswer,
}

impl Manner {
    async fn live(self, mut stream: TcpStream, entered: mpsc::Sender<()>) {
        let begun = match self {
            Self::Silent => &b""[..],
            Self::DripsItsRequest => &SCRAPE[..9],
            Self::DripsTheAnswer => SCRAPE,
        };
        stream.write_all(begun).await.expect("room for a few bytes");
        entered.send(()).await.expect("they are counted");
        // What a reset connection has received can still be read: too little to take long.
        let mut piece = [0; 1_024];
        loop {
            let stays = match self {
                Self::Silent | Self::DripsTheAnswer => {
                    stream.read(&mut piece).await.is_ok_and(|read| read > 0)
                }
                Self::DripsItsRequest => stream.write_u8(b'x').await.is_ok(),
            };
            if !stays {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_idle_and_dripping_connections_do_not_keep_a_scrape_waiting() {
    // So patient that nobody is closed but for the place.
    let patient = Duration::from_secs(600);
    let limits = Limits { asking: patient, answering: patient, idle: patient, ..Limits::default() };
    let running = Running::start_with(large(), limits, BRIEF).await;
    let mut crowd = JoinSet::new();
    let (entered, mut entries) = mpsc::channel(1_000);
    for index in 0..1_000 {
        // More of each manner than half of the places.
        let manner = match index % 12 {
            0 => Manner::DripsTheAnswer,
            1..6 => Manner::DripsItsRequest,
            _ => Manner::Silent,
        };
        crowd.spawn(manner.live(running.connect().await, entered.clone()));
    }
    for _ in 0..1_000 {
        entries.recv().await.expect("all come");
    }
    while crowd.len() > limits.connections {
        timeout(SOON, crowd.join_next()).await.expect("soon").expect("one").expect("no panic");
    }
    for path in ["/metrics", "/-/healthy", "/metrics", "/"] {
        // Each on a connection of its own.
        let client = Client::builder().no_proxy().build().expect("a client");
        let asked = Instant::now();
        let answer =
            timeout(SOON, client.get(running.url(path)).send()).await.expect("soon").expect("an answer");
        assert_eq!(answer.status(), 200);
        timeout(SOON, answer.bytes()).await.expect("soon").expect("the whole of it");
        println!("{path} was answered in {:?}", asked.elapsed());
    }
    while crowd.try_join_next().is_some() {}
    assert!(crowd.len() > 100, "there is still a crowd, of {}", crowd.len());
}

#[tokio::test]
async fn who_dawdles_is_closed() {
    let limits = Limits { asking: BRIEF, answering: BRIEF, idle: BRIEF, ..Limits::default() };
    let running = Running::start_with(large(), limits, SOON).await;
    assert!(read_to_end(&mut running.connect().await).await.is_empty(), "never asked");

    let mut asking = running.connect().await;
    let begun = Instant::now();
    let mut sent = 0;
    while asking.write_all(b"G").await.is_ok() && begun.elapsed() < SOON {
        sent += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() < SOON, "{sent} bytes dripped in, each in time");

    let mut idle = running.connect().await;
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: regwatch\r\n\r\n").await.expect("room");
    assert!(read_to_end(&mut idle).await.ends_with(b"regwatch is healthy\n"));

    let mut reading = running.connect().await;
    reading.write_all(SCRAPE).await.expect("room");
    let begun = Instant::now();
    let mut piece = [0; 1_024];
    while reading.read(&mut piece).await.is_ok_and(|read| read > 0) && begun.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() < SOON, "it would have taken minutes");
}

#[tokio::test]
async fn a_connection_is_kept_between_scrapes() {
    let running = Running::start(rich()).await;
    let mut stream = running.connect().await;
    for _ in 0..3 {
        stream.write_all(b"HEAD /metrics HTTP/1.1\r\nHost: regwatch\r\n\r\n").await.expect("still open");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(SOON, stream.read_u8()).await.expect("soon").expect("an answer"));
        }
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test]
async fn an_answer_under_way_outlives_the_shutdown() {
    let mut running = Running::start(large()).await;
    let (mut silent, mut asking, mut reading) =
        (running.connect().await, running.connect().await, running.connect().await);
    asking.write_all(&SCRAPE[..9]).await.expect("room");
    reading.write_all(SCRAPE).await.expect("room");
    let mut begun = [0; 15];
    reading.read_exact(&mut begun).await.expect("the answer's first bytes");
    assert_eq!(&begun, b"HTTP/1.1 200 OK");
    running.shutdown.cancel();
    assert!(read_to_end(&mut silent).await.is_empty());
    assert!(read_to_end(&mut asking).await.is_empty());
    assert!(running.served.try_join_next().is_none(), "it waits for the answer");
    let answer = read_to_end(&mut reading).await;
    assert!(answer.ends_with(b"\r\n0\r\n\r\n"), "{} bytes, the last chunk among them", answer.len());
    running.end().await;
    TcpStream::connect(running.address).await.expect_err("nobody listens");
}

#[tokio::test]
async fn the_shutdown_does_not_wait_for_an_answer_without_end() {
    let mut running = Running::start_with(large(), Limits::default(), BRIEF).await;
    let mut reading = running.connect().await;
    reading.write_all(SCRAPE).await.expect("room");
    reading.read_u8().await.expect("the answer's first byte");
    running.shutdown.cancel();
    running.end().await;
    assert!(!read_to_end(&mut reading).await.ends_with(b"\r\n0\r\n\r\n"));
}
