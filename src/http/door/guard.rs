//! Who is let in to an answer, and what every answer says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::Door;
use super::password::Credentials;

/// How long a request waits for its password to be checked while others are.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a browser is told to ask its user for. Source: RFC 7617, section 2.1.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"regwatch\", charset=\"UTF-8\"");

/// What orchestrators ask, which have no passwords.
const HEALTH: [&str; 2] = ["/-/healthy", "/-/ready"];

/// Who is at the other end; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Peer(pub(in crate::http) SocketAddr);

/// Why somebody is not let in.
enum Refusal {
    /// Without a name and a password, or with wrong ones.
    Unknown,
    /// Too many tried; how long to wait.
    TooMany(Duration),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Unknown => {
                let text = "This takes a user's name and password.\n";
                (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, CHALLENGE)], text).into_response()
            }
            Self::TooMany(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let text = "Too many wrong passwords were tried; wait a little.\n";
                let after = [(header::RETRY_AFTER, HeaderValue::from(seconds))];
                (StatusCode::TOO_MANY_REQUESTS, after, text).into_response()
            }
        }
    }
}

/// Lets a request in, or answers it.
pub(in crate::http) async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if door.open_health && HEALTH.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let Peer(peer) = *request.extensions().get().expect("each connection says who is there");
    let credentials = request.headers().get(header::AUTHORIZATION).and_then(Credentials::of);
    match door.admit(peer, credentials).await {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Puts the configured headers on an answer, in the place of regwatch's own.
pub(in crate::http) async fn dress(State(door): State<Arc<Door>>, mut response: Response) -> Response {
    let state = door.state.borrow().clone();
    state.dress(response.headers_mut());
    response
}

impl Door {
    async fn admit(&self, peer: SocketAddr, credentials: Option<Credentials>) -> Result<(), Refusal> {
        let users = Arc::clone(&self.state.borrow().users);
        if users.is_empty() {
            return Ok(());
        }
        let credentials = credentials.ok_or(Refusal::Unknown)?;
        if users.know(&credentials, Instant::now()) {
            return Ok(());
        }
        self.limiter.take(peer.ip(), Instant::now()).map_err(Refusal::TooMany)?;
        let give_back = || self.limiter.give_back(peer.ip(), Instant::now());
        let Ok(place) = timeout(PATIENCE, Arc::clone(&self.checks).acquire_owned()).await else {
            give_back();
            return Err(Refusal::TooMany(PATIENCE));
        };
        let place = place.expect("the places are never closed");
        // A browser comes with several requests at once; the first of them has been checked meanwhile.
        if users.know(&credentials, Instant::now()) {
            give_back();
            return Ok(());
        }
        let check = spawn_blocking(move || {
            // Held until the work is done, whether or not somebody still waits for it.
            let _place = place;
            users.check(&credentials, Instant::now())
        });
        if check.await.expect("checking a password does not panic") {
            give_back();
            return Ok(());
        }
        tracing::info!(%peer, "refused a wrong user name or password");
        Err(Refusal::Unknown)
    }
}
