//! `/api/v1/events`.

use regwatch::model::{Snapshot, Status, TargetId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::event::{append, became};
use crate::server::Running;
use crate::snapshot::rich;

/// A server with six events: of a registration, another, a GovCloud account, and again.
async fn start() -> Running {
    let snapshot = rich();
    let of = |target: u32, to, time: &str| became(snapshot.fleet.target(TargetId(target)), to, time);
    let running = Running::start(snapshot.clone()).await;
    let (success, failure) = (Status::RegistrationSuccess, Status::RegistrationFailure);
    let events = vec![
        of(0, success, "11:00:01"),
        of(1, failure, "11:00:02"),
        of(3, Status::Active, "11:00:03"),
        of(0, failure, "11:00:04"),
        of(1, success, "11:00:05"),
        of(3, Status::Suspended, "11:00:06"),
    ];
    append(&running.view.store, events).await;
    running
}

fn sequences(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().expect("items").iter();
    items.map(|item| item["data"]["sequence"].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn events_are_cloudevents_and_filters_leave_what_matches_all_of_them() {
    let running = start().await;
    let page = running.json("/api/v1/events?after=1&limit=1").await;
    assert_eq!(page["next"], 2);
    let event = &page["items"][0];
    assert_eq!(
        (&event["specversion"], &event["type"]),
        (&json!("1.0"), &json!("dev.regwatch.resource.changed"))
    );
    assert_eq!(event["data"]["error_message"], "The role\ncannot be assumed.");
    for (query, expected) in [
        ("", vec![1, 2, 3, 4, 5, 6]),
        ("after=4", vec![5, 6]),
        ("after=99", vec![]),
        ("account=000011112222", vec![1, 2, 4, 5]),
        ("account=000011112222&account=333344445555&to=REGISTRATION_SUCCESS&to=ACTIVE", vec![1, 3, 5]),
        ("region=us-east-1", vec![1, 4]),
        ("probe=govcloud", vec![3, 6]),
        ("resource=govcloud_account&resource=account&since=2026-11-21T12:00:04%2B01:00", vec![4, 5, 6]),
        ("kind=first_seen", vec![]),
        ("kind=changed&kind=modified&after=5", vec![6]),
        ("parked_by=nobody", vec![]),
    ] {
        let page = running.json(&format!("/api/v1/events?{query}")).await;
        assert_eq!((sequences(&page), &page["next"]), (expected, &Value::Null), "{query}");
    }
}

#[tokio::test]
async fn what_a_sink_gave_up_on_is_found() {
    let running = start().await;
    running.view.store.cursor("pager").await.expect("it is new");
    let parked = [(2, "404".to_owned()), (5, "410".to_owned())];
    running.view.store.advance("pager", 6, &parked, None).await.expect("it can be written");
    assert_eq!(sequences(&running.json("/api/v1/events?parked_by=pager").await), [2, 5]);
}

#[tokio::test]
async fn paging_goes_on_with_what_has_come_meanwhile() {
    let running = start().await;
    let page = running.json("/api/v1/events?limit=4").await;
    assert_eq!((sequences(&page), &page["next"]), (vec![1, 2, 3, 4], &json!(4)));
    let snapshot: std::sync::Arc<Snapshot> = running.snapshot.borrow().clone();
    let more = became(snapshot.fleet.target(TargetId(0)), Status::RegistrationSuccess, "11:00:07");
    append(&running.view.store, vec![more]).await;
    let page = running.json("/api/v1/events?limit=4&after=4").await;
    assert_eq!((sequences(&page), &page["next"]), (vec![5, 6, 7], &Value::Null));
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let running = start().await;
    for (query, parameter) in [
        ("after=-1", "after"),
        ("after=9007199254740992", "after"),
        ("since=24h", "since"),
        ("to=active", "to"),
        ("kind=changed&kind=new", "kind"),
        ("parked_by=a%20b", "parked_by"),
        ("limit=1001", "limit"),
        ("status=ACTIVE", "status"),
    ] {
        let problem = running.problem(Method::GET, &format!("/api/v1/events?{query}")).await;
        assert_eq!(
            (&problem["status"], &problem["errors"][0]["parameter"]),
            (&json!(400), &json!(parameter)),
            "{problem}"
        );
    }
    let problem = running.problem(Method::GET, "/api/v1/events/stream?limit=1").await;
    assert_eq!(problem["errors"][0]["parameter"], "limit");
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_a_problem_for_now() {
    let running = start().await;
    running.view.store.clone().close().await;
    for path in ["/api/v1/events", "/api/v1/events/stream?after=0"] {
        assert_eq!(running.problem(Method::GET, path).await["status"], 503);
    }
}
