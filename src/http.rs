//! The web server: what a scraper, an orchestrator and a person with a browser see.
//!
//! `Server` → `Bound` → `serve`, behind a [`Door`] that asks for what the web configuration says. Binding can
//! fail, and does so before anything else has started; serving ends only when it is told to. Whoever
//! connects may be slow, many, or hostile to the point of a thousand idle connections; `http/crowd.rs`
//! bounds what they can hold. HTTP/1.1 only: it is what scrapers speak, and its one answer at a time keeps
//! that bound simple.

mod anteroom;
mod api;
mod connection;
mod crowd;
mod door;
mod lifecycle;
mod page;
mod routes;
mod wire;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub use anteroom::Anteroom;
pub(crate) use api::Target;
pub use crowd::Limits;
pub use door::{Door, DoorError};

use crate::clock::Clock;
use crate::liveness::Liveness;
use crate::metrics::Metrics;
use crate::model::{Snapshot, Whole};
use crate::reload::Trigger;
use crate::store::{Contact, OutOfTouch, Store};
use crowd::Crowd;

/// How often overdue connections are looked for, and how long at most accepting rests after it failed.
const TICK: Duration = Duration::from_secs(1);

/// How often a trouble that lasts is said again.
const REMINDER: Duration = Duration::from_secs(60);

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: u32 = 1024;

/// How much of an answer the kernel takes off our hands, instead of up to 4 MB: a peer that asks and
/// does not read should not make us write that much. Over 100 ms of round trip it still lets 2 MB
/// pass each second, and a page of 10,000 targets is about that large when compressed.
const SEND_BUFFER: u32 = 192 * 1024;

/// All that a request may see. It looks, and asks for nothing but to have the configuration read anew.
#[derive(Clone, Debug)]
pub struct View {
    /// The latest of what is known of what this process watches.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// The same of the whole fleet, where several replicas share it: the pages and the API show that.
    pub whole: Option<watch::Receiver<Arc<Whole>>>,
    /// Whether this replica is in touch with the store, where several share it.
    pub contact: Option<Contact>,
    /// regwatch's own instruments.
    pub metrics: Arc<Metrics>,
    /// Whether the loops still turn.
    pub liveness: Arc<Liveness>,
    /// The event log.
    pub store: Store,
    /// Wall time.
    pub clock: Clock,
    /// Cancelled when the shutdown begins: from then on regwatch is not ready.
    pub stopping: CancellationToken,
    /// How a request has the configuration read anew; `None` where none may.
    pub reload: Option<Trigger>,
}

impl View {
    /// Why this replica asks nothing, if it is for the store. While it ends it is for that.
    fn out_of_touch(&self) -> Option<OutOfTouch> {
        let contact = self.contact.as_ref().filter(|_| !self.stopping.is_cancelled());
        contact?.check(Instant::now()).err()
    }

    /// The latest of what is known of the whole fleet.
    fn whole(&self) -> Whole {
        match &self.whole {
            Some(whole) => Whole::clone(&whole.borrow()),
            None => Whole::of_one(self.snapshot.borrow().clone()),
        }
    }
}

/// A server that has yet to be bound.
#[derive(Debug)]
pub struct Server {
    view: View,
    door: Arc<Door>,
    limits: Limits,
}

/// A server that has its addresses: connections queue up, and none is answered yet.
#[derive(Debug)]
pub struct Bound {
    listeners: Listeners,
    router: Router,
    door: Arc<Door>,
    limits: Limits,
}

/// Where connections come in.
#[derive(Debug)]
struct Listeners {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

/// An address could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl Server {
    /// A server that shows `view`.
    pub fn new(view: View) -> Self {
        Self { view, door: Arc::default(), limits: Limits::default() }
    }

    /// Holds its connections to other limits than the default ones.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Puts it behind a door.
    pub fn behind(self, door: Arc<Door>) -> Self {
        Self { door, ..self }
    }

    /// Listens on every one of the addresses.
    ///
    /// # Errors
    /// The first address that cannot be had.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(self, addresses: &[SocketAddr]) -> Result<Bound, BindError> {
        Ok(self.on(Listeners::bind(addresses)?))
    }

    /// Listens where somebody does already.
    fn on(self, listeners: Listeners) -> Bound {
        let Self { view, door, limits } = self;
        let router = routes::router(view, &door, limits.keep_alive);
        Bound { listeners, router, door, limits }
    }
}

impl Bound {
    /// Where it listens, in the order of the addresses given, port 0 replaced by the real one.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.listeners.addresses
    }

    /// Serves until `shutdown`, then closes the listeners and lets the answers that are under way
    /// finish for up to `grace`. Every connection has ended when this returns.
    pub async fn serve(self, shutdown: impl Future<Output = ()>, grace: Duration) {
        let Self { listeners, router, door, limits } = self;
        for address in &listeners.addresses {
            tracing::info!(%address, tls = door.is_encrypted(), "listening for HTTP");
        }
        let crowd = listeners.serve(router, door, limits, shutdown).await;
        drop(listeners);
        crowd.disperse(grace).await;
    }
}

impl Listeners {
    fn bind(addresses: &[SocketAddr]) -> Result<Self, BindError> {
        let mut listeners = Self { sockets: Vec::new(), addresses: Vec::new() };
        for &address in addresses {
            let refused = |source| BindError { address, source };
            let listener = listen(address).map_err(refused)?;
            listeners.addresses.push(listener.local_addr().map_err(refused)?);
            listeners.sockets.push(listener);
        }
        Ok(listeners)
    }

    /// Serves until `shutdown`. Who is connected then.
    async fn serve(
        &self,
        router: Router,
        door: Arc<Door>,
        limits: Limits,
        shutdown: impl Future<Output = ()>,
    ) -> Crowd {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut following = std::pin::pin!(Arc::clone(&door).follow());
        let mut crowd = Crowd::new(router, door, limits);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut turn = 0;
        let mut accepting = true;
        let mut said = None;
        loop {
            tokio::select! {
                () = &mut shutdown => return crowd,
                accepted = accept(&self.sockets, &mut turn), if accepting => match accepted {
                    Ok((stream, peer)) => crowd.admit(stream, peer),
                    Err(error) if is_of_one_peer(&error) => {}
                    Err(error) => {
                        if said.is_none_or(|said: Instant| said.elapsed() >= REMINDER) {
                            said = Some(Instant::now());
                            tracing::warn!(%error, "cannot accept all HTTP connections");
                        }
                        // Most likely there is no file descriptor left. Trying again at once would spin;
                        // once somebody has left there is one.
                        crowd.dismiss_one();
                        accepting = false;
                    }
                },
                () = crowd.one_left() => accepting = true,
                () = &mut following => unreachable!("it follows the files for ever"),
                _ = tick.tick() => {
                    crowd.dismiss_overdue(Instant::now());
                    accepting = true;
                }
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart need not wait until the last connections of the process before are forgotten.
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The next connection on any of the listeners. They take turns, so that a busy one does not hide
/// the others.
async fn accept(listeners: &[TcpListener], turn: &mut usize) -> io::Result<(TcpStream, SocketAddr)> {
    poll_fn(|context| {
        for _ in listeners {
            *turn = (*turn + 1) % listeners.len();
            if let Poll::Ready(accepted) = listeners[*turn].poll_accept(context) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    })
    .await
}

/// Whether accepting failed for the one connection only: it ended while it waited in the queue.
fn is_of_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
