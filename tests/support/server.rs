//! A web server on a snapshot and an event log in memory, and how to ask it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use regwatch::clock::Clock;
use regwatch::http::{Door, Limits, Server, View};
use regwatch::liveness::Liveness;
use regwatch::metrics::Metrics;
use regwatch::model::Snapshot;
use reqwest::Client;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::event::memory;
use crate::snapshot::NOW;

/// Longer than anything takes here on a busy machine, shorter than the server's default patience.
pub(crate) const SOON: Duration = Duration::from_secs(8);

/// A server that runs, and the strings it hangs on.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) snapshot: watch::Sender<Arc<Snapshot>>,
    pub(crate) view: View,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinSet<()>,
}

impl Running {
    pub(crate) async fn start(snapshot: Arc<Snapshot>) -> Self {
        Self::start_with(snapshot, Limits::default(), SOON).await
    }

    pub(crate) async fn start_with(snapshot: Arc<Snapshot>, limits: Limits, grace: Duration) -> Self {
        Self::start_behind(Door::default(), snapshot, limits, grace).await
    }

    pub(crate) async fn start_behind(
        door: Door,
        snapshot: Arc<Snapshot>,
        limits: Limits,
        grace: Duration,
    ) -> Self {
        let (snapshot, latest) = watch::channel(snapshot);
        let view = View {
            snapshot: latest,
            whole: None,
            contact: None,
            metrics: Arc::new(Metrics::new().with_door(door.gauges())),
            liveness: Arc::new(Liveness::new()),
            store: memory().await,
            clock: Clock::starting_at(NOW.parse().expect("a time")),
            stopping: CancellationToken::new(),
            reload: None,
        };
        let server = Server::new(view.clone()).with_limits(limits).behind(Arc::new(door));
        Self::run(server, view, snapshot, grace, ([127, 0, 0, 1], 0).into())
    }

    /// Serves a view at an address.
    pub(crate) fn serve(
        view: View,
        snapshot: watch::Sender<Arc<Snapshot>>,
        limits: Limits,
        grace: Duration,
        address: SocketAddr,
    ) -> Self {
        let server = Server::new(view.clone()).with_limits(limits);
        Self::run(server, view, snapshot, grace, address)
    }

    fn run(
        server: Server,
        view: View,
        snapshot: watch::Sender<Arc<Snapshot>>,
        grace: Duration,
        address: SocketAddr,
    ) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let bound = server.bind(&[any, address]).expect("the port is free");
        let address = bound.local_addrs()[1];
        let shutdown = CancellationToken::new();
        let mut served = JoinSet::new();
        served.spawn(bound.serve(shutdown.clone().cancelled_owned(), grace));
        let client = Client::builder().no_proxy().no_gzip().build().expect("a client");
        Self { address, client, snapshot, view, shutdown, served }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(self.url(path)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    /// A connection whose peer takes in little at a time.
    pub(crate) async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        socket.connect(self.address).await.expect("a connection")
    }

    /// Waits until the server has ended by itself.
    pub(crate) async fn end(&mut self) {
        timeout(SOON, self.served.join_next()).await.expect("soon").expect("one").expect("no panic");
    }
}
