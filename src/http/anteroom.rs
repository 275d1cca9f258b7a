//! What is served while there is nothing to show yet: a process that waits for its store is alive, and not ready.
//! An orchestrator that could not ask would start it anew, less and less soon.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use super::door::{Door, guard};
use super::{BindError, Bound, Limits, Listeners, Server};

/// How long answers may take to end when the wait is over: they are a line long.
const GRACE: Duration = Duration::from_secs(1);

const NOT_READY: &str = "regwatch is not ready: its store cannot be used yet, and the log says why\n";

/// The addresses, before there is a server on them.
#[derive(Debug)]
pub struct Anteroom {
    listeners: Listeners,
    door: Arc<Door>,
}

impl Anteroom {
    /// Listens on every one of the addresses, behind a door.
    ///
    /// # Errors
    /// The first address that cannot be had.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(addresses: &[SocketAddr], door: Arc<Door>) -> Result<Self, BindError> {
        Ok(Self { listeners: Listeners::bind(addresses)?, door })
    }

    /// Says to whoever asks that there is nothing to see yet, until `wait` is over.
    pub async fn during<T>(&self, wait: impl Future<Output = T>) -> T {
        let is_over = CancellationToken::new();
        let door = Arc::clone(&self.door);
        let serve = self.listeners.serve(router(&door), door, Limits::default(), is_over.cancelled());
        let wait = async {
            let outcome = wait.await;
            is_over.cancel();
            outcome
        };
        let (crowd, outcome) = tokio::join!(serve, wait);
        crowd.disperse(GRACE).await;
        outcome
    }

    /// A server on these addresses.
    pub fn admit(self, server: Server) -> Bound {
        server.behind(self.door).on(self.listeners)
    }
}

fn router(door: &Arc<Door>) -> Router {
    Router::new()
        .route("/-/healthy", get(async || "regwatch is healthy\n"))
        .fallback(async || (StatusCode::SERVICE_UNAVAILABLE, NOT_READY))
        .layer(from_fn_with_state(Arc::clone(door), guard))
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn who_waits_is_alive_and_not_ready_and_keeps_its_address() {
        let any = "127.0.0.1:0".parse().unwrap();
        let anteroom = Anteroom::bind(&[any], Arc::default()).unwrap();
        let url = format!("http://{}", anteroom.listeners.addresses[0]);
        let (end, ended) = oneshot::channel();
        let asked = async {
            for (path, status, text) in [
                ("/-/healthy", StatusCode::OK, "regwatch is healthy\n"),
                ("/-/ready", StatusCode::SERVICE_UNAVAILABLE, NOT_READY),
                ("/metrics", StatusCode::SERVICE_UNAVAILABLE, NOT_READY),
            ] {
                let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
                assert_eq!(answer.status(), status, "{path}");
                assert_eq!(answer.text().await.unwrap(), text, "{path}");
            }
            end.send("it is open").unwrap();
        };
        let (outcome, ()) = tokio::join!(anteroom.during(ended), asked);
        assert_eq!(outcome, Ok("it is open"));
        assert!(tokio::net::TcpStream::connect(anteroom.listeners.addresses[0]).await.is_ok());
    }
}
