//! The HTTP server around the simulation.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::exchange::{Delivery, answer};
use super::reply::Reply;
use super::shared::Shared;
use super::{Control, World};

/// No request of the simulated operations comes near it.
const LONGEST_BODY: usize = 64 * 1024;

/// How long to wait before accepting again when the machine has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long after half of an answer its connection is cut: by then a busy machine has sent that half.
const CUT_AFTER: Duration = Duration::from_millis(50);

/// A simulated AWS that listens, and does not answer yet.
#[derive(Debug)]
pub struct Sim {
    listener: TcpListener,
    addr: SocketAddr,
    shared: Arc<Shared>,
}

impl Sim {
    /// Listens for calls to a world. Its time starts now.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn bind(world: World, addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr, shared: Arc::new(Shared::new(world)) })
    }

    /// The address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The endpoint of every service: the value for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// A handle to look at it and to change it while it runs.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.shared))
    }

    /// Answers until told to stop; then every connection ends at once, as if the machine had gone.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                stream = accept(&self.listener) => {
                    connections.spawn(serve(stream, Arc::clone(&self.shared)));
                }
                Some(ended) = connections.join_next() => {
                    // A panic while answering is a mistake in the simulation: never a quiet one.
                    if let Err(error) = ended && let Ok(panic) = error.try_into_panic() {
                        resume_unwind(panic);
                    }
                }
            }
        }
        connections.shutdown().await;
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "the simulated AWS cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Without it a small answer may wait 40 ms for an acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(|request| respond(Arc::clone(&shared), request));
    // A connection may end as it likes: clients go away, and faults cut it.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The connection ends here, on purpose or because the request could not be read.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection ends here")]
struct End;

async fn respond(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, End>>, End> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LONGEST_BODY).collect().await.map_err(|_| End)?.to_bytes();
    let (reply, delivery, number) = answer(&shared, &parts, &body);
    match delivery {
        Delivery::Never => pending().await,
        Delivery::Disconnect => return Err(End),
        Delivery::After(by) => sleep(by).await,
        Delivery::Whole | Delivery::Drip(_) | Delivery::Cut => {}
    }
    if let Some(number) = number {
        let now = shared.now();
        shared.state().record.answered(number, now);
    }
    let mut head = Response::builder()
        .status(reply.status)
        .header(CONTENT_TYPE, reply.content_type)
        .header(CONTENT_LENGTH, reply.body.len())
        .header("x-amzn-RequestId", &reply.request_id);
    if let Some(error_type) = &reply.error_type {
        head = head.header("x-amzn-ErrorType", error_type);
    }
    if let Some(seconds) = reply.retry_after {
        head = head.header(RETRY_AFTER, seconds);
    }
    Ok(head.body(delivered(reply, delivery)).expect("every header is made of visible ASCII"))
}

/// The body; its length is that of the whole reply, however much of it comes.
fn delivered(reply: Reply, delivery: Delivery) -> UnsyncBoxBody<Bytes, End> {
    let body = reply.body;
    match delivery {
        Delivery::Drip(pause) => {
            let drops = stream::unfold(body, move |mut rest| async move {
                let drop = (!rest.is_empty()).then(|| rest.split_to(1))?;
                sleep(pause).await;
                Some((Ok(Frame::data(drop)), rest))
            });
            StreamBody::new(drops).boxed_unsync()
        }
        Delivery::Cut => {
            let half = body.slice(..body.len() / 2);
            let parts = stream::unfold(Some(half), |half| async move {
                match half {
                    Some(half) => Some((Ok(Frame::data(half)), None)),
                    None => {
                        // What came before is sent while this waits, and not dropped with the connection.
                        sleep(CUT_AFTER).await;
                        Some((Err(End), None))
                    }
                }
            });
            StreamBody::new(parts).boxed_unsync()
        }
        Delivery::Whole | Delivery::After(_) | Delivery::Disconnect | Delivery::Never => {
            Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()
        }
    }
}
