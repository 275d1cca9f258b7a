//! `/api/v1/events/stream`.

use std::time::Duration;

use regwatch::http::Limits;
use regwatch::model::{Status, TargetId};
use regwatch::store::Store;
use reqwest::Response;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::event::{append, became};
use crate::server::{Running, SOON};
use crate::snapshot::rich;

const BRIEF: Duration = Duration::from_millis(300);

const STREAM: &[u8] = b"GET /api/v1/events/stream HTTP/1.1\r\nHost: regwatch\r\n\r\n";

/// Appends so many events of the target, each with this many letters from AWS.
async fn happen(store: &Store, target: u32, count: usize, letters: usize) {
    let snapshot = rich();
    let target = snapshot.fleet.target(TargetId(target));
    let event = || {
        let mut event = became(target, Status::RegistrationFailure, "11:00:01");
        event.transition.error_message = Some("x".repeat(letters).into());
        event
    };
    append(store, (0..count).map(|_| event()).collect()).await;
}

/// Somebody who reads a stream.
struct Listener {
    answer: Response,
    read: String,
}

impl Listener {
    async fn start(running: &Running, query: &str, last_event_id: Option<u64>) -> Self {
        let mut request = running.client.get(running.url(&format!("/api/v1/events/stream{query}")));
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let answer = request.header(ACCEPT_ENCODING, "gzip").send().await.expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[CONTENT_TYPE]),
            (200, &"text/event-stream".parse().expect("text"))
        );
        assert!(!answer.headers().contains_key(CONTENT_ENCODING));
        Self { answer, read: String::new() }
    }

    /// The next message, keep-alives included; `None` at the end in order.
    async fn message(&mut self) -> Option<String> {
        loop {
            if let Some((message, rest)) = self.read.split_once("\n\n") {
                let message = message.to_owned();
                self.read = rest.to_owned();
                return Some(message);
            }
            let chunk = timeout(SOON, self.answer.chunk()).await.expect("soon").expect("no cut")?;
            self.read += std::str::from_utf8(&chunk).expect("text");
        }
    }

    /// The sequence numbers of the next events, as told by their ids and their data.
    async fn events(&mut self, count: usize) -> Vec<u64> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let message = self.message().await.expect("it goes on");
            let lines: Vec<_> = message.lines().collect();
            let [id, kind, data] = lines[..] else { continue };
            assert_eq!(kind, "event: changed");
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
            assert_eq!(id, format!("id: {}", data["data"]["sequence"]));
            ids.push(data["data"]["sequence"].as_u64().expect("a number"));
        }
        ids
    }
}

#[tokio::test]
async fn it_begins_with_what_happens_from_now_on() {
    let running = Running::start(rich()).await;
    happen(&running.view.store, 0, 3, 0).await;
    let mut all = Listener::start(&running, "", None).await;
    let mut some = Listener::start(&running, "?probe=govcloud&to=REGISTRATION_FAILURE", None).await;
    assert_eq!(all.message().await.expect("a first one"), "id: 3\nretry: 2000");
    happen(&running.view.store, 0, 100, 0).await;
    happen(&running.view.store, 3, 1, 0).await;
    assert_eq!(all.events(101).await, (4..=104).collect::<Vec<_>>());
    assert_eq!(some.events(1).await, [104]);
}

#[tokio::test]
async fn it_goes_on_after_the_last_event_that_was_received() {
    let running = Running::start(rich()).await;
    happen(&running.view.store, 0, 200, 0).await;
    for (query, id, first) in [("?after=150", None, 151), ("", Some(120), 121), ("?after=3", Some(199), 200)]
    {
        let mut listener = Listener::start(&running, query, id).await;
        let count = 200 - first as usize + 1;
        assert_eq!(listener.events(count).await, (first..=200).collect::<Vec<_>>(), "{query} {id:?}");
        happen(&running.view.store, 3, 1, 0).await;
        let next = listener.events(1).await[0];
        assert!(next > 200, "{next}");
    }
    let mut of_another_log = Listener::start(&running, "", Some(5_000)).await;
    assert_eq!(of_another_log.events(2).await, [1, 2]);
}

#[tokio::test]
async fn silence_is_broken_by_comments() {
    let limits = Limits { keep_alive: Duration::from_millis(20), ..Limits::default() };
    let running = Running::start_with(rich(), limits, SOON).await;
    let mut listener = Listener::start(&running, "", None).await;
    assert_eq!(listener.message().await.expect("a first one"), "id: 0\nretry: 2000");
    for _ in 0..3 {
        assert_eq!(listener.message().await.expect("it goes on"), ":");
    }
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_others_do_not_notice() {
    let limits = Limits { streaming: BRIEF, keep_alive: BRIEF / 6, answering: BRIEF, ..Limits::default() };
    let running = Running::start_with(rich(), limits, SOON).await;
    let mut slow = running.connect().await;
    slow.write_all(STREAM).await.expect("room");
    slow.read_u8().await.expect("the answer's first byte");
    let mut healthy = Listener::start(&running, "", None).await;
    let begun = Instant::now();
    // 4 MB: more than kernel and server take off the sender's hands.
    happen(&running.view.store, 0, 400, 10_000).await;
    assert_eq!(healthy.events(400).await.last(), Some(&400));
    while slow.write_all(b"\n").await.is_ok() {
        assert!(begun.elapsed() < SOON, "it was not cut off");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() >= BRIEF, "it had its time");
    // Far longer than an answer may take that has an end.
    while begun.elapsed() < BRIEF * 4 {
        healthy.message().await.expect("it goes on");
    }
    happen(&running.view.store, 0, 1, 0).await;
    assert_eq!(healthy.events(1).await, [401]);
}

#[tokio::test]
async fn it_ends_in_order_with_the_daemon() {
    let mut running = Running::start(rich()).await;
    let mut listener = Listener::start(&running, "", None).await;
    happen(&running.view.store, 0, 500, 1_000).await;
    running.view.stopping.cancel();
    running.shutdown.cancel();
    assert_eq!(listener.events(500).await.last(), Some(&500));
    assert_eq!(listener.message().await, None);
    running.end().await;
}

async fn listen(mut stream: TcpStream) {
    stream.write_all(STREAM).await.expect("room");
    let mut piece = [0; 1_024];
    while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_do_not_keep_a_scrape_waiting() {
    let limits = Limits { keep_alive: Duration::from_millis(100), ..Limits::default() };
    let running = Running::start_with(rich(), limits, BRIEF).await;
    let mut streams = JoinSet::new();
    for _ in 0..1_000 {
        streams.spawn(listen(running.connect().await));
    }
    while streams.len() > limits.connections {
        timeout(SOON, streams.join_next()).await.expect("soon").expect("one").expect("no panic");
    }
    for _ in 0..20 {
        // As many as were cut off come again.
        for _ in 0..20 {
            streams.spawn(listen(running.connect().await));
        }
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(running.url("/metrics")).send();
        let answer = timeout(SOON, answer).await.expect("soon").expect("an answer");
        timeout(SOON, answer.bytes()).await.expect("soon").expect("the whole of it");
    }
    while streams.try_join_next().is_some() {}
    assert!(streams.len() > 50, "there are still streams: {}", streams.len());
}
