//! An event as the rest of the world reads it: CloudEvents 1.0 in JSON.
//!
//! Source: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.
//! The `sequence` extension is left out: it is a text that has to sort as one, and receivers find the
//! number in the data.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{Entry, Event, Region, Status, TransitionKind};

/// An entry of the event log as a CloudEvents 1.0 envelope in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CloudEvent {
    /// The version of CloudEvents: always `1.0`.
    pub specversion: &'static str,
    /// What names the event for ever, a UUID: the same however often it is delivered, and by whom.
    pub id: String,
    /// Who tells: always `/regwatch`.
    pub source: &'static str,
    /// `dev.regwatch.resource.first_seen`, `.changed`, `.modified` or `.ended`.
    #[serde(rename = "type")]
    pub event_type: &'static str,
    /// What it is about: `account/probe/region/resource`, or `account/probe/resource` where the probe
    /// has no regions.
    pub subject: String,
    /// When the state was first seen: RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub time: String,
    /// What `data` is: always `application/json`.
    pub datacontenttype: &'static str,
    /// What happened.
    pub data: EventData,
}

/// What happened, as `data` of a [`CloudEvent`]. Every key is always there, null where nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EventData {
    /// The place in the event log: from 1, growing, with gaps where events were not wanted.
    pub sequence: u64,
    /// `first_seen`, `changed`, `modified` for a change that was gone by the next poll, or `ended` where the
    /// account has left its organization and is not watched any more.
    pub kind: &'static str,
    /// The account's 12 digits.
    pub account_id: String,
    /// The account's name in the configuration.
    pub account_name: String,
    /// The account's labels in the configuration.
    pub labels: BTreeMap<String, String>,
    /// `fleetwise` or `govcloud`.
    pub probe: &'static str,
    /// The region asked in; null for `govcloud`.
    #[schema(required)]
    pub region: Option<String>,
    /// `account`, `iam`, `timestream` or `govcloud_account`.
    pub resource: &'static str,
    /// The state before; null when it was not known.
    #[schema(required)]
    pub from: Option<&'static str>,
    /// The state now.
    pub to: &'static str,
    /// AWS's own text where `to` is `UNKNOWN`.
    #[schema(required)]
    pub text: Option<String>,
    /// AWS's `errorMessage` for a registration that failed.
    #[schema(required)]
    pub error_message: Option<String>,
    /// The role that FleetWise writes with; of the resources `account` and `iam`.
    #[schema(required)]
    pub role_arn: Option<String>,
    /// The database that FleetWise writes to; of the resources `account` and `timestream`.
    #[schema(required)]
    pub timestream_database_name: Option<String>,
    /// The table that FleetWise writes to; of the resources `account` and `timestream`.
    #[schema(required)]
    pub timestream_table_name: Option<String>,
    /// When the state was first seen: RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub observed_at: String,
    /// Since when the state before was known: RFC 3339, UTC.
    #[schema(required, format = DateTime)]
    pub previous_since: Option<String>,
    /// When AWS says that it changed: RFC 3339, UTC.
    #[schema(required, format = DateTime)]
    pub aws_modified_at: Option<String>,
}

impl CloudEvent {
    /// The content type of one in JSON.
    pub const CONTENT_TYPE: &str = "application/cloudevents+json";
}

impl From<&Entry> for CloudEvent {
    fn from(entry: &Entry) -> Self {
        let event = &entry.event;
        Self {
            specversion: "1.0",
            id: event.id.to_string(),
            source: "/regwatch",
            event_type: match event.transition.kind {
                TransitionKind::FirstSeen => "dev.regwatch.resource.first_seen",
                TransitionKind::Changed => "dev.regwatch.resource.changed",
                TransitionKind::Modified => "dev.regwatch.resource.modified",
                TransitionKind::Ended => "dev.regwatch.resource.ended",
            },
            subject: subject(event),
            time: event.transition.observed_at.to_string(),
            datacontenttype: "application/json",
            data: EventData::from(entry),
        }
    }
}

impl From<&Entry> for EventData {
    fn from(entry: &Entry) -> Self {
        let Entry { sequence, event } = entry;
        let Event { account, transition, .. } = event;
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        Self {
            sequence: *sequence,
            kind: transition.kind.as_str(),
            account_id: account.id.to_string(),
            account_name: account.name.to_string(),
            labels: account.labels.clone(),
            probe: event.probe.as_str(),
            region: event.region.as_ref().map(Region::to_string),
            resource: transition.resource.as_str(),
            from: transition.from.map(Status::as_str),
            to: transition.to.as_str(),
            text: owned(&transition.text),
            error_message: owned(&transition.error_message),
            role_arn: owned(&event.role_arn),
            timestream_database_name: owned(&event.timestream_database_name),
            timestream_table_name: owned(&event.timestream_table_name),
            observed_at: transition.observed_at.to_string(),
            previous_since: time(transition.previous_since),
            aws_modified_at: time(transition.aws_modified_at),
        }
    }
}

/// What an event is about. No part is ever empty, so a probe without regions has one part less.
fn subject(event: &Event) -> String {
    let account = event.account.id.to_string();
    let region = event.region.as_ref().map(Region::as_str);
    let resource = event.transition.resource.as_str();
    let parts = [Some(account.as_str()), Some(event.probe.as_str()), region, Some(resource)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sink::sample;

    fn entry(sequence: u64, kind: TransitionKind) -> Entry {
        let seen = "2026-11-21T12:00:00.5Z".parse().unwrap();
        sample::entry(sequence, kind, Status::RegistrationFailure, "regwatch test", seen)
    }

    #[test]
    fn an_event_is_written_in_full() {
        let entry = entry(7, TransitionKind::Changed);
        assert_eq!(
            serde_json::to_value(CloudEvent::from(&entry)).unwrap(),
            json!({
                "specversion": "1.0",
                "id": entry.event.id.to_string(),
                "source": "/regwatch",
                "type": "dev.regwatch.resource.changed",
                "subject": "000000000000/fleetwise/us-east-1/account",
                "time": "2026-11-21T12:00:00.5Z",
                "datacontenttype": "application/json",
                "data": {
                    "sequence": 7,
                    "kind": "changed",
                    "account_id": "000000000000",
                    "account_name": "regwatch test",
                    "labels": {"sample": "true"},
                    "probe": "fleetwise",
                    "region": "us-east-1",
                    "resource": "account",
                    "from": "REGISTRATION_PENDING",
                    "to": "REGISTRATION_FAILURE",
                    "text": null,
                    "error_message": "This is a sample, sent to test a webhook.",
                    "role_arn": "arn:aws:iam::000000000000:role/sample",
                    "timestream_database_name": null,
                    "timestream_table_name": null,
                    "observed_at": "2026-11-21T12:00:00.5Z",
                    "previous_since": "2026-11-21T11:55:00.5Z",
                    "aws_modified_at": "2026-11-21T11:59:50.5Z",
                },
            })
        );
    }

    #[test]
    fn what_has_no_region_has_no_empty_part() {
        let mut entry = entry(1, TransitionKind::FirstSeen);
        entry.event.region = None;
        let event = CloudEvent::from(&entry);
        assert_eq!(event.subject, "000000000000/fleetwise/account");
        assert_eq!(serde_json::to_value(event.data).unwrap()["region"], json!(null));
    }
}
