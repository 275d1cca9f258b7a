//! `deploy/prometheus/metrics.md` and a daemon that has everything switched on name the same metrics, with
//! the same types and labels. What a replica has besides is looked at without a database.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regwatch::config::Config;
use regwatch::daemon::{Daemon, Options};
use regwatch::metrics::{LeaseMeters, Metrics};
use regwatch::sim::{Fault, Operation, World};
use tokio::task::JoinSet;

use crate::door::{TLS, furnished, opened, trusting};
use crate::harness::{Aws, hub, id, identities, member};
use crate::page::Page;
use crate::receiver::Receiver;
use crate::reference::{Shape, listed, shown};
use crate::snapshot::{NOW, rich};

/// One member that answers and one that denies, an organization, a store, and a webhook.
fn config(store: &Path, receiver: &Receiver) -> String {
    format!(
        "polling: {{interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, start_window: 100ms}}
store: {{path: '{}'}}
events: {{webhooks: [{{name: hook, url: '{}'}}]}}
{}organizations: [{{name: fleet, identity: hub, govcloud: {{identity: hub}}, exclude: [{{name: hub}}]}}]
accounts:
  - {{id: '{}', labels: {{team: fleet}}, fleetwise: {{identity: member, regions: [us-east-1]}}, govcloud: {{identity: hub}}}}
  - {{id: '{}', fleetwise: {{identity: member, regions: [us-east-1]}}}}\n",
        store.display(),
        receiver.url,
        identities(),
        id(1),
        id(2)
    )
}

/// What leases put on a page.
fn of_leases() -> BTreeMap<String, Shape> {
    let page = |metrics: Metrics| shown(&metrics.render(rich(), NOW.parse().expect("a time")));
    let without = page(Metrics::new());
    let with = page(Metrics::new().with_leases(Some(&LeaseMeters::new(16))));
    with.into_iter().filter(|(name, _)| !without.contains_key(name)).collect()
}

#[tokio::test]
async fn a_daemon_with_everything_shows_what_the_reference_has_and_nothing_else() {
    let (folder, authority) = furnished(TLS);
    let receiver = Receiver::start([]).await;
    let yaml = config(&folder.path().join("regwatch.db"), &receiver);
    let (config, _) = Config::parse("test.yaml", &yaml).unwrap_or_else(|error| panic!("{error}"));
    let world = World::new().management(hub()).member(member(1)).member(member(2));
    let always = Duration::ZERO..Duration::MAX;
    let world = world.fault(id(2), Operation::GetRegisterAccountStatus, always, Fault::Denied);
    let aws = Aws::start(world).await;
    let options = Options {
        config_file: None,
        listen: vec![([127, 0, 0, 1], 0).into()],
        door: Arc::new(opened(folder.path(), false)),
        grace: Duration::from_secs(20),
        overrides: aws.overrides(),
        lifecycle: false,
        manager: None,
    };
    let daemon = Daemon::bind(config, options).await.expect("a free port");
    let url = format!("https://localhost:{}", daemon.local_addrs()[0].port());
    let client = trusting(&authority, None).build().expect("a client");
    let mut tasks = JoinSet::new();
    tasks.spawn(daemon.run(std::future::pending()));

    let everything = |page: &Page| {
        let infos = ["aws_fleetwise_registration_info", "aws_govcloud_account_info"];
        infos.iter().all(|info| page.count(info) == 1)
            && page.sum(r#"regwatch_poll_failures_total{reason="access_denied"}"#) > 0.0
            && page.sum("regwatch_discovered_accounts") == 2.0
    };
    let page = Page::until(&client, &url, "all have answered", everything).await;
    let (mut shown, listed) = (shown(&page.0), listed());
    shown.extend(of_leases());
    let missing: Vec<_> = listed.iter().filter(|(name, shape)| shown.get(*name) != Some(shape)).collect();
    let unlisted: Vec<_> = shown.iter().filter(|(name, shape)| listed.get(*name) != Some(shape)).collect();
    assert!(
        missing.is_empty() && unlisted.is_empty(),
        "metrics.md has: {missing:#?}\nthe page has: {unlisted:#?}"
    );
}
