//! A way to a server that can be cut, stalled and slowed down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It goes through, each piece late by so much.
    Open(Duration),
    /// It waits, and nobody is told.
    Stalled,
}

#[derive(Clone, Copy, Debug)]
struct State {
    way: Way,
    /// How often all connections were cut.
    cuts: u32,
    /// Whether no new connections are let in.
    is_closed: bool,
    /// How many were not.
    turned_away: u32,
}

/// A proxy at work, gone with its value.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    _listening: JoinSet<()>,
}

impl Proxy {
    /// Listens on a port of its own, and leads to another on this host.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let open = State { way: Way::Open(Duration::ZERO), cuts: 0, is_closed: false, turned_away: 0 };
        let state = Arc::new(watch::Sender::new(open));
        let mut listening = JoinSet::new();
        let sender = Arc::clone(&state);
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let state = sender.subscribe();
                // Whoever comes meanwhile finds the door shut at once.
                let is_closed = state.borrow().is_closed;
                if is_closed {
                    sender.send_modify(|state| state.turned_away += 1);
                } else {
                    connections.spawn(lead(client, port, state));
                }
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, state, _listening: listening }
    }

    /// Ends all connections at once, without a word; new ones are let in.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Ends all connections, and lets none in until it is [opened](Self::open).
    pub(crate) fn close(&self) {
        self.state.send_modify(|state| {
            state.cuts += 1;
            state.is_closed = true;
        });
    }

    /// Waits until it has turned so many away.
    pub(crate) async fn has_turned_away(&self, times: u32) {
        let mut state = self.state.subscribe();
        state.wait_for(|state| state.turned_away >= times).await.expect("its sender is here");
    }

    /// Lets nothing through until it is opened. What is sent waits, and so does whoever connects.
    pub(crate) fn stall(&self) {
        self.state.send_modify(|state| state.way = Way::Stalled);
    }

    /// Lets everything through, each piece so late.
    pub(crate) fn delay(&self, by: Duration) {
        self.state.send_modify(|state| state.way = Way::Open(by));
    }

    /// Lets everything through at once.
    pub(crate) fn open(&self) {
        self.state.send_modify(|state| {
            state.way = Way::Open(Duration::ZERO);
            state.is_closed = false;
        });
    }
}

/// Leads a connection to the server until either end closes it, or it is cut.
async fn lead(client: TcpStream, port: u16, mut state: watch::Receiver<State>) {
    let cuts = state.borrow().cuts;
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let is_cut = state.clone();
    tokio::select! {
        () = carry(from_client, to_server, is_cut.clone()) => {}
        () = carry(from_server, to_client, is_cut) => {}
        _ = state.wait_for(|state| state.cuts != cuts) => {}
    }
}

/// Carries what comes in one direction.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut piece = vec![0; 65536];
    loop {
        let Ok(length @ 1..) = from.read(&mut piece).await else { return };
        let way = state.wait_for(|state| state.way != Way::Stalled).await.map(|state| state.way);
        let Ok(Way::Open(delay)) = way else { return };
        sleep(delay).await;
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
