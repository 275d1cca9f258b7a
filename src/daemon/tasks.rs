//! The sets of long-lived tasks: who has ended unasked, and waiting for the end of those that were asked.

use anyhow::Context;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// What a task that did not end, but was ended by a defect, is.
const PANICKED: &str = "a part of the daemon panicked";

/// A long-lived task that tells at its end which it was.
pub(super) async fn named(name: impl Into<String>, task: impl Future<Output = ()>) -> Option<String> {
    task.await;
    Some(name.into())
}

/// Waits for a task that ends without having been asked to; for ever while there is none. One that ends
/// with the part of the configuration that it was for does not tell its name.
pub(super) async fn unasked(tasks: &mut JoinSet<Option<String>>) -> anyhow::Error {
    loop {
        match tasks.join_next().await {
            Some(Ok(None)) => {}
            Some(Ok(Some(name))) => return anyhow::anyhow!("the {name} ended by itself"),
            Some(Err(panic)) => return anyhow::Error::new(panic).context(PANICKED),
            None => return std::future::pending().await,
        }
    }
}

/// Waits for every task of a set, and gives up those that outlast the deadline.
pub(super) async fn within(
    deadline: Instant,
    tasks: &mut JoinSet<Option<String>>,
    what: &str,
) -> anyhow::Result<()> {
    match timeout_at(deadline, all(tasks)).await {
        Ok(ended) => ended,
        Err(_) => {
            let open = tasks.len();
            tracing::warn!(open, "the grace period is over: giving up {what}");
            tasks.shutdown().await;
            Ok(())
        }
    }
}

/// Waits for every task of a set.
pub(super) async fn all(tasks: &mut JoinSet<Option<String>>) -> anyhow::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context(PANICKED)?;
    }
    Ok(())
}
