//! What the pages and the API show where several replicas share the fleet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use regwatch::http::{Limits, View};
use regwatch::model::{Holders, Right, Snapshot, Status, Whole};
use regwatch::store::{Contact, Touch};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::server::{Running, SOON};
use crate::snapshot::{at, record, registration, rich};

/// What a replica `a` shows that holds two of the five targets; `b` holds two, and one nobody.
fn shared(snapshot: Arc<Snapshot>) -> Whole {
    let rights = [Right::Mine, Right::Shard(1), Right::Shard(2), Right::Shard(1), Right::Mine];
    let holders = Holders {
        me: "a".into(),
        rights: rights.into(),
        others: [None, Some("b <i>".into()), None].into(),
        are_several: true,
        unheard_since: None,
    };
    Whole { snapshot, holders: Some(holders) }
}

/// A server that shows this of the whole fleet, of which it watches nothing.
async fn start(whole: Whole) -> Running {
    let plain = Running::start(Arc::new(Snapshot::new(Arc::default(), at("11:00:00")))).await;
    let (_, whole) = watch::channel(Arc::new(whole));
    let view = View { whole: Some(whole), ..plain.view.clone() };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Running::serve(view, plain.snapshot.clone(), Limits::default(), SOON, any)
}

/// The same of a replica of which the store has last heard then, and was in touch with it for so long.
async fn start_touched(whole: Whole, at: Timestamp, duration: Duration) -> (Running, watch::Sender<Touch>) {
    let plain = Running::start(Arc::new(Snapshot::new(Arc::default(), at))).await;
    let (_, whole) = watch::channel(Arc::new(whole));
    let (touch, contact) = watch::channel(Touch { at, lasts_until: Instant::now() + duration });
    let contact = Some(Contact::new(contact));
    let view = View { whole: Some(whole), contact, ..plain.view.clone() };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    (Running::serve(view, plain.snapshot.clone(), Limits::default(), SOON, any), touch)
}

/// A server that shows this of who holds what.
async fn start_held(change: impl FnOnce(&mut Holders)) -> Running {
    let mut whole = shared(rich());
    whole.holders.as_mut().map(change).expect("they are several");
    start(whole).await
}

async fn get(running: &Running, path: &str) -> String {
    let (status, text) = running.get(path).await;
    assert_eq!(status, 200, "{path}: {text}");
    text
}

/// What the API tells of each target, by its region.
async fn told(running: &Running) -> Vec<(String, Value)> {
    let page: Value = serde_json::from_str(&get(running, "/api/v1/targets").await).expect("JSON");
    let items = page["items"].as_array().expect("a list").iter();
    items.map(|item| (item["region"].as_str().unwrap_or("none").to_owned(), item.clone())).collect()
}

#[tokio::test]
async fn each_target_is_shown_with_who_asks_it() {
    let running = start(shared(rich())).await;
    let page = get(&running, "/").await;
    assert_eq!(page.matches("<td class=\"asker\"").count(), 5, "{page}");
    for (text, times) in [
        ("<th scope=\"col\">Asked by</th>", 1),
        ("<bdi>a</bdi> <span class=\"age\">this one</span>", 2),
        ("<bdi>b &#60;i&#62;</bdi>", 2),
        ("nobody at the moment", 1),
    ] {
        assert_eq!(page.matches(text).count(), times, "{text}: {page}");
    }
    let mut holders: Vec<_> = told(&running)
        .await
        .into_iter()
        .filter(|(region, _)| !region.starts_with("mars"))
        .map(|(region, item)| (region, item["held_by"].clone()))
        .collect();
    holders.sort_by_key(|(region, holder)| (region.clone(), holder.to_string()));
    let expected = [("eu-central-1", "b <i>".into()), ("none", "b <i>".into()), ("us-east-1", "a".into())];
    let expected = expected.map(|(region, holder): (&str, Value)| (region.to_owned(), holder));
    assert_eq!(holders[..3], expected);
    assert_eq!(holders[3], ("us-east-1".to_owned(), Value::Null));
}

#[tokio::test]
async fn metrics_and_readiness_are_of_what_the_replica_watches() {
    let running = start(shared(rich())).await;
    assert!(!get(&running, "/metrics").await.contains("000011112222"));
    assert!(get(&running, "/-/ready").await.contains("0 of 0 quota scopes"));
    assert!(get(&running, "/").await.contains("000011112222"));
}

#[tokio::test]
async fn one_alone_shows_no_column() {
    let running = start_held(|holders| {
        holders.are_several = false;
        holders.rights = [Right::Mine; 5].into();
    })
    .await;
    for path in ["/", "/scopes", "/targets/000011112222/fleetwise/us-east-1"] {
        let page = get(&running, path).await;
        assert!(!page.contains("Asked by"), "{path}: {page}");
    }
    assert!(told(&running).await.iter().all(|(_, item)| item["held_by"] == "a"));
    assert!(told(&running).await.iter().all(|(_, item)| item["store_away_since"].is_null()));
    let process = Running::start(rich()).await;
    for key in ["held_by", "store_away_since"] {
        assert!(told(&process).await.iter().all(|(_, item)| item.get(key).is_none()), "{key}");
    }
}

#[tokio::test]
async fn the_description_tells_what_may_be_absent_and_null() {
    let running = start(shared(rich())).await;
    let description = get(&running, "/api/v1/openapi.json").await;
    let description: Value = serde_json::from_str(&description).expect("JSON");
    let target = &description["components"]["schemas"]["Target"];
    let required = target["required"].as_array().expect("a list");
    assert!(required.contains(&"polls".into()), "{required:?}");
    for key in ["held_by", "store_away_since"] {
        assert_eq!(target["properties"][key]["type"], serde_json::json!(["string", "null"]), "{key}");
        assert!(!required.contains(&key.into()), "{required:?}");
    }
}

#[tokio::test]
async fn a_store_that_tells_nothing_is_said_on_the_first_page() {
    let note = "The store has not told what other replicas know since";
    assert!(!get(&start(shared(rich())).await, "/").await.contains(note));
    let running = start_held(|holders| holders.unheard_since = Some(at("11:58:00"))).await;
    let page = get(&running, "/").await;
    let (_, rest) = page.split_once(note).expect("it is said");
    assert!(rest.contains("datetime=\"2026-11-21T11:58:00Z\""), "{page}");
}

#[tokio::test]
async fn out_of_touch_with_the_store_it_is_not_ready_and_says_so_everywhere() {
    let mut whole = shared(rich());
    let holders = whole.holders.as_mut().expect("they are several");
    holders.unheard_since = Some(at("11:57:00"));
    let (running, touch) = start_touched(whole, at("11:58:00"), Duration::ZERO).await;
    let (status, text) = running.get("/-/ready").await;
    assert_eq!(status, 503);
    assert_eq!(
        text,
        "regwatch is not ready: the store has not answered since 2026-11-21T11:58:00Z: nothing is asked of AWS \
         until it does, and then all goes on by itself\n"
    );
    assert_eq!(running.get("/-/healthy").await.0, 200, "to start it anew would change nothing");
    let (away, unheard) =
        ("The store has not answered since", "The store has not told what other replicas know");
    let page = get(&running, "/").await;
    let (_, rest) = page.split_once(away).expect("it is said");
    assert!(rest.contains("datetime=\"2026-11-21T11:58:00Z\""), "{page}");
    assert!(!page.contains(unheard), "one thing at a time: {page}");
    for (region, item) in told(&running).await {
        assert_eq!(item["store_away_since"], "2026-11-21T11:58:00Z", "{region}");
    }

    // In touch it is ready, although it holds nothing.
    touch.send_replace(Touch { at: at("11:59:59"), lasts_until: Instant::now() + Duration::from_hours(1) });
    assert!(get(&running, "/-/ready").await.contains("0 of 0 quota scopes"));
    let page = get(&running, "/").await;
    assert!(!page.contains(away) && page.contains(unheard), "{page}");
    let since: Vec<_> =
        told(&running).await.into_iter().map(|(_, item)| item["store_away_since"].clone()).collect();
    let of_others = since.iter().filter(|since| *since == "2026-11-21T11:57:00Z").count();
    assert_eq!((of_others, since.iter().filter(|since| since.is_null()).count()), (3, 2), "{since:?}");

    // At its end it says that, and no more.
    let (ending, _touch) = start_touched(shared(rich()), at("11:58:00"), Duration::ZERO).await;
    ending.view.stopping.cancel();
    assert_eq!(ending.get("/-/ready").await, (503, "regwatch is shutting down\n".to_owned()));
    assert!(!get(&ending, "/").await.contains(away));
}

#[tokio::test]
async fn of_what_others_ask_nothing_is_claimed() {
    let running = start(shared(rich())).await;
    let page = get(&running, "/scopes").await;
    for (text, times) in [
        ("<th scope=\"col\">Asked by</th>", 1),
        ("<bdi>b &#60;i&#62;</bdi>", 2),
        ("Elsewhere", 2),
        ("at most 2.00/s", 3),
        ("not known here", 3),
    ] {
        assert_eq!(page.matches(text).count(), times, "{text}: {page}");
    }
    let path = "/targets/333344445555/govcloud";
    let (theirs, ours) =
        (get(&running, path).await, get(&running, "/targets/000011112222/fleetwise/us-east-1").await);
    assert!(theirs.contains("<dt>Asked by</dt><dd><bdi>b &#60;i&#62;</bdi>"), "{theirs}");
    assert!(
        theirs.contains("Another replica asks it") && theirs.contains("at most 2.00 requests"),
        "{theirs}"
    );
    assert!(!theirs.contains("<dt>Next call") && !theirs.contains("<dt>Last call"), "{theirs}");
    assert!(ours.contains("<dt>Asked by</dt><dd><bdi>a, this one</bdi>"), "{ours}");
    assert!(ours.contains("<dt>Next call") && !ours.contains("Another replica"), "{ours}");
}

#[tokio::test]
async fn what_the_store_tells_late_is_not_stale_for_that() {
    let mut snapshot = Snapshot::clone(&rich());
    for target in [0, 1] {
        let success = Status::RegistrationSuccess;
        record(&mut snapshot, target, "11:44:30", Ok(registration(success, None)));
    }
    let running = start(shared(Arc::new(snapshot))).await;
    for (region, is_stale) in [("us-east-1", true), ("eu-central-1", false)] {
        let path = format!("/api/v1/targets/000011112222/fleetwise/{region}");
        let item: Value = serde_json::from_str(&get(&running, &path).await).expect("JSON");
        assert_eq!(item["stale"], is_stale, "{item}");
    }
}
