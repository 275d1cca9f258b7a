//! Somebody who asks a real server, one request after the other, on a connection that stays open.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use regwatch::http::{Door, Limits};
use regwatch::model::{Event, Fleet, Snapshot, Status};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::event::{append, became};
use crate::server::Running;
use crate::snapshot::rich;

const PATIENCE: Duration = Duration::from_secs(90);

thread_local! {
    /// A server takes longer to start than to answer a thousand requests, so there is one a thread.
    static STAGE: RefCell<(Runtime, Option<Visitor>)> = RefCell::new((
        Builder::new_current_thread().enable_all().build().expect("a runtime"),
        None,
    ));
}

/// A server and an open connection to it.
pub(super) struct Visitor {
    running: Running,
    connection: Option<TcpStream>,
}

/// What the server said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    /// Empty for a stream of events.
    pub(super) body: Vec<u8>,
}

impl Visitor {
    /// Lets a visitor do something. The server runs as long.
    pub(super) fn with(visit: impl AsyncFnOnce(&mut Self)) {
        STAGE.with_borrow_mut(|(runtime, visitor)| {
            runtime.block_on(async {
                if visitor.is_none() {
                    *visitor = Some(Self::at(Door::default()).await);
                }
                visit(visitor.as_mut().expect("it was put there")).await;
            });
        });
    }

    /// The same with a server of its own, behind a door.
    pub(super) fn before(door: Door, visit: impl AsyncFnOnce(&mut Self)) {
        STAGE.with_borrow_mut(|(runtime, _)| {
            runtime.block_on(async { visit(&mut Self::at(door).await).await });
        });
    }

    async fn at(door: Door) -> Self {
        let snapshot = rich();
        let running = Running::start_behind(door, Arc::clone(&snapshot), Limits::default(), PATIENCE).await;
        append(&running.view.store, events(&snapshot.fleet)).await;
        Self { running, connection: None }
    }

    /// Has the server show something else.
    pub(super) fn show(&self, snapshot: Arc<Snapshot>) {
        self.running.snapshot.send_replace(snapshot);
    }

    /// Asks for a request target.
    pub(super) async fn get(&mut self, target: &[u8]) -> Answer {
        self.ask(target, &[]).await
    }

    /// Asks for a request target, with header lines.
    pub(super) async fn ask(&mut self, target: &[u8], headers: &[u8]) -> Answer {
        let request = [b"GET ", target, b" HTTP/1.1\r\nHost: x\r\n", headers, b"\r\n"].concat();
        let asking = async {
            loop {
                let is_fresh = self.connection.is_none();
                let mut stream = match self.connection.take() {
                    Some(stream) => stream,
                    None => TcpStream::connect(self.running.address).await.expect("a connection"),
                };
                match exchange(&mut stream, &request).await {
                    Some((answer, stays_open)) => {
                        self.connection = stays_open.then_some(stream);
                        return answer;
                    }
                    // The server may close a connection that has been open for long.
                    None => assert!(!is_fresh, "no answer to {}", String::from_utf8_lossy(&request)),
                }
            }
        };
        timeout(PATIENCE, asking).await.expect("an answer, soon")
    }
}

/// Something of everything.
fn events(fleet: &Fleet) -> Vec<Event> {
    let states =
        [Status::RegistrationFailure, Status::RegistrationSuccess, Status::Suspended, Status::Unknown];
    let event = |number: usize| {
        let (target, state) = (number % fleet.targets.len(), number % states.len());
        became(&fleet.targets[target], states[state], &format!("11:{number:02}:00"))
    };
    (0..30).map(event).collect()
}

/// The answer to a request, and whether another may follow; `None` if there is none.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Option<(Answer, bool)> {
    stream.write_all(request).await.ok()?;
    let mut read = Vec::new();
    loop {
        if let Some(answer) = Answer::read(&read) {
            return Some(answer);
        }
        match stream.read_buf(&mut read).await {
            Ok(more) if more > 0 => {}
            _ => return None,
        }
    }
}

impl Answer {
    /// The whole answer, and whether another may follow; `None` as long as something is missing.
    fn read(bytes: &[u8]) -> Option<(Self, bool)> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).expect("headers are ASCII").to_lowercase();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let content_type = field("content-type: ").to_owned();
        let rest = &bytes[end + 4..];
        let body = if content_type == "text/event-stream" {
            Vec::new()
        } else if let Ok(length) = field("content-length: ").parse::<usize>() {
            rest.get(..length)?.to_vec()
        } else {
            rest.ends_with(b"0\r\n\r\n").then(|| rest.to_vec())?
        };
        let status = head.strip_prefix("http/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let stays_open = field("connection: ") != "close" && content_type != "text/event-stream";
        Some((Self { status: status.expect("a status"), content_type, body }, stays_open))
    }

    /// The JSON of an answer with this status.
    pub(super) fn json(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!((self.status, &*self.content_type), (status, "application/json"), "{text}");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The names of the parameters that a problem of this status finds wrong, where they were given.
    pub(super) fn problem(&self, status: u16) -> Vec<(String, String)> {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!((self.status, &*self.content_type), (status, "application/problem+json"), "{text}");
        let problem: Value = serde_json::from_slice(&self.body).expect("JSON");
        let word = |value: &Value| value.as_str().filter(|word| !word.is_empty()).expect("a text").to_owned();
        assert_eq!((word(&problem["type"]), &problem["status"]), ("about:blank".to_owned(), &status.into()));
        let _ = (word(&problem["title"]), word(&problem["detail"]));
        let errors = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let named = errors.iter().map(|error| {
            let _ = word(&error["detail"]);
            (word(&error["in"]), error["parameter"].as_str().expect("a name").to_owned())
        });
        named.collect()
    }
}
