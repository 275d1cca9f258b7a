//! `--follow`: the daemon's stream, taken up again after each cut.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::daemon::{Daemon, DaemonError};
use super::message::Messages;
use super::output::Output;
use super::wanted::Wanted;
use crate::schedule::Backoff;

/// How long the daemon is waited for at first, and at most: it is back a few seconds after a restart.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// How long a connection may be silent: it has missed two of the comments that come every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// Writes what happens until `limit` events are written, or writing fails.
pub(super) async fn follow(
    daemon: &Daemon,
    wanted: &Wanted,
    limit: u64,
    output: &mut Output,
) -> anyhow::Result<()> {
    let mut left = limit;
    let mut last_id = None;
    // A daemon that never answered is probably the wrong one, and waiting for it would hide that.
    let mut answered = false;
    let mut delays = Backoff::new(BACKOFF.0, BACKOFF.1);
    let mut rng = fastrand::Rng::new();
    while left > 0 {
        let mut messages = Messages::after(last_id);
        let cut = match timeout(SILENCE, daemon.stream(wanted, last_id)).await {
            Ok(Ok(mut answer)) => {
                answered = true;
                loop {
                    match timeout(SILENCE, answer.chunk()).await {
                        Ok(Ok(Some(bytes))) => {
                            let events = read(&messages.take(&bytes), left)?;
                            last_id = messages.last_id();
                            left -= events.len() as u64;
                            output.write(&events)?;
                            delays = Backoff::new(BACKOFF.0, BACKOFF.1);
                            if left == 0 {
                                return Ok(());
                            }
                        }
                        Ok(Ok(None)) => break "regwatch ended the stream".to_owned(),
                        Ok(Err(error)) => break daemon.unreachable(error).to_string(),
                        Err(_) => break silent(daemon),
                    }
                }
            }
            Ok(Err(error)) if answered && error.is_passing() => error.to_string(),
            Ok(Err(DaemonError::Refused { url })) => {
                anyhow::bail!(
                    "nothing listens at {url}; --follow needs a running daemon: start it, say with --url where it \
                     serves HTTP, or leave --follow out to read its store"
                )
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(_) if answered => silent(daemon),
            Err(_) => anyhow::bail!(silent(daemon)),
        };
        let delay = delays.next(&mut rng);
        eprintln!("regwatch: {cut}; trying again in {:.1} s", delay.as_secs_f64());
        sleep(delay).await;
    }
    Ok(())
}

fn silent(daemon: &Daemon) -> String {
    format!("{} says nothing for {} s", daemon.url(), SILENCE.as_secs())
}

fn read(messages: &[String], most: u64) -> anyhow::Result<Vec<Value>> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    messages
        .iter()
        .take(most)
        .map(|data| serde_json::from_str(data).map_err(|error| anyhow::anyhow!("no event: {error}: {data}")))
        .collect()
}
