//! Accounts that are found in moto's Organizations: more than a page of them, in units, with tags, and some
//! closed.

use std::collections::BTreeSet;

use regwatch::aws::Overrides;
use serde_json::{Value, json};

use super::{HUB, Moto};
use crate::page::Page;
use crate::watch::Watch;

/// What `regwatch iam` prints for the choice of accounts that is made here.
const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["organizations:ListAccounts", "organizations:ListAccountsForParent",
     "organizations:ListOrganizationalUnitsForParent", "organizations:ListRoots",
     "organizations:ListTagsForResource"], "Resource": "*"}
]}"#;

impl Moto {
    /// Calls Organizations while moto checks nothing.
    async fn organizations(&self, action: &str, input: Value) -> Value {
        let scope = "AWS4-HMAC-SHA256 Credential=anybody/20260101/us-east-1/organizations/aws4_request";
        let call = self.client.post(&self.program.url).header("authorization", scope);
        let call = call.header("content-type", "application/x-amz-json-1.1");
        let call = call.header("x-amz-target", format!("AWSOrganizationsV20161128.{action}"));
        let answer = call.body(input.to_string()).send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a text"));
        assert_eq!(status, 200, "{action}: {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }
    }

    /// Makes an account, and puts it into a unit.
    async fn make(&self, name: &str, stage: &str, root: &str, unit: &str) -> String {
        let tags = json!([{"Key": "stage", "Value": stage}]);
        let account = json!({"AccountName": name, "Email": format!("{name}@example.com"), "Tags": tags});
        let made = self.organizations("CreateAccount", account).await;
        let id = made["CreateAccountStatus"]["AccountId"].as_str().expect("an id").to_owned();
        if unit != root {
            let place = json!({"AccountId": id, "SourceParentId": root, "DestinationParentId": unit});
            self.organizations("MoveAccount", place).await;
        }
        id
    }

    /// It checks nothing for as many calls as anybody may make in a test.
    async fn stop_checking(&self) {
        let checks = self.client.post(format!("{}/moto-api/reset-auth", self.program.url));
        let answer = checks.header("content-type", "text/plain").body("1000000").send().await;
        assert_eq!(answer.expect("an answer").status(), 200);
    }

    async fn unit(&self, name: &str, parent: &str) -> String {
        let unit = json!({"Name": name, "ParentId": parent});
        let made = self.organizations("CreateOrganizationalUnit", unit).await;
        made["OrganizationalUnit"]["Id"].as_str().expect("an id").to_owned()
    }

    /// A daemon that finds accounts by this choice, as the user who may list them.
    async fn find(&self, choice: &str) -> Watch {
        let yaml = format!(
            "
polling: {{interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, stale_after: 60s, start_window: 500ms}}
limits: {{organizations_requests_per_second: 100}}
identities: {{hub: {{}}}}
organizations: [{{name: fleet, identity: hub, govcloud: {{identity: hub}}, refresh: 1s, grace: 1s{choice}}}]\n"
        );
        Watch::start(&yaml, Overrides::simulated(self.program.url.clone(), &self.key.0, &self.key.1)).await
    }
}

/// The accounts that a page has.
fn accounts(page: &Page) -> BTreeSet<String> {
    let infos =
        page.0.lines().filter_map(|line| line.strip_prefix("regwatch_account_info{aws_account_id=\""));
    infos.map(|rest| rest[..12].to_owned()).collect()
}

async fn until_found(watch: &Watch, what: &str, expected: &BTreeSet<String>) {
    watch.until(what, |page| accounts(page) == *expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_found_by_page_unit_and_tag_and_leave_when_they_are_closed() {
    let moto = Moto::unchecked().await;
    let allowed = [("UserName", "regwatch"), ("PolicyName", "find"), ("PolicyDocument", POLICY)];
    moto.iam(&[&[("Action", "PutUserPolicy")][..], &allowed].concat()).await;
    moto.organizations("CreateOrganization", json!({"FeatureSet": "ALL"})).await;
    let roots = moto.organizations("ListRoots", json!({})).await;
    let root = roots["Roots"][0]["Id"].as_str().expect("an id").to_owned();
    let vehicles = moto.unit("Vehicles", &root).await;
    let prod = moto.unit("Prod", &vehicles).await;
    let below = moto.unit("EU", &prod).await;
    let (mut all, mut chosen, mut tagged) =
        (BTreeSet::from([HUB.to_owned()]), BTreeSet::new(), BTreeSet::new());
    for number in 0..48 {
        let unit = [&root, &vehicles, &prod, &below][number % 4];
        let stage = if number % 3 == 0 { "prod" } else { "test" };
        let id = moto.make(&format!("member-{number}"), stage, &root, unit).await;
        all.insert(id.clone());
        if [&prod, &below].contains(&unit) {
            chosen.insert(id.clone());
            if stage == "prod" {
                tagged.insert(id);
            }
        }
    }
    moto.check().await;

    // Three pages of them, the management account included.
    let watch = moto.find("").await;
    until_found(&watch, "all are found", &all).await;
    let page = watch.until_is(r#"regwatch_discovered_accounts{organization="fleet"}"#, 49.0).await;
    assert_eq!(page.sum("regwatch_discovery_failures_total"), 0.0, "{}", page.0);
    watch.end().await;
    let watch = moto.find(", include: [{ou: /Vehicles/Prod}]").await;
    until_found(&watch, "those of the unit are found", &chosen).await;
    watch.end().await;
    let watch = moto.find(", include: [{ou: /Vehicles/Prod, tags: {stage: prod}}]").await;
    until_found(&watch, "those of the unit with the tag are found", &tagged).await;
    assert!(tagged.len() >= 6 && tagged.len() < chosen.len());

    // Closed, as whoever runs the organization does it.
    let closed = tagged.pop_first().expect("there are some");
    moto.stop_checking().await;
    moto.organizations("CloseAccount", json!({"AccountId": closed})).await;
    until_found(&watch, "the closed one has gone", &tagged).await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_list_finds_nobody_and_says_so() {
    let moto = Moto::unchecked().await;
    moto.organizations("CreateOrganization", json!({"FeatureSet": "ALL"})).await;
    moto.check().await;
    let watch = moto.find("").await;
    let denied = r#"regwatch_discovery_failures_total{organization="fleet",reason="access_denied"}"#;
    let page = watch.until("it is denied", |page| page.sum(denied) > 0.0).await;
    assert_eq!(accounts(&page), BTreeSet::new());
    assert_eq!(watch.get("/-/ready").await.0, 200, "it was tried");
    watch.end().await;
}
