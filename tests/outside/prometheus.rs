//! The whole chain: `regwatch demo`, a real Prometheus with the alerts of `deploy/prometheus` as they are, a
//! real Alertmanager with the example of a configuration from there, in more of a hurry, and whoever it tells.

mod door;
mod files;
pub(crate) mod server;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::alertmanager::Alertmanager;
use crate::demo::{self, CLOSED, DENIED, FAILED, SUSPENDED};
use crate::judge::{as_python_reads, assert_promtool_is_content};
use crate::page::Page;
use crate::receiver::Receiver;
use server::{PATIENCE, Series, Server};

pub(crate) const RULES: &str = include_str!("../../deploy/prometheus/regwatch.rules.yml");
const ALERTMANAGER: &str = include_str!("../../deploy/prometheus/alertmanager.yml");

/// Who is alerted about in the course of the demo: all alerts that do not wait for minutes.
const ALERTED: [(&str, &str); 3] = [
    ("FleetWiseRegistrationFailed", FAILED.0),
    ("GovCloudAccountClosed", CLOSED.0),
    ("GovCloudAccountSuspended", SUSPENDED.0),
];

/// What Prometheus counts of samples that it did not take, and of alerts that it could not tell.
const NOT_TAKEN: [&str; 5] = [
    "prometheus_target_scrapes_sample_duplicate_timestamp_total",
    "prometheus_target_scrapes_sample_out_of_order_total",
    "prometheus_target_scrapes_sample_out_of_bounds_total",
    "prometheus_target_scrapes_exceeded_sample_limit_total",
    "prometheus_notifications_dropped_total",
];

/// The example, with a receiver in the place of others, who need not wait for what else there may be.
fn alertmanager(receiver: &Receiver) -> String {
    let base = receiver.url.trim_end_matches("hook");
    let changes = [
        ("https://pager.example.com/alerts", format!("{base}pager")),
        ("https://tickets.example.com/alerts", format!("{base}tickets")),
        ("group_wait: 30s", "group_wait: 1s".to_owned()),
        ("group_interval: 5m", "group_interval: 1s".to_owned()),
    ];
    changes.iter().fold(ALERTMANAGER.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    })
}

/// An alert, as somebody was told of it.
#[derive(Debug)]
struct Told {
    /// The request's first line.
    whom: String,
    alert: Value,
}

impl Told {
    fn label(&self, name: &str) -> &str {
        self.alert["labels"][name].as_str().unwrap_or_default()
    }

    fn is(&self, name: &str, status: &str) -> bool {
        self.label("alertname") == name && self.alert["status"] == status
    }
}

/// Everything that was told, in order.
fn all_told(receiver: &Receiver) -> Vec<Told> {
    let requests = receiver.requests().into_iter();
    let told = requests.flat_map(|request| {
        let alerts = request.json()["alerts"].as_array().expect("a list").clone();
        alerts.into_iter().map(move |alert| Told { whom: request.line.clone(), alert })
    });
    told.collect()
}

/// Waits until somebody was told of an alert, and shows the first time.
async fn until_told(receiver: &Receiver, name: &str, status: &str) -> Told {
    let began = Instant::now();
    loop {
        let mut told = all_told(receiver);
        if let Some(at) = told.iter().position(|told| told.is(name, status)) {
            return told.swap_remove(at);
        }
        assert!(began.elapsed() < PATIENCE, "{name} never was {status}: {told:#?}");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_on_call_is_told_of_a_failure_and_of_its_end() {
    let receiver = Receiver::start([]).await;
    let alertmanager = Alertmanager::start(&alertmanager(&receiver)).await;
    let demo = demo::start().await;
    let prometheus = Server::alerting(&demo.url, RULES, &alertmanager.program.url).await;

    let failed = until_told(&receiver, "FleetWiseRegistrationFailed", "firing").await;
    assert_eq!(failed.whom, "POST /pager HTTP/1.1");
    let labels = json!({
        "alertname": "FleetWiseRegistrationFailed", "severity": "critical",
        "aws_account_id": FAILED.0, "aws_region": "us-east-1",
    });
    assert_eq!(failed.alert["labels"], labels);
    let summary =
        format!("The FleetWise registration of {} ({}) in us-east-1 has failed", FAILED.1, FAILED.0);
    assert_eq!(failed.alert["annotations"]["summary"], summary.as_str());
    let description = failed.alert["annotations"]["description"].as_str().expect("a text");
    assert!(description.contains("REGISTRATION_FAILURE for: account iam."), "{description}");

    let suspended = until_told(&receiver, "GovCloudAccountSuspended", "firing").await;
    assert_eq!(suspended.whom, "POST /pager HTTP/1.1");
    let closed = until_told(&receiver, "GovCloudAccountClosed", "firing").await;
    assert_eq!(closed.whom, "POST /tickets HTTP/1.1");
    // Has to last for ten minutes to be told.
    let denied = r#"ALERTS{alertname="RegwatchAccessDenied"}"#;
    let denied = prometheus.until("somebody is denied", denied, |found| !found.is_empty()).await;
    let labels = denied.iter().map(|series| series.labels(["aws_account_id", "alertstate"]));
    assert_eq!(labels.collect::<Vec<_>>(), [[DENIED.0, "pending"]]);

    let mended = until_told(&receiver, "FleetWiseRegistrationFailed", "resolved").await;
    assert_eq!(mended.whom, failed.whom);
    assert_eq!(mended.alert["fingerprint"], failed.alert["fingerprint"]);
    let told: BTreeSet<_> = all_told(&receiver)
        .iter()
        .map(|told| (told.label("alertname").to_owned(), told.label("aws_account_id").to_owned()))
        .collect();
    assert_eq!(told, ALERTED.map(|(alert, id)| (alert.to_owned(), id.to_owned())).into());
    let firing = prometheus.query(r#"ALERTS{alertstate="firing"}"#).await;
    let firing: BTreeSet<_> =
        firing.iter().map(|series| series.labels(["alertname", "aws_account_id"])).collect();
    assert_eq!(firing, ALERTED[1..].iter().map(|&(alert, id)| [alert, id]).collect());

    counted_what_happened(&prometheus).await;
    evaluated_every_rule(&prometheus).await;
    took_every_sample(&prometheus).await;
    let page = Page::of(&reqwest::Client::new(), &demo.url).await;
    assert_promtool_is_content(&page.0);
    as_python_reads(&page.0);
}

/// Asserts that the failure was counted once for each resource, visibly for `increase()`: a counter that
/// began at 1 would have had none.
async fn counted_what_happened(prometheus: &Server) {
    let expected = ["account", "iam"].map(|resource| [FAILED.0, "us-east-1", resource].map(str::to_owned));
    let expected = BTreeSet::from(expected);
    let whose = |found: &[Series]| -> BTreeSet<_> {
        let labels = ["aws_account_id", "aws_region", "resource"];
        found.iter().map(|series| series.labels(labels).map(str::to_owned)).collect()
    };
    for expression in [
        r#"regwatch_transitions_total{from="REGISTRATION_PENDING", to="REGISTRATION_FAILURE"} == 1"#,
        r#"increase(regwatch_transitions_total{to="REGISTRATION_FAILURE"}[1h]) > 0"#,
    ] {
        assert_eq!(whose(&prometheus.query(expression).await), expected, "{expression}");
    }
}

/// Asserts that Prometheus could evaluate all alerts.
async fn evaluated_every_rule(prometheus: &Server) {
    let told: Value = prometheus.api("rules").await;
    let groups = told["groups"].as_array().expect("a list");
    let rules: Vec<_> = groups.iter().flat_map(|group| group["rules"].as_array().expect("a list")).collect();
    assert_eq!(rules.len(), RULES.matches("- alert:").count() + RULES.matches("- record:").count());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}

/// Asserts that scrapes succeeded, and that no sample of any was refused, dropped or there twice.
async fn took_every_sample(prometheus: &Server) {
    // A machine that stands still for seconds lets a scrape run out of its second.
    let up = "avg_over_time(up[5m]) > 0.9 and count_over_time(up[5m]) > 15 and up == 1";
    prometheus.until("nearly all scrapes succeeded", up, |found| found.len() == 1).await;
    // Of two equal samples in one scrape the second is taken for the first, and only the sum tells.
    let twice =
        r#"scrape_samples_scraped - on () count({job="regwatch", __name__!~"up|scrape_.*|ALERTS.*|.*:.*"})"#;
    let twice = prometheus.query(twice).await;
    assert_eq!(twice.iter().map(Series::value).collect::<Vec<_>>(), [0.0]);
    let own = Page(prometheus.get("/metrics").await.1);
    for count in NOT_TAKEN {
        assert_eq!(own.sum(count), 0.0, "{count}");
        assert!(own.count(count) > 0, "{count}");
    }
    let log = prometheus.program.log();
    let complaints = |line: &&str| line.contains("level=warn") || line.contains("level=error");
    assert_eq!(log.lines().find(complaints), None);
}
