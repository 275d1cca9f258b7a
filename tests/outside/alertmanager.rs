//! A real Alertmanager. It takes what the template in `deploy/webhook` makes: the alert fires while somebody is
//! needed, and ends with the event that makes it well.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use regwatch::model::Status;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::posting::Posting;
use crate::program::Program;

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(60);

/// One at work.
pub(crate) struct Alertmanager {
    pub(crate) program: Program,
    client: reqwest::Client,
    /// Its configuration and its data, gone after it.
    _folder: TempDir,
}

impl Alertmanager {
    pub(crate) async fn start(config: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::write(folder.path().join("alertmanager.yml"), config).expect("writable");
        let mut command = Command::new("prometheus-alertmanager");
        command.current_dir(&folder).args(["--config.file=alertmanager.yml", "--storage.path=data"]);
        command.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]);
        let program = Program::start(&mut command, "Listening on").await;
        Self { program, client: reqwest::Client::new(), _folder: folder }
    }

    /// The alerts that are firing, as its API tells them.
    async fn firing(&self) -> Vec<Value> {
        let url = format!("{}/api/v2/alerts?active=true", self.program.url);
        let text = self.client.get(url).send().await.expect("an answer").text().await.expect("a text");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    async fn until_firing(&self, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let firing = self.firing().await;
            if firing.len() == count {
                return firing;
            }
            assert!(began.elapsed() < PATIENCE, "not {count}, but {firing:#?}\n{}", self.program.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What its own tool finds firing.
    fn amtool(&self) -> String {
        let url = format!("--alertmanager.url={}", self.program.url);
        let said = Command::new("amtool").args([&url, "alert", "query", "alertname=RegwatchState"]).output();
        let said = said.expect("tests/run has installed it");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).expect("UTF-8")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_fires_while_somebody_is_needed_and_no_longer() {
    let alertmanager = Alertmanager::start("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").await;
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/webhook/alertmanager.json.j2");
    let url = format!("{}/api/v2/alerts", alertmanager.program.url);
    let posting = Posting::start(&url, &format!(", template_file: '{}'", template.display())).await;

    posting.append(Status::RegistrationFailure).await;
    posting.append(Status::Suspended).await;
    let firing = alertmanager.until_firing(2).await;
    let labels = json!({
        "alertname": "RegwatchState", "severity": "error", "aws_account_id": "000000000000",
        "aws_region": "us-east-1", "probe": "fleetwise", "resource": "account",
    });
    let registration = firing.iter().find(|alert| alert["labels"] == labels);
    let registration = registration.unwrap_or_else(|| panic!("{firing:#?}"));
    assert_eq!(registration["annotations"]["summary"], "regwatch test: account is REGISTRATION_FAILURE");
    assert!(registration["endsAt"].as_str() > Some("2098"), "it does not end by itself: {registration}");
    assert!(alertmanager.amtool().contains("regwatch test: account is REGISTRATION_FAILURE"));

    // It is at work on it again: nobody is needed, whatever comes of it.
    posting.append(Status::RegistrationPending).await;
    let [suspended] = &alertmanager.until_firing(1).await[..] else { unreachable!("there is one") };
    assert_eq!(suspended["annotations"]["state"], "SUSPENDED");
    posting.append(Status::RegistrationFailure).await;
    alertmanager.until_firing(2).await;
    posting.append(Status::RegistrationSuccess).await;
    posting.append(Status::Active).await;
    alertmanager.until_firing(0).await;
    assert!(!alertmanager.amtool().contains("regwatch test"), "{}", alertmanager.amtool());
    let progress = posting.end().await;
    assert_eq!((progress.delivered(), progress.parked()), (6, 0));
}
