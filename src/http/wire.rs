//! What a connection is made of: TCP as it comes, or TLS on top.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What somebody is told who speaks plain HTTP where TLS is spoken.
const NOT_TLS: &str = "HTTPS is spoken here, and this was plain HTTP; ask for an https:// URL.\n";

/// The most of a plain request that is read before it is told so.
const PLAIN_REQUEST: usize = 16 * 1024;

/// A connection's bytes.
#[derive(Debug)]
pub(super) enum Wire {
    /// As they come.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Shakes hands, if that is to be; `None` if the peer does not speak TLS and has been told so.
    ///
    /// # Errors
    /// If the handshake fails.
    pub(super) async fn open(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Option<Self>> {
        let Some(tls) = tls else { return Ok(Some(Self::Plain(stream))) };
        let mut first = [0];
        stream.peek(&mut first).await?;
        // Whatever a client of TLS begins with, it is no capital letter; every method of HTTP does.
        if first[0].is_ascii_uppercase() {
            turn_away(stream).await?;
            return Ok(None);
        }
        let stream = TlsAcceptor::from(tls).accept(stream).await?;
        Ok(Some(Self::Tls(Box::new(stream))))
    }

    /// The connection below.
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut dyn Bytes> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream),
        }
    }
}

trait Bytes: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Bytes for T {}

/// Answers a plain request. Its bytes are read, or closing would reset the answer.
async fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") && read.len() < PLAIN_REQUEST {
        if stream.read_buf(&mut read).await? == 0 {
            break;
        }
    }
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{NOT_TLS}",
        NOT_TLS.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        // Both kinds do.
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}
