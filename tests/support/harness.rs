//! A simulated AWS and a whole daemon on top of it, in this process, and how to look at them.

use std::fmt::Debug;

use regwatch::aws::Overrides;
use regwatch::model::AccountId;
use regwatch::sim::{
    AccessKey, Account, Control, GovCloudState, Registration, RegistrationStatus, Script, Sim, World,
};
use tokio::task::JoinSet;

use crate::watch::Watch;

/// The management account, whose key the default credential chain finds.
pub(crate) const HUB: &str = "100000000000";

/// The key of [`HUB`].
pub(crate) const KEY: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");

/// The external id that every member's role asks for.
pub(crate) const EXTERNAL_ID: &str = "an-external-id";

/// An account id from its number.
pub(crate) fn id(number: u64) -> AccountId {
    format!("{number:012}").parse().expect("a small number has at most twelve digits")
}

/// The id of the management account.
pub(crate) fn hub_id() -> AccountId {
    HUB.parse().expect("twelve digits")
}

/// The management account, with a key.
pub(crate) fn hub() -> Account {
    Account::new(hub_id(), "hub").access_key(AccessKey::new(KEY.0, KEY.1))
}

/// A member with the role that regwatch assumes, registered in us-east-1, its GovCloud account active.
pub(crate) fn member(number: u64) -> Account {
    Account::new(id(number), &format!("member-{number}"))
        .role("regwatch", Some(EXTERNAL_ID))
        .registration("us-east-1", Script::new(Some(Registration::new(RegistrationStatus::Success))))
        .govcloud(Script::new(Some(GovCloudState::Active)))
}

/// A simulated AWS at work.
pub(crate) struct Aws {
    pub(crate) control: Control,
    pub(crate) url: String,
    _tasks: JoinSet<()>,
}

impl Aws {
    pub(crate) async fn start(world: World) -> Self {
        let sim = Sim::bind(world, ([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let (control, url) = (sim.control(), sim.url());
        let mut tasks = JoinSet::new();
        tasks.spawn(sim.run(std::future::pending()));
        Self { control, url, _tasks: tasks }
    }

    /// What stands for the environment of a daemon that calls this AWS as the hub.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides::simulated(self.url.clone(), KEY.0, KEY.1)
    }

    /// A daemon on top of this AWS.
    pub(crate) async fn watch(&self, yaml: &str) -> Watch {
        Watch::start(yaml, self.overrides()).await
    }
}

/// The identities that most tests use, to be followed by `accounts:` and whatever else.
pub(crate) fn identities() -> String {
    format!(
        "identities:
  hub: {{}}
  member: {{from: hub, assume_role: {{role_arn: 'arn:aws:iam::{{account_id}}:role/regwatch', external_id: {EXTERNAL_ID}}}}}
"
    )
}

/// The only element of a collection.
pub(crate) fn only<T: Debug>(items: impl IntoIterator<Item = T>) -> T {
    let items: Vec<_> = items.into_iter().collect();
    let [item] = <[T; 1]>::try_from(items).unwrap_or_else(|items| panic!("not one, but {items:?}"));
    item
}
