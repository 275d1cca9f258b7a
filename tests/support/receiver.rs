//! Somebody who receives webhooks over HTTP, answers by a script, and keeps what it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers with a status, and a header where there is one.
    Status(u16, Option<(&'static str, String)>),
    /// Answers 200 with a body.
    Says(String),
    /// Takes it, and never answers.
    Hang,
    /// Takes it, and closes the connection in the middle of an answer.
    Cut,
    /// Answers 200, so much later.
    Slow(Duration),
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: Instant,
    pub(crate) line: String,
    /// By their names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    /// A header, or the empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

#[derive(Default)]
struct Shared {
    script: VecDeque<Reply>,
    requests: Vec<Request>,
}

/// A receiver at work.
pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
    _task: JoinSet<()>,
}

impl Receiver {
    /// One that does what the script says, request after request, and answers 200 then.
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::listening(TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port"), script)
    }

    /// The same, where a listener is.
    pub(crate) fn listening(listener: TcpListener, script: impl IntoIterator<Item = Reply>) -> Self {
        let url = format!("http://{}/hook", listener.local_addr().expect("it is bound"));
        let shared =
            Arc::new(Mutex::new(Shared { script: script.into_iter().collect(), requests: Vec::new() }));
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Arc::clone(&shared)));
        Self { url, shared, _task: task }
    }

    /// What it was sent.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.lock().expect("nobody panicked").requests.clone()
    }

    /// Waits until it was sent so many requests.
    pub(crate) async fn until(&self, count: usize) -> Vec<Request> {
        let began = Instant::now();
        loop {
            let requests = self.requests();
            if requests.len() >= count {
                return requests;
            }
            assert!(began.elapsed() < PATIENCE, "{} of {count} requests: {requests:#?}", requests.len());
            sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(BufReader::new(stream), Arc::clone(&shared)));
    }
}

/// Answers request after request on one connection, until either side has had enough.
async fn converse(mut stream: BufReader<TcpStream>, shared: Arc<Mutex<Shared>>) -> Option<()> {
    loop {
        let request = read(&mut stream).await?;
        let reply = {
            let mut shared = shared.lock().expect("nobody panicked");
            shared.requests.push(request);
            shared.script.pop_front().unwrap_or(Reply::Status(200, None))
        };
        let (status, header, body) = match reply {
            Reply::Status(status, header) => (status, header, String::new()),
            Reply::Says(body) => (200, None, body),
            Reply::Hang => std::future::pending().await,
            Reply::Cut => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").await.ok()?;
                return None;
            }
            Reply::Slow(delay) => {
                sleep(delay).await;
                (200, None, String::new())
            }
        };
        let header = header.map_or_else(String::new, |(name, value)| format!("{name}: {value}\r\n"));
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} So\r\n{header}Content-Length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// Reads a request whose length is told; `None` when the connection ends.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|&read| read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.remove(0);
    let headers: BTreeMap<_, _> = lines
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { at: Instant::now(), line, headers, body: String::from_utf8(body).expect("UTF-8") })
}
