//! Whatever is asked in whatever form, there is an answer that is no fault of the server's, and the server
//! goes on.

mod corpus;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::subscriber::DefaultGuard;

use crate::door::{TLS, furnished, opened, user};
use crate::server::Running;
use crate::snapshot::rich;

const PATIENCE: Duration = Duration::from_secs(60);

/// How many requests there are of a sort.
const REQUESTS: usize = 1_000;

/// What neither the page nor the description of the API names.
const MORE_ROUTES: [&str; 8] =
    ["/style.css", "/-/healthy", "/-/ready", "/-/reload", "/api", "/api/", "/api/v1", "/favicon.ico"];

const METHODS: [&str; 9] = ["GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

/// What a placeholder of a path, or a parameter, is filled with.
const FILLINGS: [&str; 22] = [
    "",
    "0",
    "-1",
    "18446744073709551616",
    "111122223333",
    "000000000001",
    "fleetwise",
    "govcloud",
    "us-east-1",
    "REGISTRATION_FAILURE",
    "true",
    "1h",
    "2026-11-21T12:00:00Z",
    "9999-99-99",
    "%00",
    "%ff%fe",
    "%",
    "..",
    "%2e%2e%2f",
    "a,b",
    "';--",
    "<script>",
];

const PARAMETERS: [&str; 16] = [
    "account",
    "probe",
    "region",
    "resource",
    "status",
    "stale",
    "kind",
    "to",
    "since",
    "parked_by",
    "after",
    "limit",
    "q",
    "page",
    "sort",
    "",
];

const HEADERS: [&str; 17] = [
    "Accept",
    "Accept-Encoding",
    "Authorization",
    "Connection",
    "Content-Encoding",
    "Content-Type",
    "Cookie",
    "Expect",
    "Forwarded",
    "Host",
    "If-Modified-Since",
    "If-None-Match",
    "Last-Event-ID",
    "Origin",
    "Range",
    "TE",
    "Upgrade",
];

/// What says how long a request is; a wrong one ends it at once, so they are few.
const FRAMING: [&str; 2] = ["Content-Length", "Transfer-Encoding"];

/// What a path or a query may hold, and now and then what it may not.
const IN_URL: &str = "([A-Za-z0-9%._~!$&'()*+,;=:@-]{0,30}|[!-\"$->@-~]{0,4})";

/// A request before it is written.
#[derive(Clone, Debug)]
struct Asking {
    method: String,
    route: Index,
    fillings: Vec<String>,
    suffix: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Asking {
    fn any() -> impl Strategy<Value = Self> {
        let filling = || prop_oneof![4 => select(&FILLINGS[..]).prop_map(str::to_owned), 1 => IN_URL];
        let method = prop_oneof![9 => select(&METHODS[..]).prop_map(str::to_owned), 1 => "[A-Za-z!*-]{1,12}"];
        let suffix = prop_oneof![6 => Just(String::new()), 1 => IN_URL.prop_map(|text| format!("/{text}"))];
        let key = prop_oneof![6 => select(&PARAMETERS[..]).prop_map(str::to_owned), 1 => IN_URL];
        let name = prop_oneof![12 => select(&HEADERS[..]).prop_map(str::to_owned), 1 => select(&FRAMING[..]).prop_map(str::to_owned), 1 => "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}"];
        let value = prop_oneof![
            2 => filling().prop_map(String::into_bytes),
            1 => select(vec!["chunked", "gzip", "close", "100-continue", "text/event-stream", "h2c", "bytes=0-1", "Basic Og=="])
                .prop_map(|value| value.as_bytes().to_vec()),
            1 => prop::collection::vec(prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8], 0..60),
        ];
        (
            method,
            any::<Index>(),
            prop::collection::vec(filling(), 3),
            suffix,
            prop::collection::vec((key, filling()), 0..5),
            prop::collection::vec((name, value), 0..6),
            prop::collection::vec(any::<u8>(), 0..100),
        )
            .prop_map(|(method, route, fillings, suffix, query, headers, body)| Self {
                method,
                route,
                fillings,
                suffix,
                query,
                headers,
                body,
            })
    }

    /// The bytes of it.
    fn bytes(&self, routes: &[String]) -> Vec<u8> {
        let mut path = self.route.get(routes).clone() + &self.suffix;
        for filling in &self.fillings {
            if let Some((before, (_, after))) =
                path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
            {
                path = format!("{before}{filling}{after}");
            }
        }
        let query: Vec<_> = self.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let sign = if query.is_empty() { "" } else { "?" };
        let mut bytes =
            format!("{} {path}{sign}{} HTTP/1.1\r\nConnection: close\r\n", self.method, query.join("&"));
        if !self.body.is_empty() {
            bytes += &format!("Content-Length: {}\r\n", self.body.len());
        }
        let mut bytes = bytes.into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// Values of a strategy, one after the other.
fn drawn<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>, count: usize) -> impl Iterator<Item = T> {
    let mut runner = TestRunner::default();
    (0..count).map(move |_| strategy.new_tree(&mut runner).expect("nothing is filtered").current())
}

/// All routes: those of the API by its description, those that the page links to, and the rest.
async fn routes(running: &Running) -> Vec<String> {
    let (_, description) = running.get("/api/v1/openapi.json").await;
    let description: serde_json::Value = serde_json::from_str(&description).expect("JSON");
    let described = description["paths"].as_object().expect("paths").keys().cloned();
    let (_, page) = running.get("/").await;
    let linked = page.split("href=\"").skip(1).filter_map(|rest| rest.split(['"', '?', '#']).next());
    let linked = linked.filter(|link| link.starts_with('/')).map(str::to_owned);
    let mut routes: Vec<_> = described.chain(linked).chain(MORE_ROUTES.map(str::to_owned)).collect();
    routes.sort_unstable();
    routes.dedup();
    assert!(routes.len() > 12, "{routes:?}");
    routes
}

/// What the server's errors are written to; its tasks run in the test's own thread.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<u8>>>);

impl Errors {
    fn listen(&self) -> DefaultGuard {
        let errors = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::ERROR)
            .with_writer(move || errors.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// Asserts that nothing went wrong, a panic for instance.
    fn assert_none(&self) {
        let errors = self.0.lock().expect("nobody panicked with it");
        assert!(errors.is_empty(), "{}", String::from_utf8_lossy(&errors));
    }
}

impl Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked with it").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The status of an answer, once all of it is there that is to come.
async fn answer(running: &Running, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(running.address).await.expect("a connection");
    // A server that has made up its mind may close before it has everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    while !is_whole(&answer, request.starts_with(b"HEAD ")) {
        match timeout(PATIENCE, stream.read_buf(&mut answer)).await.expect("an answer, soon") {
            Ok(read) if read > 0 => {}
            _ => break,
        }
    }
    let head = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
    head.strip_prefix("HTTP/1.1 ").and_then(|status| status.parse().ok())
}

fn is_whole(answer: &[u8], is_head: bool) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let length =
        head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
    let is_stream = head.contains("text/event-stream");
    match length {
        _ if is_head || is_stream => true,
        Some(length) => answer.len() >= end + 4 + length,
        None => answer.ends_with(b"0\r\n\r\n"),
    }
}

#[tokio::test]
async fn every_route_has_an_answer_to_everything() {
    let errors = Errors::default();
    let _listening = errors.listen();
    let running = Running::start(rich()).await;
    let routes = routes(&running).await;
    let mut found = std::collections::BTreeMap::new();
    for asking in drawn(Asking::any(), REQUESTS) {
        let bytes = asking.bytes(&routes);
        let status = answer(&running, &bytes).await;
        let shown = || String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            status.is_some_and(|status| (200..500).contains(&status)),
            "{status:?}: {}\n{asking:?}",
            shown()
        );
        *found.entry(status).or_insert(0) += 1;
    }
    println!("{found:?}");
    assert!(found.len() > 3, "requests are of many sorts: {found:?}");
    assert_eq!(running.get("/-/healthy").await.0, 200);
    errors.assert_none();
}

#[tokio::test]
async fn no_request_finds_a_way_around_the_password() {
    let errors = Errors::default();
    let _listening = errors.listen();
    let (folder, _) = furnished(&format!("basic_auth_users:\n{}", user("scraper", "right")));
    let door = opened(folder.path(), true);
    let open = Running::start(rich()).await;
    let routes = routes(&open).await;
    let closed = Running::start_behind(door, rich(), regwatch::http::Limits::default(), PATIENCE).await;
    for asking in drawn(Asking::any(), REQUESTS) {
        let bytes = asking.bytes(&routes);
        let status = answer(&closed, &bytes).await;
        let is_health = bytes.split(|byte| *byte == b' ').nth(1).is_some_and(|path| path.starts_with(b"/-/"));
        assert!(
            matches!(status, Some(400 | 401 | 429 | 431)) || is_health,
            "{status:?}: {}\n{asking:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    assert_eq!(closed.get("/-/healthy").await.0, 200);
    errors.assert_none();
}

/// Sends bytes, and reads whatever comes until the server has had enough.
async fn provoke(running: &Running, bytes: &[u8]) {
    let mut stream = TcpStream::connect(running.address).await.expect("a connection");
    // The server may close at any byte.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end, soon");
}

#[tokio::test]
async fn bytes_without_form_end_their_own_connection_alone() {
    let errors = Errors::default();
    let _listening = errors.listen();
    let plain = Running::start(rich()).await;
    let routes = routes(&plain).await;
    let (folder, _): (TempDir, _) = furnished(TLS);
    let door = opened(folder.path(), false);
    let encrypted = Running::start_behind(door, rich(), regwatch::http::Limits::default(), PATIENCE).await;
    let junk = prop::collection::vec(any::<u8>(), 0..400);
    let damage = prop::collection::vec((any::<Index>(), any::<u8>()), 1..8);
    let lines = prop::collection::vec("[ -~]{0,20}(\r\n|\n|\r|\0)?", 0..8);
    for (junk, (asking, damage), lines) in drawn((junk, (Asking::any(), damage), lines), REQUESTS / 4) {
        let mut damaged = asking.bytes(&routes);
        for (at, byte) in damage {
            *at.get_mut(&mut damaged) = byte;
        }
        // A record of TLS with anything inside; and what begins like one.
        let size = u16::try_from(junk.len()).expect("a few hundred").to_be_bytes();
        let record = [&[0x16, 3, 1][..], &size, &junk].concat();
        for bytes in [&junk, &damaged, &lines.concat().into_bytes(), &record] {
            provoke(&plain, bytes).await;
            provoke(&encrypted, bytes).await;
        }
    }
    assert_eq!(plain.get("/-/healthy").await.0, 200);
    assert_eq!(encrypted.get("/-/healthy").await.0, 400, "it is told to speak TLS");
    errors.assert_none();
}
