//! One connection: after the handshake, if it is encrypted, hyper serves it, and two thin wrappers, around what it reads and writes and around
//! its answers, note what it is doing and since when. hyper has a timeout for a request's head, but
//! it runs while a connection idles as well, and none for writing an answer; so [`super::crowd`] keeps
//! all three by what is noted here.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body as AxumBody;
use axum::extract::Request;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::door::Peer;
use super::wire::Wire;

/// The most bytes of requests, and of answers not yet sent, that a connection keeps. A request's head
/// has to fit in; an answer is written on as the peer reads.
const BUFFER: usize = 64 * 1024;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A request is on its way in, or is the first that is waited for.
    Asking,
    /// A request is being answered.
    Answering,
    /// A request is being answered for as long as its peer likes: see [`Lasting`].
    Streaming,
    /// The end of the answer has been handed to hyper and is on its way out.
    LastBytes,
    /// The answer is out, and nothing of a next request is in.
    Idle,
}

impl Phase {
    /// Whether an answer is owed.
    pub(super) const fn is_answer(self) -> bool {
        matches!(self, Self::Answering | Self::Streaming | Self::LastBytes)
    }
}

/// What a connection is doing, and since when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doing {
    /// What it is.
    pub(super) phase: Phase,
    /// When it began.
    pub(super) since: Instant,
    /// From when on its patience counts: when it began, or for a stream when the connection last took
    /// some of it.
    pub(super) moved: Instant,
}

/// Marks an answer, as an extension, as one that has no end of its own. It may take for ever, as long as
/// the connection takes what there is of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lasting;

/// What a connection is doing: written by its task, read by the crowd. A lock, since the values change
/// together; it is held for a few instructions.
#[derive(Debug)]
pub(super) struct Activity(Mutex<Doing>);

impl Activity {
    /// Of a connection made just now.
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(Doing { phase: Phase::Asking, since: now, moved: now }))
    }

    pub(super) fn doing(&self) -> Doing {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a phase, if it is in one of those before.
    fn enter(&self, before: &[Phase], phase: Phase) {
        let mut activity = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if before.contains(&activity.phase) {
            // The last bytes belong to their answer, which they do not prolong.
            if phase != Phase::LastBytes {
                let now = Instant::now();
                (activity.since, activity.moved) = (now, now);
            }
            activity.phase = phase;
        }
    }

    /// Notes that a stream has moved on.
    fn moved(&self) {
        let mut activity = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if activity.phase == Phase::Streaming {
            activity.moved = Instant::now();
        }
    }
}

/// What a connection is served with.
#[derive(Debug)]
pub(super) struct Asked {
    /// What answers.
    pub(super) router: Router,
    /// Who is at the other end.
    pub(super) peer: SocketAddr,
    /// How it is encrypted; `None` if it is not.
    pub(super) tls: Option<Arc<ServerConfig>>,
}

/// Serves a connection until either side ends it; after `dispersing`, until the answer under way is
/// out.
pub(super) async fn serve(
    stream: TcpStream,
    Asked { router, peer, tls }: Asked,
    activity: Arc<Activity>,
    dispersing: CancellationToken,
) {
    // An answer's last, small packet should not wait for more to come. If it cannot be had, it waits.
    let _ = stream.set_nodelay(true);
    let stream = match Wire::open(stream, tls).await {
        Ok(Some(stream)) => stream,
        Ok(None) => return tracing::debug!(%peer, "a peer spoke plain HTTP where TLS is spoken"),
        Err(error) => return tracing::debug!(%peer, %error, "a TLS handshake failed"),
    };
    let io = TokioIo::new(Observed { stream, activity: activity.clone() });
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        activity.enter(&[Phase::Asking, Phase::LastBytes, Phase::Idle], Phase::Answering);
        let mut request = Request::from(request.map(AxumBody::new));
        request.extensions_mut().insert(Peer(peer));
        let (answer, activity) = (router.call(request), activity.clone());
        async move {
            let answer = answer.await?;
            if answer.extensions().get::<Lasting>().is_some() {
                activity.enter(&[Phase::Answering], Phase::Streaming);
            }
            Ok::<_, Infallible>(answer.map(|body| Answer { body, activity }))
        }
    });
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).max_buf_size(BUFFER);
    let mut connection = std::pin::pin!(http.serve_connection(io, service));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = dispersing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// A stream that notes when a request begins and when an answer is out. It is around TLS, so that a record
/// of TLS's own is no beginning of a request.
#[derive(Debug)]
struct Observed {
    stream: Wire,
    activity: Arc<Activity>,
}

impl Drop for Observed {
    /// An answer that is cut off is reset. A plain close would leave the kernel to send what it holds
    /// of it, for as long as the peer likes.
    fn drop(&mut self) {
        if self.activity.doing().phase.is_answer() {
            // If it cannot be had, the close is a plain one.
            let _ = self.stream.tcp().set_zero_linger();
        }
    }
}

impl AsyncRead for Observed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.enter(&[Phase::Idle], Phase::Asking);
        }
        read
    }
}

impl AsyncWrite for Observed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes the stream once all that it has to write is written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.activity.enter(&[Phase::LastBytes], Phase::Idle);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// An answer's body that notes when hyper has taken some of it, and when the last and lets it go.
#[derive(Debug)]
struct Answer {
    body: AxumBody,
    activity: Arc<Activity>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // hyper asks for more once there is room in what it has yet to write.
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.activity.moved();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.activity.enter(&[Phase::Answering, Phase::Streaming], Phase::LastBytes);
    }
}
