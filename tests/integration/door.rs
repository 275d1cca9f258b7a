//! The door of the web server, on real sockets: who is let in, over what, and what changes while it runs.

mod hostile;
mod password;
mod reading;
mod tls;

use std::path::Path;
use std::time::Duration;

use regwatch::clock::Clock;
use regwatch::http::{Door, Limits};
use reqwest::{Certificate, Client, ClientBuilder, Identity};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::pki::{Authority, Pair};
use crate::server::Running;
use crate::snapshot::rich;

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(60);

/// TLS with the certificate that a [`House`] has.
pub(crate) const TLS: &str = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n";

/// A server behind a door, and its files.
struct House {
    folder: TempDir,
    authority: Authority,
    running: Running,
}

impl House {
    /// Starts a server with a web configuration; a certificate for localhost and the authority of clients
    /// (`client-ca.crt`) are there for it.
    async fn start(web: &str) -> Self {
        Self::start_with(web, false).await
    }

    async fn start_with(web: &str, open_health: bool) -> Self {
        let (folder, authority) = furnished(web);
        let door = opened(folder.path(), open_health);
        let running = Running::start_behind(door, rich(), Limits::default(), PATIENCE).await;
        Self { folder, authority, running }
    }

    /// Replaces the web configuration at once.
    fn write(&self, web: &str) {
        replace(self.folder.path(), "web.yaml", web);
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.running.address.port())
    }

    /// A client that trusts the house's authority, with a certificate of its own if there is one.
    fn client(&self, own: Option<&Pair>) -> Client {
        trusting(&self.authority, own).build().expect("a client")
    }

    /// Asks until an answer is as described, on a new connection each time.
    async fn until(&self, described: &str, ask: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !ask().await {
            assert!(began.elapsed() < PATIENCE, "never came true: {described}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A folder with a web configuration and what it may name.
pub(crate) fn furnished(web: &str) -> (TempDir, Authority) {
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new("an authority");
    authority.server().write(folder.path(), "server");
    replace(folder.path(), "client-ca.crt", &authority.pem);
    replace(folder.path(), "web.yaml", web);
    (folder, authority)
}

pub(crate) fn opened(folder: &Path, open_health: bool) -> Door {
    let door = Door::open(&folder.join("web.yaml"), open_health, Clock::System);
    door.unwrap_or_else(|error| panic!("{error}")).0
}

/// Puts a file in the place of another in one step.
fn replace(folder: &Path, name: &str, text: &str) {
    let new = folder.join("new");
    std::fs::write(&new, text).expect("it can be written");
    std::fs::rename(new, folder.join(name)).expect("it can be renamed");
}

pub(crate) fn trusting(authority: &Authority, own: Option<&Pair>) -> ClientBuilder {
    let root = Certificate::from_pem(authority.pem.as_bytes()).expect("a certificate");
    let client = Client::builder().no_proxy().no_gzip().tls_certs_only([root]);
    match own {
        Some(Pair { cert, key }) => {
            client.identity(Identity::from_pem(format!("{cert}{key}").as_bytes()).expect("a pair"))
        }
        None => client,
    }
}

/// A line for `basic_auth_users`, cheap to check.
pub(crate) fn user(name: &str, password: &str) -> String {
    format!("  {name}: {}\n", bcrypt::hash(password, 4).expect("a hash"))
}
