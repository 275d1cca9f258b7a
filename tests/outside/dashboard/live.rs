//! Each of its queries, asked of a Prometheus that scraped two daemons, one of which was lost and replaced:
//! it returns data, of the right ones, with every label that is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Chosen, Query, dashboard, list, panels, queries, text};
use crate::demo::{self, CLOSED, DENIED, FAILED, SUSPENDED};
use crate::pki::Authority;
use crate::program::Program;
use crate::prometheus::server::{Line, Series, Server};

/// An account that is always well.
const WELL: (&str, &str) = ("100000000111", "fleet-prod-us");

/// One that is in no registry.
const MISSING: (&str, &str) = ("100000000199", "diagnostics-lab");

/// What changed and came back between two polls.
const MODIFIED: [&str; 3] = ["connected-services", "account", "REGISTRATION_SUCCESS"];

/// That two daemons have shown the account that is suspended in the end, and have given up on who is denied.
const SHOWN: &str = r#"count(regwatch_transitions_total{to="SUSPENDED"} == 1) == 2
    and on () count(regwatch_target_stale == 1) == 2"#;

/// When it is so that, besides, a registration has failed, all but who is denied answer, and no event waits.
const MOMENT: &str = r#"vector(time())
    and on () count(aws_fleetwise_registration_status{resource="account", status="REGISTRATION_FAILURE"} == 1) == 2
    and on () count(regwatch_target_up == 0) == 2
    and on () max(regwatch_event_delivery_lag_seconds) == 0 and on () "#;

/// What each number in the first line is at that moment: of all accounts, of the one that failed, of one that is
/// well.
const NUMBERS: [(&str, [f64; 3]); 8] = [
    ("Failed registrations", [1.0, 1.0, 0.0]),
    ("Not registered", [1.0, 0.0, 0.0]),
    ("Pending too long", [0.0, 0.0, 0.0]),
    ("GovCloud in trouble", [2.0, 0.0, 0.0]),
    ("Targets not answering", [1.0, 0.0, 0.0]),
    ("Stale targets", [1.0, 0.0, 0.0]),
    ("Oldest undelivered event", [0.0, 0.0, 0.0]),
    ("Daemons not scraped", [0.0, 0.0, 0.0]),
];

/// What is shown of an answer: the labels of each series, and its values.
type Shown = Vec<(BTreeMap<String, String>, Vec<f64>)>;

/// Two demos behind TLS, and a Prometheus that scrapes them from the first second on.
struct Stage {
    client: reqwest::Client,
    demos: [Program; 2],
    prometheus: Server,
    /// By the clock of Prometheus.
    began: f64,
    /// When the first two had shown it all.
    moment: f64,
    /// What they are configured with, gone after them.
    _folder: TempDir,
}

impl Stage {
    /// Lets the one daemon show everything, loses the other and replaces it, and lets that show everything.
    async fn play() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let authority = Authority::new("the authority");
        authority.server().write(folder.path(), "server");
        fs::write(path("ca.crt"), &authority.pem).expect("it can be written");
        fs::write(path("web.yaml"), "tls_server_config: {cert_file: server.crt, key_file: server.key}\n")
            .expect("it can be written");
        let first = demo::start_behind(Some(&path("web.yaml"))).await;
        let second = demo::start_behind(Some(&path("web.yaml"))).await;
        discover(&path("others.json"), &second);
        let how = format!(
            "scheme: https, tls_config: {{ca_file: '{}'}}, file_sd_configs: [{{files: ['{}'], refresh_interval: 1s}}], ",
            path("ca.crt").display(),
            path("others.json").display()
        );
        let prometheus = Server::start(&first.url, &how).await;
        let began = prometheus.now().await;
        let moment = format!("{MOMENT}{SHOWN}");
        let moment =
            prometheus.until("two daemons have shown it all", &moment, |found| !found.is_empty()).await;
        let moment = moment[0].value();

        drop(second);
        let lost = query_of("Daemons not scraped");
        prometheus.until("one is lost", &lost, |found| found[0].value() == 1.0).await;
        let third = demo::start_behind(Some(&path("web.yaml"))).await;
        discover(&path("others.json"), &third);
        prometheus.until("so has its successor", SHOWN, |found| !found.is_empty()).await;
        let root = reqwest::Certificate::from_pem(authority.pem.as_bytes()).expect("a certificate");
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().expect("a client");
        Self { client, demos: [first, third], prometheus, began, moment, _folder: folder }
    }

    /// What a query returns.
    async fn ask(&self, query: &Query, chosen: Chosen<'_>) -> Shown {
        let expr = chosen.put_into(&query.expr);
        if query.is_instant {
            let series = self.prometheus.query(&expr).await;
            series.into_iter().map(|series| (series.labels.clone(), vec![series.value()])).collect()
        } else {
            self.past(&expr).await
        }
    }

    /// What an expression was worth since the beginning.
    async fn past(&self, expr: &str) -> Shown {
        let lines = self.prometheus.past(expr, self.began, 2).await;
        let values =
            |line: &Line| line.values.iter().map(|(_, value)| value.parse().expect("a number")).collect();
        lines.into_iter().map(|line| (line.labels.clone(), values(&line))).collect()
    }

    /// What an expression was worth at the moment.
    async fn then(&self, expr: &str) -> Vec<Series> {
        #[derive(Deserialize)]
        struct Vector {
            result: Vec<Series>,
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("query", expr).append_pair("time", &self.moment.to_string());
        self.prometheus.api::<Vector>(&format!("query?{}", query.finish())).await.result
    }

    async fn numbers_are_right(&self) {
        for (title, expected) in NUMBERS {
            for (account, expected) in [".*", FAILED.0, WELL.0].into_iter().zip(expected) {
                // What is about daemons is so whatever account is chosen.
                let chosen = Chosen { account, ..Chosen::ALL };
                let found = self.then(&chosen.put_into(&one_query(title).expr)).await;
                let values: Vec<_> = found.iter().map(Series::value).collect();
                assert_eq!(values, [expected], "{title} of account {account}");
            }
        }
    }

    async fn tables_are_right(&self) {
        let rows = [
            [FAILED.1, "account", "REGISTRATION_FAILURE"],
            [FAILED.1, "iam", "REGISTRATION_FAILURE"],
            [MISSING.1, "account", "NOT_REGISTERED"],
            [SUSPENDED.1, "", "SUSPENDED"],
            [CLOSED.1, "", "CLOSED"],
        ];
        let found = self.then(&query_of("States that need somebody")).await;
        let shown: BTreeSet<_> =
            found.iter().map(|row| row.labels(["account_name", "resource", "status"])).collect();
        assert_eq!((shown, found.len()), (BTreeSet::from(rows), rows.len()));
        let found = self.then(&query_of("Targets that do not answer")).await;
        let shown: Vec<_> = found.iter().map(|row| row.labels(["account_name", "probe", "reason"])).collect();
        assert_eq!(shown, [[DENIED.1, "fleetwise", "access_denied"]]);
    }
}

/// Tells Prometheus of a daemon besides the first.
fn discover(file: &Path, other: &Program) {
    let target = other.url.trim_start_matches("http://");
    // Renamed, so that it is never read half.
    let draft: PathBuf = file.with_extension("draft");
    fs::write(&draft, json!([{ "targets": [target] }]).to_string()).expect("it can be written");
    fs::rename(&draft, file).expect("it can be renamed");
}

/// The only query, or the first, of what has this title.
fn one_query(title: &str) -> Query {
    let all = queries(&dashboard());
    all.into_iter().find(|query| query.of == title).unwrap_or_else(|| panic!("nothing is called {title}"))
}

/// The same with everything put in.
fn query_of(title: &str) -> String {
    Chosen::ALL.put_into(&one_query(title).expr)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_returns_what_is_there() {
    let stage = Stage::play().await;
    let dashboard = dashboard();
    stage.numbers_are_right().await;
    stage.tables_are_right().await;
    every_query_has_data(&stage, &dashboard).await;
    every_label_that_is_shown_is_there(&stage, &dashboard).await;
    every_code_has_a_word(&stage, &dashboard).await;
    what_lasts_too_long_is_seen(&stage).await;
    transitions_are_marked(&stage).await;
    variables_can_be_chosen(&stage, &dashboard).await;
    links_lead_to_the_account(&stage).await;
}

async fn every_query_has_data(stage: &Stage, dashboard: &Value) {
    let all = queries(dashboard);
    assert!(all.len() > 50, "{}", all.len());
    let several = format!("({}|{})", WELL.0, DENIED.0);
    for query in &all {
        let shown = stage.ask(query, Chosen::ALL).await;
        let is_known = shown.iter().any(|(_, values)| values.iter().any(|value| value.is_finite()));
        assert!(is_known, "{} has no data: {shown:?}\n{}", query.of, query.expr);
        for (account, region, probe) in [
            (FAILED.0, "us-east-1", "fleetwise"),
            (&several, "(us-east-1|eu-central-1)", "(fleetwise|govcloud)"),
            (SUSPENDED.0, "us-east-1", "govcloud"),
        ] {
            let narrowed = stage.ask(query, Chosen { account, region, probe }).await;
            let accounts = narrowed.iter().filter_map(|(labels, _)| labels.get("aws_account_id"));
            for found in accounts {
                assert!(account.contains(found.as_str()), "{}: {found}, not {account}", query.of);
            }
        }
    }
}

/// The names in double braces.
fn names(template: &str) -> Vec<&str> {
    template.split("{{").skip(1).map(|rest| rest.split("}}").next().expect("an end")).collect()
}

async fn every_label_that_is_shown_is_there(stage: &Stage, dashboard: &Value) {
    for annotation in list(&dashboard["annotations"]["list"]) {
        let query = &queries(annotation)[0];
        let shown = stage.ask(query, Chosen::ALL).await;
        let [title, words] = ["titleFormat", "textFormat"].map(|name| text(&annotation[name]));
        let tags = text(&annotation["tagKeys"]).split(',');
        for name in names(title).into_iter().chain(names(words)).chain(tags) {
            assert!(shown.iter().any(|(labels, _)| labels.contains_key(name)), "{}: {name}", query.of);
        }
    }
    for panel in panels(dashboard) {
        let title = text(&panel["title"]);
        let several = list(&panel["targets"]).count() > 1;
        let mut columns = BTreeSet::from(["Time".to_owned()]);
        for target in list(&panel["targets"]) {
            let query = &queries(target)[0];
            let shown = stage.ask(query, Chosen::ALL).await;
            let labels: BTreeSet<_> = shown.into_iter().flat_map(|(labels, _)| labels.into_keys()).collect();
            for name in target["legendFormat"].as_str().map(names).unwrap_or_default() {
                assert!(labels.contains(name), "{title}: {name} is none of {labels:?}");
            }
            columns.extend(labels);
            let value =
                if several { format!("Value #{}", text(&target["refId"])) } else { "Value".to_owned() };
            columns.insert(value);
        }
        if panel["type"] == "table" {
            let organize = list(&panel["transformations"]).last().expect("the order of columns");
            let named = ["excludeByName", "indexByName"]
                .into_iter()
                .flat_map(|list| organize["options"][list].as_object().expect("names").keys().cloned());
            assert_eq!(named.collect::<BTreeSet<_>>(), columns, "{title}");
            for over in list(&panel["fieldConfig"]["overrides"]) {
                assert!(columns.contains(text(&over["matcher"]["options"])), "{title}: {over}");
            }
        }
    }
}

async fn every_code_has_a_word(stage: &Stage, dashboard: &Value) {
    for panel in panels(dashboard).into_iter().filter(|panel| panel["type"] == "state-timeline") {
        let words = &panel["fieldConfig"]["defaults"]["mappings"][0]["options"];
        let mut seen = BTreeSet::new();
        for (labels, values) in stage.ask(&queries(panel)[0], Chosen::ALL).await {
            for value in values {
                assert!(words[value.to_string()]["text"].is_string(), "{value} of {labels:?}");
                seen.insert(value.to_string());
            }
        }
        assert!(seen.len() > 1, "{}: only {seen:?}", panel["title"]);
    }
}

/// What is pending is so for a few seconds here, so states that last stand in for it, and a second for what is
/// too long.
async fn what_lasts_too_long_is_seen(stage: &Stage) {
    let other = |title: &str| {
        let mut expr = query_of(title);
        for (wanted, stand_in) in [
            (" 1800", " 1"),
            (" 86400", " 1"),
            ("\"REGISTRATION_PENDING\"", "\"REGISTRATION_SUCCESS\""),
            ("\"PENDING_ACTIVATION\"", "\"ACTIVE\""),
        ] {
            assert!(expr.contains(wanted), "{wanted} is not in {expr}");
            expr = expr.replace(wanted, stand_in);
        }
        expr
    };
    let number = |found: &[Series]| found.len() == 1 && found[0].value() == 10.0;
    stage
        .prometheus
        .until(
            "eight registrations, one in a part of it, and two accounts",
            &other("Pending too long"),
            number,
        )
        .await;
    let rows = stage.prometheus.query(&other("States that need somebody")).await;
    for (region, status) in [("us-east-1", "REGISTRATION_SUCCESS"), ("", "ACTIVE")] {
        let is_it = |row: &Series| {
            row.labels(["account_name", "aws_region", "status"]) == [WELL.1, region, status]
                && row.value() > 1.0
        };
        assert!(rows.iter().any(is_it), "{status} is not in {rows:#?}");
    }
}

async fn transitions_are_marked(stage: &Stage) {
    let marked = |shown: Shown| -> BTreeSet<[String; 3]> {
        let names = ["account_name", "resource", "to"];
        shown.into_iter().map(|(labels, _)| names.map(|name| labels[name].clone())).collect()
    };
    let worse = stage.ask(&one_query("For the worse"), Chosen::ALL).await;
    let share = |values: &[f64]| values.len() as f64;
    let all = stage.past("vector(1)").await;
    // A mark is short: as long as the window that it is found in, for each of the three daemons.
    for (labels, values) in &worse {
        assert!(share(values) < share(&all[0].1) / 2.0, "{labels:?} all the time: {values:?}");
    }
    let expected = [
        [FAILED.1, "account", "REGISTRATION_FAILURE"],
        [FAILED.1, "iam", "REGISTRATION_FAILURE"],
        [SUSPENDED.1, "govcloud_account", "SUSPENDED"],
    ];
    assert_eq!(marked(worse), BTreeSet::from(expected.map(|row| row.map(str::to_owned))));
    let other = marked(stage.ask(&one_query("Other transitions"), Chosen::ALL).await);
    assert!(other.contains(&[SUSPENDED.1, "govcloud_account", "ACTIVE"].map(str::to_owned)), "{other:?}");
    assert!(other.iter().all(|[_, _, to]| to != "SUSPENDED"), "{other:?}");
    // Its counter begins at 1, which `increase()` does not see.
    let returned = MODIFIED.map(str::to_owned);
    let listed = marked(stage.ask(&one_query("Transitions"), Chosen::ALL).await);
    assert!(other.contains(&returned) && listed.contains(&returned), "{other:?}\n{listed:?}");
}

/// As Grafana finds what can be chosen.
async fn variables_can_be_chosen(stage: &Stage, dashboard: &Value) {
    let mut found = BTreeMap::new();
    for variable in list(&dashboard["templating"]["list"]).filter(|variable| variable["type"] == "query") {
        let query = text(&variable["query"]["query"]);
        let arguments = query.split_once('(').expect("a function").1.strip_suffix(')').expect("an end");
        let choices = if query.starts_with("query_result(") {
            assert_eq!(variable["query"]["qryType"], 3);
            matched(text(&variable["regex"]), &stage.prometheus.query(arguments).await)
        } else {
            assert_eq!(variable["query"]["qryType"], 1, "{query}");
            let (metric, label) = arguments.split_once(", ").expect("two arguments");
            let path = format!("label/{label}/values?match[]={metric}");
            stage
                .prometheus
                .api::<Vec<String>>(&path)
                .await
                .into_iter()
                .map(|value| (value.clone(), value))
                .collect()
        };
        found.insert(text(&variable["name"]).to_owned(), choices);
    }
    let same = |values: &[&str]| values.iter().map(|value| (value.to_string(), value.to_string())).collect();
    assert_eq!(found["region"], same(&["ap-south-1", "eu-central-1", "us-east-1"]));
    assert_eq!(found["probe"], same(&["fleetwise", "govcloud"]));
    assert_eq!(found["account"].len(), 12, "{found:?}");
    let failed = (format!("{} {}", FAILED.1, FAILED.0), FAILED.0.to_owned());
    assert!(found["account"].contains(&failed), "{found:?}");
}

/// Texts and values that a regular expression of JavaScript finds in series, written as Grafana writes them.
fn matched(regex: &str, series: &[Series]) -> BTreeSet<(String, String)> {
    const SCRIPT: &str = r#"
        const { regex, lines } = JSON.parse(require("fs").readFileSync(0));
        const [, body, flags] = regex.match(/^\/(.*)\/(\w*)$/);
        const found = lines.map((line) => line.match(new RegExp(body, flags)).groups);
        console.log(JSON.stringify(found.map(({ text, value }) => [text, value])));
    "#;
    let line = |series: &Series| {
        let labels = series.labels.iter().filter(|(name, _)| *name != "__name__");
        let labels: Vec<_> = labels.map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        format!("{}{{{}}} 1 1700000000000", series.labels(["__name__"])[0], labels.join(","))
    };
    let lines: Vec<_> = series.iter().map(line).collect();
    let mut node = Command::new("node");
    node.args(["-e", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut node = node.spawn().expect("tests/run has installed it");
    let asked = json!({ "regex": regex, "lines": lines }).to_string();
    node.stdin.take().expect("piped").write_all(asked.as_bytes()).expect("it reads");
    let output = node.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("pairs")
}

async fn links_lead_to_the_account(stage: &Stage) {
    let link = "${regwatch}/?q=${__data.fields.aws_account_id}";
    assert!(super::DASHBOARD.contains(link));
    let url = stage.demos[0].url.replace("http:", "https:");
    let url = link.replace("${regwatch}", &url).replace("${__data.fields.aws_account_id}", FAILED.0);
    let answer = stage.client.get(url).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let page = answer.text().await.expect("a page");
    assert!(page.contains(FAILED.1) && !page.contains(WELL.1), "{page}");
}
