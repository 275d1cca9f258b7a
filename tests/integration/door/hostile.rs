//! Many who hold connections and give nothing: they do not keep a scrape waiting.

use std::time::Duration;

use regwatch::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use super::tls::{connector, localhost};
use super::{TLS, furnished, opened, trusting};
use crate::http::many;
use crate::server::Running;

/// What they get: long enough for a machine that stands still now and then.
const PATIENCE: Duration = Duration::from_secs(300);

/// How many they are.
const CROWD: usize = 500;

/// How many targets are on the page.
const TARGETS: u32 = 10_000;

const SCRAPE: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: regwatch\r\n\r\n";

/// The first message of a handshake.
fn hello(tls: &TlsConnector) -> Vec<u8> {
    let mut hello = Vec::new();
    let mut session = rustls::ClientConnection::new(tls.config().clone(), localhost()).expect("a session");
    session.write_tls(&mut hello).expect("a vector has room");
    hello
}

/// Holds a connection in one of five manners until the server ends it.
async fn hold(manner: usize, mut stream: TcpStream, tls: TlsConnector, entered: mpsc::Sender<()>) {
    let mut piece = [0; 256];
    match manner {
        // Says nothing; or stops in the middle of its hello; or after it, with all that the server says to it.
        0..=2 => {
            let hello = hello(&tls);
            stream.write_all(&hello[..[0, hello.len() / 2, hello.len()][manner]]).await.expect("room");
            if manner == 2 {
                stream.read_exact(&mut piece).await.expect("the server goes on");
            }
            entered.send(()).await.expect("they are counted");
            while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {}
        }
        // Sends its request a byte at a time; or takes the answer a little at a time.
        _ => {
            let mut stream = tls.connect(localhost(), stream).await.expect("a handshake");
            let asked = if manner == 3 { &SCRAPE[..9] } else { SCRAPE };
            stream.write_all(asked).await.expect("room");
            stream.flush().await.expect("room");
            entered.send(()).await.expect("they are counted");
            loop {
                let stays = match manner {
                    3 => stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok(),
                    _ => stream.read(&mut piece).await.is_ok_and(|read| read > 0),
                };
                if !stays {
                    return;
                }
                sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_half_handshakes_and_drips_do_not_keep_a_scrape_waiting() {
    let (folder, authority) = furnished(TLS);
    // So many, and so patient, that all five hundred are there at once and nobody goes but for the place.
    let patient = Duration::from_secs(3600);
    let limits = Limits {
        connections: CROWD,
        asking: patient,
        answering: patient,
        idle: patient,
        ..Limits::default()
    };
    let running = Running::start_behind(
        opened(folder.path(), false),
        many(TARGETS),
        limits,
        Duration::from_millis(300),
    )
    .await;
    let tls = connector(&authority, rustls::ALL_VERSIONS);
    let (entered, mut entries) = mpsc::channel(CROWD);
    let mut crowd = JoinSet::new();
    for index in 0..CROWD {
        crowd.spawn(hold(index % 5, running.connect().await, tls.clone(), entered.clone()));
    }
    for _ in 0..CROWD {
        timeout(PATIENCE, entries.recv()).await.expect("they come").expect("all of them");
    }
    for scrape in 1..=2 {
        let client = trusting(&authority, None).build().expect("a client");
        let asked = Instant::now();
        let url = format!("https://localhost:{}/metrics", running.address.port());
        let answer = timeout(PATIENCE, client.get(url).send()).await.expect("in time").expect("an answer");
        let page = timeout(PATIENCE, answer.text()).await.expect("in time").expect("the whole of it");
        assert_eq!(page.matches("\nregwatch_target_up{").count(), TARGETS as usize);
        println!("scrape {scrape}: {} bytes in {:?}", page.len(), asked.elapsed());
    }
    while crowd.try_join_next().is_some() {}
    assert!(crowd.len() >= CROWD - 10, "only {} of the crowd are left", crowd.len());
}
