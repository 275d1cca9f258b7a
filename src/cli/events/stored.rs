//! The store that a daemon left, for when none runs.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use super::PAGE;
use super::daemon::Daemon;
use super::output::Output;
use super::wanted::Wanted;
use crate::sink::CloudEvent;
use crate::store::Store;

/// Writes events from the store that the configuration names.
pub(super) async fn list(
    config: &Path,
    daemon: &Daemon,
    wanted: &Wanted,
    limit: u64,
    output: &mut Output,
) -> anyhow::Result<()> {
    let url = daemon.url();
    let loaded = crate::cli::load(config).with_context(|| {
        format!("nothing listens at {url}, and the configuration that would name the store cannot be used")
    })?;
    let config = config.display();
    let place = match (&loaded.store.postgres, &loaded.store.path) {
        (Some(database), _) => format!("in schema {} of PostgreSQL", database.schema),
        (None, Some(path)) => path.display().to_string(),
        (None, None) => bail!(
            "nothing listens at {url}, and {config} names no file or database in `store`: start the daemon, or \
             say with --url where it serves HTTP"
        ),
    };
    eprintln!("regwatch: nothing listens at {url}; reading the store {place}");
    let store = Store::open_to_read(&loaded.store).await?;
    let (mut after, mut left) = (0, limit);
    while left > 0 {
        let page = u32::try_from(left.min(PAGE)).expect("a page is small");
        let entries = store.events(&wanted.query(after, page)).await?;
        let events: Vec<Value> = entries
            .iter()
            .map(|entry| serde_json::to_value(CloudEvent::from(entry)).expect("texts and numbers"))
            .collect();
        output.write(&events)?;
        left -= events.len() as u64;
        match entries.last() {
            Some(last) if entries.len() == page as usize => after = last.sequence,
            _ => break,
        }
    }
    store.close().await;
    Ok(())
}
