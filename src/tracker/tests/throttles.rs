//! What is told of throttles while scopes of the same labels come and go.

use std::collections::HashSet;

use super::*;
use crate::model::Succession;

const REGION: &str = "us-east-1";

/// A fleet with a scope for each of these identities.
fn behind(identities: &[&str]) -> Fleet {
    let hub = fleet();
    let scope = |identity: &&str| Scope {
        caller: Caller::Identity((*identity).into()),
        targets: Vec::new(),
        ..hub.scopes[0].clone()
    };
    Fleet { scopes: identities.iter().map(scope).collect(), ..Fleet::default() }
}

impl Stage {
    async fn watch(&self, identities: &[&str]) {
        let fleet = behind(identities);
        let succession = Succession::between(&self.look.borrow().fleet, &fleet, &HashSet::new());
        self.adopt_with(0, fleet, succession, Vec::new(), Vec::new()).await;
    }

    async fn throttled(&mut self, scope: u32, throttled: u64) {
        let generation = self.look.borrow().fleet.generation;
        let pacing = Pacing { allowed: 1.0, backoff_until: None, throttled };
        self.look.borrow_and_update();
        self.send(Report::Paced { generation, scope: ScopeId(scope), pacing }).await;
        self.next().await;
    }

    async fn named(&mut self, identity: &str, account: &str) {
        let account = account.parse().unwrap();
        self.look.borrow_and_update();
        self.send(Report::Caller { identity: identity.into(), account }).await;
        self.next().await;
    }

    /// What the page says of a caller.
    fn told(&self, caller: &str) -> Option<u64> {
        let labels = format!(r#"{{service="account",caller_account_id="{caller}",aws_region="{REGION}"}} "#);
        let page = self.metrics.render(Arc::clone(&self.look.borrow()), Timestamp::UNIX_EPOCH);
        let line = page.lines().find_map(|line| {
            line.strip_prefix("regwatch_scope_throttled_total")?.strip_prefix(&labels).map(str::to_owned)
        });
        line.map(|count| count.parse().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_goes_leaves_its_throttles_to_the_others_of_its_account() {
    let account = "777788889999";
    let mut stage = Stage::set();
    stage.watch(&["one", "other", "third"]).await;
    for identity in ["one", "other"] {
        stage.named(identity, account).await;
    }
    stage.throttled(0, 7).await;
    stage.throttled(1, 3).await;
    stage.throttled(2, 1).await;
    assert_eq!((stage.told(account), stage.told("")), (Some(10), Some(1)));
    stage.watch(&["other", "third"]).await;
    assert_eq!(stage.told(account), Some(10), "a counter that goes back is a restart to Prometheus");
    stage.throttled(0, 5).await;
    assert_eq!((stage.told(account), stage.told("")), (Some(12), Some(1)));
    // With the last of them the series goes, and begins anew with the next.
    stage.watch(&["third"]).await;
    assert_eq!(stage.told(account), None);
    stage.watch(&["third", "one"]).await;
    stage.named("one", account).await;
    assert_eq!((stage.told(account), stage.told("")), (Some(0), Some(1)));
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_gets_its_name_leaves_its_throttles_to_those_without_one() {
    let account = "777788889999";
    let mut stage = Stage::set();
    stage.watch(&["one", "other"]).await;
    // STS may throttle the very call that tells who is behind an identity.
    stage.throttled(0, 7).await;
    stage.throttled(1, 3).await;
    assert_eq!((stage.told(account), stage.told("")), (None, Some(10)));
    stage.named("one", account).await;
    assert_eq!((stage.told(account), stage.told("")), (Some(0), Some(10)));
    stage.throttled(0, 8).await;
    assert_eq!((stage.told(account), stage.told("")), (Some(1), Some(10)));
    // Nobody is left without a name.
    stage.named("other", account).await;
    assert_eq!((stage.told(account), stage.told("")), (Some(11), None));
}
