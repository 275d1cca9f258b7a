//! The whole daemon on top of moto's STS, which checks signatures, session tokens and policies, and which
//! was written without a look at ours.
//!
//! moto has neither of the two calls that regwatch polls with: what it answers there is HTML. So credentials
//! are to be had, answers are not.

mod organizations;

use std::process::Command;

use regwatch::aws::Overrides;

use crate::page::Page;
use crate::program::Program;
use crate::watch::Watch;

/// The account that moto puts its users in.
const HUB: &str = "123456789012";

/// The accounts that are watched, each in two regions.
const MEMBERS: [&str; 2] = ["444455556666", "777788889999"];

/// What the role of the hub's account asks of those who assume it.
const EXTERNAL_ID: &str = "an-external-id";

/// Whom the hub's role trusts: the one user, and nobody who cannot name the external id.
const TRUST: &str = r#"{"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:user/regwatch"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"sts:ExternalId": "an-external-id"}}
}]}"#;

/// What both may do: assume the role along the way to the members, and theirs.
const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::*:role/*"}
]}"#;

/// moto with a user `regwatch` and a role `gateway` in the hub's account, checking who calls.
struct Moto {
    program: Program,
    client: reqwest::Client,
    key: (String, String),
}

impl Moto {
    async fn start() -> Self {
        let moto = Self::unchecked().await;
        moto.check().await;
        moto
    }

    /// One that checks nothing yet.
    async fn unchecked() -> Self {
        let mut command = Command::new("moto_server");
        let program = Program::start(command.args(["-H", "127.0.0.1", "-p", "0"]), "Running on").await;
        let mut moto = Self { program, client: reqwest::Client::new(), key: Default::default() };
        moto.iam(&[("Action", "CreateUser"), ("UserName", "regwatch")]).await;
        moto.iam(&[
            ("Action", "PutUserPolicy"),
            ("UserName", "regwatch"),
            ("PolicyName", "assume"),
            ("PolicyDocument", POLICY),
        ])
        .await;
        moto.iam(&[("Action", "CreateRole"), ("RoleName", "gateway"), ("AssumeRolePolicyDocument", TRUST)])
            .await;
        moto.iam(&[
            ("Action", "PutRolePolicy"),
            ("RoleName", "gateway"),
            ("PolicyName", "assume"),
            ("PolicyDocument", POLICY),
        ])
        .await;
        let key = moto.iam(&[("Action", "CreateAccessKey"), ("UserName", "regwatch")]).await;
        let member = |name: &str| {
            let (_, text) = key.split_once(&format!("<{name}>")).expect("a key");
            text.split('<').next().expect("a text").to_owned()
        };
        moto.key = (member("AccessKeyId"), member("SecretAccessKey"));
        moto
    }

    /// From now on it checks who calls, and what they may.
    async fn check(&self) {
        let checks = self.client.post(format!("{}/moto-api/reset-auth", self.program.url));
        let answer = checks.header("content-type", "text/plain").body("0").send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }

    /// Calls IAM while moto checks nothing: the scope of a signature alone tells it which service is meant.
    async fn iam(&self, parameters: &[(&str, &str)]) -> String {
        let scope = "AWS4-HMAC-SHA256 Credential=anybody/20260101/us-east-1/iam/aws4_request";
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Version", "2010-05-08")
            .extend_pairs(parameters)
            .finish();
        let call = self.client.post(&self.program.url).header("authorization", scope);
        let call = call.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = call.send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a text"));
        assert_eq!(status, 200, "{text}");
        text
    }

    /// A daemon with the user's key id, this secret, and this external id for the role.
    async fn watch(&self, secret: &str, external_id: &str) -> Watch {
        let mut yaml = format!(
            "
polling: {{interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, stale_after: 60s, start_window: 500ms}}
identities:
  hub: {{}}
  gateway: {{from: hub, assume_role: {{role_arn: 'arn:aws:iam::{HUB}:role/gateway', external_id: {external_id}}}}}
  member: {{from: gateway, assume_role: {{role_arn: 'arn:aws:iam::{{account_id}}:role/regwatch'}}}}
accounts:\n"
        );
        for id in MEMBERS {
            yaml += &format!(
                "  - {{id: '{id}', fleetwise: {{identity: member, regions: [us-east-1, eu-central-1]}}, govcloud: {{identity: hub}}}}\n"
            );
        }
        let overrides = Overrides::simulated(self.program.url.clone(), &self.key.0, secret);
        Watch::start(&yaml, overrides).await
    }
}

/// Whether every target was polled thrice, and failed for the reason of its probe whenever it was.
fn failed_for(page: &Page, fleetwise: &str, govcloud: &str) -> bool {
    let polled = |probe, region| {
        MEMBERS.iter().all(|id| {
            let target = format!(r#"probe="{probe}",aws_account_id="{id}",aws_region="{region}""#);
            page.value(&format!("regwatch_polls_total{{{target}}}")) >= Some(3.0)
        })
    };
    let failures = |probe, reason| {
        page.sum(&format!(r#"regwatch_poll_failures_total{{probe="{probe}",reason="{reason}"}}"#))
    };
    polled("fleetwise", "us-east-1")
        && polled("fleetwise", "eu-central-1")
        && polled("govcloud", "")
        && failures("fleetwise", fleetwise) + failures("govcloud", govcloud)
            == page.sum("regwatch_polls_total")
}

/// Nothing has stopped, and all that has failed is told.
async fn is_well(watch: &Watch) {
    for path in ["/-/healthy", "/-/ready"] {
        let (status, text) = watch.get(path).await;
        assert_eq!(status, 200, "{path}: {text}");
    }
    let page = watch.scrape().await;
    assert_eq!((page.count("regwatch_target_up"), page.sum("regwatch_target_up")), (6, 0.0), "{}", page.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_had_from_it_and_its_html_stops_nothing() {
    let moto = Moto::start().await;
    let watch = moto.watch(&moto.key.1, EXTERNAL_ID).await;
    // The hub's own key, the role along the way, and a role for each member.
    watch.until_is("regwatch_credentials_refreshes_total", 4.0).await;
    // It answers one of the calls with status 500, the other with 404.
    let page = watch
        .until("three polls of each target", |page| failed_for(page, "server_error", "malformed_reply"))
        .await;
    assert_eq!(page.value("regwatch_credentials_refreshes_total"), Some(4.0), "{}", page.0);
    assert_eq!(page.sum("regwatch_credentials_refresh_failures_total"), 0.0, "{}", page.0);
    // Who calls is what STS said, or what it made of us.
    for caller in [HUB, MEMBERS[0], MEMBERS[1]] {
        let scopes = format!(r#"regwatch_scope_allowed_requests_per_second{{caller_account_id="{caller}"}}"#);
        assert!(page.count(&scopes) > 0, "{caller} is not in\n{}", page.0);
    }
    is_well(&watch).await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_gets_nothing_from_it() {
    let moto = Moto::start().await;
    let watch = moto.watch("not-the-secret", EXTERNAL_ID).await;
    let page = watch
        .until("three polls of each target", |page| failed_for(page, "credentials", "credentials"))
        .await;
    let refreshes = page.value("regwatch_credentials_refreshes_total");
    assert_eq!(refreshes, Some(page.sum("regwatch_credentials_refresh_failures_total")), "{}", page.0);
    is_well(&watch).await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_trusts_others_fails_its_own_targets_alone() {
    let moto = Moto::start().await;
    let watch = moto.watch(&moto.key.1, "another-external-id").await;
    watch
        .until("three polls of each target", |page| failed_for(page, "credentials", "malformed_reply"))
        .await;
    watch.until_is(r#"regwatch_credentials_refresh_failures_total{reason="throttled"}"#, 0.0).await;
    is_well(&watch).await;
    watch.end().await;
}
