//! What is wrong with a webhook is told before it is used, and the templates of `deploy/webhook` make what
//! their receivers ask for. What is sent is tested over HTTP, in `tests/integration`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::config::{Config, Secret, Source};
use crate::model::{Entry, Status, TransitionKind};
use crate::sink::sample::{rehearsal, sample};

fn webhook(name: &str) -> config::Webhook {
    config::Webhook {
        name: name.into(),
        url: Source::Here(Secret::new("https://example.com/hunter2")),
        secret_file: None,
        headers: Vec::new(),
        template: None,
        on: On::default(),
        timeout: Duration::from_secs(10),
    }
}

fn problems(webhooks: &[config::Webhook]) -> Vec<String> {
    let errors = Webhook::open_all(webhooks, Clock::System).expect_err("something is wrong");
    let lines = errors.to_string().lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(!format!("{errors} {errors:?}").contains("hunter"), "{errors}");
    assert_eq!(lines.len(), errors.0.len(), "one line each: {errors}");
    lines
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_no_content_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let header = |name: &str, text: &str| (name.parse().unwrap(), Source::File(file(name, text)));
    let first = config::Webhook {
        url: Source::File(file("url", "hunter2\n")),
        secret_file: Some(file("secret", "whsec_hunter2\n")),
        headers: vec![header("x-two", "hunter\n2"), header("x-none", "\n"), header("x-good", "good\n")],
        template: Some(Source::File(file("template", "{\n{{ hunted }}}"))),
        ..webhook("first")
    };
    let second = config::Webhook {
        url: Source::File(folder.path().join("missing")),
        secret_file: Some(folder.path().to_owned()),
        template: Some(Source::Here(Secret::new("{{ data.account_name }}"))),
        ..webhook("second")
    };
    let found = problems(&[first.clone(), webhook("good"), second]);
    let folder = folder.path().display();
    let right = "write it as https://HOST/PATH";
    let secret =
        "has no secret in line 1; write whsec_ and the base64 of 24 to 64 random bytes, one secret a line";
    assert_eq!(
        found,
        [
            format!("webhook `first`: `url_file` {folder}/url is no URL (relative URL without a base); {right}"),
            format!("webhook `first`: `secret_file` {folder}/secret {secret}"),
            format!("webhook `first`: `headers.x-two` {folder}/x-two holds no value of a header; write one on one line"),
            format!("webhook `first`: `headers.x-none` {folder}/x-none holds no value of a header; write one on one line"),
            format!("webhook `second`: `url_file` {folder}/missing cannot be read: No such file or directory (os error 2)"),
            format!("webhook `second`: `secret_file` {folder} cannot be read: Is a directory (os error 21)"),
            "webhook `second`: `template`: for an event of kind first_seen, line 1 of what it makes is not JSON; \
             write `| tojson` after each value, without quotes around it"
                .to_owned(),
        ]
    );
    let found = problems(&[config::Webhook { headers: Vec::new(), ..first }]);
    assert!(found[2].contains("/template: line 2: undefined value: "), "{found:?}");
}

#[test]
fn it_does_not_show_what_may_be_secret() {
    let config = config::Webhook {
        headers: vec![("authorization".parse().unwrap(), Source::Here(Secret::new("hunter2")))],
        ..webhook("shy")
    };
    let opened = Webhook::open(&config, Clock::System).unwrap();
    let shown = format!("{config:?} {opened:?}");
    assert!(shown.contains("shy") && !shown.contains("hunter") && !shown.contains("example.com"), "{shown}");
}

/// What a template of `deploy/webhook` makes of events.
struct Deployed(Template);

impl Deployed {
    fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/webhook").join(name);
        let text = std::fs::read_to_string(path).unwrap();
        Self(Template::parse(text, true).unwrap_or_else(|wrong| panic!("{name}: {wrong}")))
    }

    fn body(&self, entry: &Entry) -> Value {
        serde_json::from_str(&self.0.render(&CloudEvent::from(entry)).unwrap()).unwrap()
    }

    fn sample(&self, to: Status) -> Value {
        self.body(&sample(to, "2026-11-21T12:00:00Z".parse().unwrap()))
    }
}

/// Source: <https://docs.slack.dev/reference/block-kit/blocks>.
#[test]
fn slack_gets_blocks_of_plain_text() {
    let slack = Deployed::read("slack.json.j2");
    let body = slack.sample(Status::RegistrationFailure);
    assert_eq!(body["text"], "account of 000000000000: REGISTRATION_FAILURE");
    assert_eq!(body["blocks"][0]["text"]["text"], ":red_circle: REGISTRATION_FAILURE");
    assert_eq!(
        body["blocks"][1]["fields"][0],
        json!({"type": "plain_text", "text": "Account\nregwatch test (000000000000, us-east-1)"})
    );
    assert_eq!(body["blocks"][1]["fields"][2]["text"], "Change\nREGISTRATION_PENDING → REGISTRATION_FAILURE");
    assert_eq!(body["blocks"][2]["text"]["text"], "This is a sample, sent to test a webhook.");
    let over = slack.body(&ended(Status::RegistrationFailure));
    assert_eq!(over["blocks"][0]["text"]["text"], "REGISTRATION_FAILURE");
    assert_eq!(over["blocks"][1]["fields"][2]["text"], "Change\nnot watched any more");
    let well = slack.sample(Status::Active);
    assert_eq!(well["blocks"][0]["text"]["text"], "ACTIVE");
    assert_eq!(well["blocks"].as_array().unwrap().len(), 2);
    for entry in rehearsal() {
        let body = slack.body(&entry);
        // What Slack allows: a header of 150 characters, fields of 2,000 and texts of 3,000.
        let header = body["blocks"][0]["text"]["text"].as_str().unwrap();
        assert!(header.chars().count() <= 150, "{body}");
    }
}

/// Source: <https://learn.microsoft.com/connectors/teams/>, "Post to a channel when a webhook request is
/// received"; <https://adaptivecards.io/explorer/>.
#[test]
fn teams_gets_an_adaptive_card() {
    let teams = Deployed::read("teams.json.j2");
    let body = teams.sample(Status::Suspended);
    assert_eq!(body["type"], "message");
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    assert_eq!(card["body"][0]["text"], "govcloud govcloud_account: SUSPENDED");
    assert_eq!(card["body"][0]["color"], "Attention");
    assert_eq!(
        card["body"][1]["facts"][0],
        json!({"title": "Account", "value": "regwatch test (000000000000)"})
    );
    assert_eq!(teams.sample(Status::Active)["attachments"][0]["content"]["body"][0]["color"], "Good");
}

/// Source: <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>.
#[test]
fn pagerduty_opens_and_resolves_one_incident_a_subject() {
    let pagerduty = Deployed::read("pagerduty.json.j2");
    let trigger = pagerduty.sample(Status::RegistrationFailure);
    assert_eq!(trigger["event_action"], "trigger");
    assert_eq!(trigger["dedup_key"], "000000000000/fleetwise/us-east-1/account");
    assert_eq!(trigger["routing_key"].as_str().unwrap().len(), 32);
    assert_eq!(trigger["payload"]["summary"], "regwatch test: account is REGISTRATION_FAILURE");
    assert_eq!(trigger["payload"]["source"], "000000000000");
    assert_eq!(trigger["payload"]["severity"], "error");
    assert_eq!(trigger["payload"]["timestamp"], "2026-11-21T12:00:00Z");
    assert_eq!(trigger["payload"]["custom_details"]["region"], "us-east-1");
    let resolve = pagerduty.sample(Status::RegistrationSuccess);
    assert_eq!(resolve["event_action"], "resolve");
    assert_eq!(resolve["dedup_key"], trigger["dedup_key"]);
    assert_eq!(pagerduty.sample(Status::Suspended)["event_action"], "trigger");
    let ended = pagerduty.body(&ended(Status::RegistrationFailure));
    assert_eq!((&ended["event_action"], &ended["dedup_key"]), (&json!("resolve"), &trigger["dedup_key"]));
}

/// What failed is not watched any more.
fn ended(to: Status) -> Entry {
    let mut entry = sample(to, "2026-11-21T12:00:00Z".parse().unwrap());
    entry.event.transition.kind = TransitionKind::Ended;
    entry.event.transition.from = Some(to);
    entry
}

/// Source: Alertmanager's own `api/v2/openapi.yaml`; a real one takes these in `tests/outside`.
#[test]
fn alertmanager_ends_the_alert_that_it_fired() {
    let alertmanager = Deployed::read("alertmanager.json.j2");
    let [firing, well] = [Status::RegistrationFailure, Status::RegistrationSuccess]
        .map(|to| alertmanager.sample(to)[0].clone());
    assert_eq!(firing["labels"], well["labels"], "the labels name the alert");
    assert_eq!(firing["startsAt"], "2026-11-21T12:00:00Z");
    assert_eq!(well["endsAt"], "2026-11-21T12:00:00Z");
    assert!(well.get("startsAt").is_none(), "{well}");
    let ended = alertmanager.body(&ended(Status::RegistrationFailure))[0].clone();
    assert_eq!((&ended["labels"], &ended["endsAt"]), (&firing["labels"], &well["endsAt"]));
    // Labels and annotations are texts; a label must not be empty.
    for alert in rehearsal().map(|entry| alertmanager.body(&entry)[0].clone()) {
        let labels = alert["labels"].as_object().unwrap().values();
        assert!(
            labels.into_iter().all(|label| label.as_str().is_some_and(|text| !text.is_empty())),
            "{alert}"
        );
        assert!(alert["annotations"].as_object().unwrap().values().all(Value::is_string), "{alert}");
    }
}

#[test]
fn the_readme_of_the_templates_shows_sound_configuration() {
    let readme = include_str!("../../../deploy/webhook/README.md");
    let (_, yaml) = readme.split_once("```yaml\n").unwrap();
    let (yaml, _) = yaml.split_once("```").unwrap();
    let yaml = format!(
        "identities: {{hub: {{}}}}\naccounts: [{{id: '111122223333', govcloud: {{identity: hub}}}}]\n{yaml}"
    );
    let (config, warnings) = Config::parse("README.md", &yaml).unwrap();
    assert_eq!((config.webhooks.len(), warnings), (1, vec![]));
}
