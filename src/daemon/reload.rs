//! Reading the configuration anew: everything of it that can fail.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::announcement::warn_of_small_quotas;
use super::discovered::dealt;
use super::generation::{Generations, Lasting};
use super::inheritance::Kept;
use super::replicas::Replicas;
use super::sinks::Opened;
use crate::aws::{Chains, Needed};
use crate::config::{Config, Rosters, Warning};
use crate::model::{Fleet, Region, Shards, Succession};
use crate::reload::Refused;
use crate::service::Phase;

/// A generation that is ready to take over: nothing that is left to do can fail.
pub(super) struct Next {
    pub(super) config: Arc<Config>,
    pub(super) fleet: Arc<Fleet>,
    /// The whole of which it is a part; `None` where it is no part.
    pub(super) whole: Option<Arc<Fleet>>,
    pub(super) succession: Arc<Succession>,
    pub(super) redefined: Arc<HashSet<Arc<str>>>,
    /// What the store keeps of what is new.
    pub(super) kept: Kept,
    pub(super) needed: Needed,
    /// What was read anew; `None` where only those are others who were found.
    pub(super) fresh: Option<Fresh>,
}

/// What a configuration has that was read anew.
pub(super) struct Fresh {
    pub(super) webhooks: Opened,
    pub(super) chains: Chains,
    /// Who belongs to its organizations, as far as is known.
    pub(super) rosters: Rosters,
}

/// What a file says, and what that means for what is watched.
struct Read {
    config: Config,
    warnings: Vec<Warning>,
    fleet: Fleet,
    whole: Option<Arc<Fleet>>,
    succession: Succession,
    redefined: HashSet<Arc<str>>,
    needed: Needed,
    rosters: Rosters,
}

impl Generations {
    /// Reads the configuration anew, and puts it in force or refuses it as a whole.
    ///
    /// # Errors
    /// Everything that is wrong with it, if it was refused.
    pub(super) async fn reload(&mut self) -> Result<(), Refused> {
        self.lasting.announcer.tell(Phase::Reloading).await;
        let outcome = match self.prepare().await {
            Ok(next) => self.adopt(next).await,
            Err(refused) => Err(refused),
        };
        self.lasting.announcer.tell(Phase::Reloaded { is_refused: outcome.is_err() }).await;
        match &outcome {
            Ok(()) => warn_of_small_quotas(&self.fleet),
            Err(_) => self.lasting.metrics.config_refused(),
        }
        outcome
    }

    async fn prepare(&self) -> Result<Next, Refused> {
        let Lasting { config_file, door, aws, store, applied, .. } = &self.lasting;
        let Some(path) = config_file.clone() else {
            return Err(Refused(
                "this regwatch runs without a configuration file: there is none to read".into(),
            ));
        };
        let (before, fleet, region) =
            (Arc::clone(&applied.borrow()), Arc::clone(&self.fleet), aws.region().clone());
        // What is known of organizations that were not there so far, but are from before.
        let known = store.rosters().await.map_err(|error| refused(&error.into()))?;
        let known = known.into_iter().map(|(name, saved)| (name, saved.roster));
        let rosters: Rosters = known.chain(self.found.rosters.clone()).collect();
        let shards = self.replicas.as_ref().map(Replicas::shards);
        // Tens of thousands of accounts take a while, and nobody else should wait for it.
        let read = spawn_blocking({
            let before = Arc::clone(&before);
            move || read(&path, &before, &fleet, &region, rosters, shards.as_ref())
        });
        let Read { config, warnings, fleet, whole, succession, redefined, needed, rosters } =
            read.await.map_err(|panic| refused(&panic.into()))?.map_err(|error| refused(&error))?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let fixed = if config.store.path != before.store.path {
            Some("`store.path` cannot change while regwatch runs; restart it, or set the path back")
        } else if config.store.postgres != before.store.postgres {
            Some("`store.postgres` cannot change while regwatch runs; restart it, or set it back")
        } else {
            None
        };
        let webhooks = match (self.sinks.prepare(&config.webhooks).await, fixed) {
            (Ok(webhooks), None) => webhooks,
            (webhooks, fixed) => {
                let wrong = webhooks.err().map(|error| format!("{error:#}"));
                return Err(Refused(
                    Vec::from_iter(fixed.map(str::to_owned).into_iter().chain(wrong)).join("\n"),
                ));
            }
        };
        let kept = self.kept(&fleet, &succession).await.map_err(|error| refused(&error.into()))?;
        let chains = aws.chains(&config).await;
        // Last, since it takes effect at once; and it would by itself, when it is next looked at.
        door.reread().await.map_err(|error| refused(&error.into()))?;
        let (config, fleet) = (Arc::new(config), Arc::new(fleet));
        let (succession, redefined) = (Arc::new(succession), Arc::new(redefined));
        let fresh = Some(Fresh { webhooks, chains, rosters });
        Ok(Next { config, fleet, whole, succession, redefined, kept, needed, fresh })
    }
}

fn read(
    path: &Path,
    before: &Config,
    fleet: &Fleet,
    region: &Region,
    mut rosters: Rosters,
    shards: Option<&Shards>,
) -> anyhow::Result<Read> {
    let (config, warnings) = Config::load(path)?;
    rosters.retain(|name, _| config.organizations.iter().any(|organization| organization.name == *name));
    let (next, whole) = dealt(config.fleet_with(region, &rosters), shards);
    let next = Fleet { generation: fleet.generation.next(), ..next };
    let redefined = config.redefined(before);
    let succession = Succession::between(fleet, &next, &redefined);
    let needed = Needed::of(&config, &next);
    Ok(Read { config, warnings, fleet: next, whole, succession, redefined, needed, rosters })
}

fn refused(error: &anyhow::Error) -> Refused {
    Refused(format!("{error:#}"))
}
