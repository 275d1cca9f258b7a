//! A simulated AWS and a whole daemon on top of it, in this process, and how to look at them.

use std::fmt::Debug;
use std::time::Duration;

use regwatch::aws::Overrides;
use regwatch::config::Config;
use regwatch::daemon::{Daemon, Options};
use regwatch::model::AccountId;
use regwatch::sim::{
    AccessKey, Account, Control, GovCloudState, Registration, RegistrationStatus, Script, Sim, World,
};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The management account, whose key the default credential chain finds.
pub(crate) const HUB: &str = "100000000000";

/// The key of [`HUB`].
pub(crate) const KEY: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");

/// The external id that every member's role asks for.
pub(crate) const EXTERNAL_ID: &str = "an-external-id";

/// How long a condition may take to come true before a test fails; on a busy machine everything takes long.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// A daemon at work.
pub(crate) struct Watch {
    pub(crate) url: String,
    stop: CancellationToken,
    daemon: JoinSet<anyhow::Result<()>>,
    client: reqwest::Client,
}

impl Watch {
    pub(crate) async fn start(yaml: &str, overrides: Overrides) -> Self {
        let (config, _) = Config::parse("test.yaml", yaml).unwrap_or_else(|error| panic!("{error}"));
        let options =
            Options { listen: vec![([127, 0, 0, 1], 0).into()], grace: Duration::from_secs(20), overrides };
        let daemon = Daemon::bind(config, options).await.expect("a free port");
        let url = format!("http://{}", daemon.local_addrs()[0]);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(daemon.run(stop.clone().cancelled_owned()));
        Self { url, stop, daemon: tasks, client: reqwest::Client::new() }
    }

    /// What a path answers: its status and its text.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    pub(crate) async fn scrape(&self) -> Page {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200, "{text}");
        Page(text)
    }

    /// Scrapes until a page is as described.
    pub(crate) async fn until(&self, described: &str, is_so: impl Fn(&Page) -> bool) -> Page {
        let began = Instant::now();
        loop {
            let page = self.scrape().await;
            if is_so(&page) {
                return page;
            }
            assert!(began.elapsed() < PATIENCE, "never came true: {described}\n{}", page.0);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Scrapes until a series has a value.
    pub(crate) async fn until_is(&self, series: &str, value: f64) -> Page {
        self.until(&format!("{series} is {value}"), |page| page.value(series) == Some(value)).await
    }

    /// Ends it in order.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        let ended = self.daemon.join_next().await.expect("it runs");
        ended.expect("no panic").expect("ended in order");
    }
}

/// A page of metrics.
pub(crate) struct Page(pub(crate) String);

impl Page {
    /// The value of a series, written as `name{label="value"}`: one that has these labels, perhaps
    /// among others.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        let mut values = self.values(series);
        let first = values.next();
        assert!(values.next().is_none(), "more than one series is {series}");
        first
    }

    /// The sum over all series that have these labels, perhaps among others.
    pub(crate) fn sum(&self, series: &str) -> f64 {
        self.values(series).sum()
    }

    /// How many series have these labels, perhaps among others.
    pub(crate) fn count(&self, series: &str) -> usize {
        self.values(series).count()
    }

    fn values<'a>(&'a self, series: &'a str) -> impl Iterator<Item = f64> + 'a {
        let (name, wanted) = series.split_once('{').unwrap_or((series, "}"));
        let wanted: Vec<_> =
            wanted.trim_end_matches('}').split(',').filter(|label| !label.is_empty()).collect();
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once("} ")?,
                None => ("", rest.strip_prefix(' ')?),
            };
            let labels = format!(",{labels},");
            let has = |label: &&str| labels.contains(&format!(",{label},"));
            wanted.iter().all(has).then(|| value.parse().expect("a number"))
        })
    }
}

/// The only element of a collection.
pub(crate) fn only<T: Debug>(items: impl IntoIterator<Item = T>) -> T {
    let items: Vec<_> = items.into_iter().collect();
    let [item] = <[T; 1]>::try_from(items).unwrap_or_else(|items| panic!("not one, but {items:?}"));
    item
}
