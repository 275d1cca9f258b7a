//! Following what others write to the same store.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{SavedState, Store, StoreError, TargetKey};

/// How often it is looked what others have written.
const FOLLOW: Duration = Duration::from_secs(1);

/// What has become of the states that are kept since a revision: a number that each write raises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Up to which revision this is.
    pub revision: u64,
    /// Whether these are all of the states, and what is not among them is not kept.
    pub is_whole: bool,
    /// States that are other than before.
    pub states: Vec<(TargetKey, SavedState)>,
    /// Targets of which nothing is kept any more.
    pub ended: Vec<TargetKey>,
}

impl Store {
    /// Keeps [`Store::latest`] up with what others write, where others can; ends only when it is dropped.
    pub async fn follow(&self) {
        let mut ticks = interval(FOLLOW);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_failing = false;
        while self.engine.is_shared() {
            ticks.tick().await;
            let latest = self.engine.latest().await;
            match &latest {
                Ok(latest) => {
                    self.tell(*latest);
                    if is_failing {
                        tracing::info!("the store can be followed again");
                    }
                }
                Err(error) if is_failing => tracing::debug!(%error, "the store still cannot be followed"),
                Err(error) => {
                    tracing::warn!(%error, "the store cannot be followed: sinks and streams hear of nothing");
                }
            }
            is_failing = latest.is_err();
        }
        std::future::pending().await
    }

    /// What has become of the states that are kept since a revision; of all of them without one.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn states_since(&self, revision: Option<u64>) -> Result<Changes, StoreError> {
        self.engine.states_since(revision).await
    }
}
