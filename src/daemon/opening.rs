//! What a daemon begins with: its store, and what that knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::inheritance::Kept;
use super::sinks::Ready;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::Anteroom;
use crate::store::{SavedRoster, Store, StoreError};

/// How soon it is tried again to reach a database.
const RETRY: Duration = Duration::from_secs(1);

/// The store, open, and what it knows.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) sinks: Ready,
    pub(super) kept: Kept,
    pub(super) rosters: BTreeMap<Arc<str>, SavedRoster>,
}

impl Opened {
    /// Opens the store and the sinks. A database that cannot be reached is waited for: a replica that is
    /// started while it is away takes part as soon as it is back, and not when a service manager tries again.
    ///
    /// # Errors
    /// If the store or a file of a webhook cannot be used, and waiting does not help.
    pub(super) async fn open(config: &Config, clock: Clock, anteroom: &Anteroom) -> anyhow::Result<Self> {
        match Self::try_open(config, clock).await {
            Err(error) if may_pass(config, &error) => {
                anteroom.during(Self::open_when_it_can_be(config, clock, error)).await
            }
            outcome => outcome,
        }
    }

    /// Tries again and again. What is wrong is said when it changes.
    async fn open_when_it_can_be(
        config: &Config,
        clock: Clock,
        mut error: anyhow::Error,
    ) -> anyhow::Result<Self> {
        let mut told = String::new();
        loop {
            let text = format!("{error:#}");
            if text != told {
                tracing::warn!(error = text, "the store cannot be used yet; nothing is done until it can");
                told = text;
            }
            sleep(RETRY).await;
            match Self::try_open(config, clock).await {
                Err(again) if may_pass(config, &again) => error = again,
                outcome => return outcome,
            }
        }
    }

    async fn try_open(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        let store = Store::open(&config.store).await?;
        let sinks = Ready::open(&config.webhooks, &store, clock).await?;
        let mut rosters = store.rosters().await?;
        rosters.retain(|name, _| config.organizations.iter().any(|organization| organization.name == *name));
        let kept = Kept { states: store.states().await?, gates: store.gates(clock.now()).await? };
        Ok(Self { store, sinks, kept, rosters })
    }
}

/// Whether it may be otherwise in a moment. A file is nobody else's, so with one it is not.
fn may_pass(config: &Config, error: &anyhow::Error) -> bool {
    let of_store = error.chain().find_map(|cause| cause.downcast_ref::<StoreError>());
    config.store.postgres.is_some() && of_store.is_some_and(|error| error.reason().may_pass())
}
