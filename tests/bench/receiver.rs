//! A receiver of webhooks that answers at once, and knows when each came.

use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// When each request came, the first one first.
type Arrivals = Arc<Mutex<Vec<Instant>>>;

/// Prints its URL, and then answers each line of its input, a number, with the seconds from the first request
/// to that one; with an empty line while there are fewer.
pub(crate) async fn receive() -> anyhow::Result<()> {
    let arrivals = Arrivals::default();
    let noted = Arc::clone(&arrivals);
    let note = async move || noted.lock().expect("nobody panics with it").push(Instant::now());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/", listener.local_addr()?);
    let answering = tokio::task::spawn_blocking(move || answer(&arrivals));
    tokio::select! {
        served = async { axum::serve(listener, Router::new().route("/", post(note))).await } => Ok(served?),
        answered = answering => Ok(answered??),
    }
}

fn answer(arrivals: &Arrivals) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let number: usize = line?.trim().parse()?;
        let arrivals = arrivals.lock().expect("nobody panics with it");
        match number.checked_sub(1).and_then(|last| arrivals.get(last)) {
            Some(last) => writeln!(out, "{:.6}", (*last - arrivals[0]).as_secs_f64())?,
            None => writeln!(out)?,
        }
        out.flush()?;
    }
    Ok(())
}
