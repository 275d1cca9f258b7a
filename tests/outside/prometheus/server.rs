//! A Prometheus that scrapes a daemon every second, or several, and how to ask it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::program::Program;

/// How long a condition may take to come true; the demo's last event comes after 96 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// A Prometheus at work.
pub(crate) struct Server {
    pub(crate) program: Program,
    client: reqwest::Client,
    /// Its configuration and its data, gone after it.
    _folder: TempDir,
}

/// A series of an instant query's answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Series {
    /// Its labels, the name included where it has one.
    #[serde(rename = "metric")]
    pub(crate) labels: BTreeMap<String, String>,
    /// When, and what.
    value: (f64, String),
}

/// A series of a range query's answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    #[serde(rename = "metric")]
    pub(crate) labels: BTreeMap<String, String>,
    /// When, and what.
    pub(crate) values: Vec<(f64, String)>,
}

impl Series {
    pub(crate) fn value(&self) -> f64 {
        self.value.1.parse().expect("Prometheus writes numbers so")
    }

    /// The values of these labels; of one that it does not have, nothing.
    pub(crate) fn labels<const N: usize>(&self, names: [&str; N]) -> [&str; N] {
        names.map(|name| self.labels.get(name).map_or("", String::as_str))
    }
}

impl Server {
    /// Starts one that scrapes the daemon at `url`; `how` are keys of the job: `key: value, `.
    pub(crate) async fn start(url: &str, how: &str) -> Self {
        Self::launch(&format!("{how}{}", only(url)), "", "").await
    }

    /// Starts one that scrapes those that a file names, whoever they are at the time; `how` as above.
    pub(crate) async fn following(file: &Path, how: &str, rules: &str) -> Self {
        let job = format!("{how}file_sd_configs: [{{files: ['{}'], refresh_interval: 1s}}]", file.display());
        Self::launch(&job, rules, "").await
    }

    /// Starts one that scrapes the daemon at `url`, and tells an Alertmanager of alerts.
    pub(crate) async fn alerting(url: &str, rules: &str, alertmanager: &str) -> Self {
        let alertmanager = address(alertmanager);
        let alerting =
            format!("alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alertmanager}']}}]}}]}}");
        Self::launch(&only(url), rules, &alerting).await
    }

    async fn launch(job: &str, rules: &str, alerting: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
{alerting}
scrape_configs: [{{job_name: regwatch, {job}}}]\n"
        );
        fs::write(folder.path().join("rules.yml"), rules).expect("it can be written");
        fs::write(folder.path().join("prometheus.yml"), config).expect("it can be written");
        let mut command = Command::new("prometheus");
        command.current_dir(&folder).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg("--web.listen-address=127.0.0.1:0");
        let program = Program::start(&mut command, "Listening on").await;
        let server = Self { program, client: reqwest::Client::new(), _folder: folder };
        server.until_ready().await;
        server
    }

    async fn until_ready(&self) {
        let began = Instant::now();
        while self.get("/-/ready").await.0 != 200 {
            assert!(began.elapsed() < PATIENCE, "never ready:\n{}", self.program.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What a path answers: its status and its text.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("{}{path}", self.program.url)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }

    /// The `data` of an answer of its API.
    pub(crate) async fn api<T: DeserializeOwned>(&self, path: &str) -> T {
        #[derive(Deserialize)]
        struct Answer<T> {
            data: T,
        }
        let (status, text) = self.get(&format!("/api/v1/{path}")).await;
        assert_eq!(status, 200, "{path}: {text}");
        let answer: Answer<T> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        answer.data
    }

    /// What an expression is worth now.
    pub(crate) async fn query(&self, expression: &str) -> Vec<Series> {
        #[derive(Deserialize)]
        struct Data {
            result: Vec<Series>,
        }
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("query", expression).finish();
        self.api::<Data>(&format!("query?{query}")).await.result
    }

    /// By its clock, in Unix seconds.
    pub(crate) async fn now(&self) -> f64 {
        self.query("vector(time())").await[0].value()
    }

    /// What an expression was worth from then until now, every so many seconds.
    pub(crate) async fn past(&self, expression: &str, from: f64, step: u32) -> Vec<Line> {
        #[derive(Deserialize)]
        struct Matrix {
            result: Vec<Line>,
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("query", expression).append_pair("step", &step.to_string());
        query.append_pair("start", &from.to_string()).append_pair("end", &self.now().await.to_string());
        self.api::<Matrix>(&format!("query_range?{}", query.finish())).await.result
    }

    /// Asks until the answer is as described.
    pub(crate) async fn until(
        &self,
        described: &str,
        expression: &str,
        is_so: impl Fn(&[Series]) -> bool,
    ) -> Vec<Series> {
        let began = Instant::now();
        loop {
            let series = self.query(expression).await;
            if is_so(&series) {
                return series;
            }
            assert!(began.elapsed() < PATIENCE, "never came true: {described}\n{series:#?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// What is scraped: this one alone.
fn only(url: &str) -> String {
    format!("static_configs: [{{targets: ['{}']}}]", address(url))
}

/// Host and port of a URL.
fn address(url: &str) -> &str {
    url.trim_start_matches("http://")
}
