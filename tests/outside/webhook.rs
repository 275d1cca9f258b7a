//! Webhooks before a receiver that others wrote: `standardwebhooks` judges the signature, `cloudevents` the
//! body.

use std::path::Path;
use std::process::Command;

use regwatch::model::Status;
use regwatch::sink::CloudEvent;
use serde_json::{Value, json};

use crate::posting::Posting;
use crate::program::Program;

/// The secrets that sign, the older first, and one that does not.
const SECRETS: [&str; 3] = [
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
    "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
];

#[tokio::test(flavor = "multi_thread")]
async fn its_signature_is_verified_and_its_body_is_a_cloudevent() {
    let secrets = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(secrets.path(), SECRETS[..2].join("\n")).expect("it can be written");
    // Receivers that know either of the two accept it.
    for good in &SECRETS[..2] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/webhook_receiver.py");
        let mut command = Command::new("python3");
        command.arg(script).args([good, SECRETS[2]]);
        let receiver = Program::start(&mut command, "receiving at").await;
        let more = format!(", secret_file: '{}'", secrets.path().display());
        let posting = Posting::start(&receiver.url, &more).await;
        let mut sent = Vec::new();
        for to in [Status::RegistrationFailure, Status::Suspended, Status::Unknown] {
            sent.push(posting.append(to).await);
        }
        let progress = posting.end().await;
        let log = receiver.log();
        let read: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        assert_eq!((progress.delivered(), read.len()), (3, 3), "{log}");
        for (read, entry) in read.iter().zip(&sent) {
            let event = serde_json::to_value(CloudEvent::from(entry)).expect("JSON");
            assert_eq!(read["webhook-id"], event["id"]);
            assert_eq!(read["data"], event["data"]);
            for name in ["specversion", "id", "source", "type", "subject", "datacontenttype"] {
                assert_eq!(read["attributes"][name], event[name], "{name}");
            }
            let time = json!(event["time"].as_str().expect("a text")[..19].replace('T', " "));
            assert!(read["attributes"]["time"].as_str() > time.as_str(), "{read}");
        }
    }
}
