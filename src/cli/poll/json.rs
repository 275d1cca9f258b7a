//! The outcome for programs. The form is part of what regwatch promises: names may be added, none goes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::verdict::{Item, Judged, NO_LISTING};
use crate::daemon::Ended;
use crate::http::Target;
use crate::model::{Failure, Organization, advice};

#[derive(Serialize)]
struct Outcome<'a> {
    asked_at: String,
    ended: &'static str,
    exit_status: u8,
    summary: BTreeMap<&'static str, usize>,
    items: Vec<JsonItem<'a>>,
    unlisted: Vec<Unlisted<'a>>,
}

#[derive(Serialize)]
struct Unlisted<'a> {
    organization: &'a str,
    reason: Option<&'static str>,
    message: Option<&'a str>,
    advice: String,
}

#[derive(Serialize)]
struct JsonItem<'a> {
    #[serde(flatten)]
    target: Target<'a>,
    verdict: &'static str,
    pending_seconds: Option<u64>,
    advice: Vec<String>,
}

/// The outcome as one JSON object, and a line end.
pub(super) fn render(
    judged: &Judged<'_>,
    asked_at: Timestamp,
    ended: Ended,
    exit_status: u8,
) -> anyhow::Result<String> {
    let counts = judged.counts().map(|(verdict, count)| (verdict.as_str(), count));
    let outcome = Outcome {
        asked_at: asked_at.to_string(),
        ended: match ended {
            Ended::Complete => "complete",
            Ended::TimeUp => "time_up",
            Ended::Stopped => "stopped",
        },
        exit_status,
        summary: counts.chain([("targets", judged.items.len())]).collect(),
        items: judged.items.iter().map(|item| json(judged, item)).collect(),
        unlisted: judged.unlisted().map(|(organization, failure)| unlisted(organization, failure)).collect(),
    };
    Ok(serde_json::to_string_pretty(&outcome)? + "\n")
}

fn unlisted<'a>(organization: &'a Organization, failure: Option<&'a Failure>) -> Unlisted<'a> {
    Unlisted {
        organization: &organization.name,
        reason: failure.map(|failure| failure.reason.as_str()),
        message: failure.map(|failure| &*failure.message),
        advice: failure.map_or_else(|| NO_LISTING.to_owned(), advice::of_listing),
    }
}

fn json<'a>(judged: &Judged<'a>, item: &Item<'a>) -> JsonItem<'a> {
    JsonItem {
        target: Target::new(judged.snapshot, item.id, judged.now),
        verdict: item.verdict.as_str(),
        pending_seconds: item.pending.map(|pending| pending.as_secs()),
        advice: item.advice(),
    }
}
