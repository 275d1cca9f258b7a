//! What happened, on the page of a target and on that of events.

use std::sync::Arc;

use regwatch::model::{Status, TargetId};
use regwatch::store::{Batch, Ledger, Silence, TargetKey};

use super::{attributes, get};
use crate::event::{append, became};
use crate::scene::{days_before, events, many};
use crate::server::Running;
use crate::snapshot::{at, rich};

#[tokio::test]
async fn a_page_of_a_target_tells_what_to_do_and_what_happened() {
    let snapshot = rich();
    let running = Running::start(snapshot.clone()).await;
    let target = snapshot.fleet.target(TargetId(1));
    let mut first = became(target, Status::RegistrationPending, "10:00:00");
    first.transition.from = Some(Status::RegistrationSuccess);
    first.transition.previous_since = Some(days_before(3, "10:00:00"));
    let mut second = became(target, Status::RegistrationFailure, "11:41:00");
    second.transition.previous_since = Some(at("10:00:00"));
    let silence = Silence {
        target: TargetKey::from(target),
        from: days_before(2, "00:00:00"),
        until: days_before(2, "06:00:00"),
    };
    let batch = Batch { events: vec![first, second], silences: vec![silence], ..Batch::default() };
    running.view.store.commit(Arc::new(vec![batch])).await.expect("written");
    let page = get(&running, "/targets/000011112222/fleetwise/eu-central-1").await;
    for text in [
        "The registration failed",
        "REGISTRATION_FAILURE",
        "access_denied",
        "Failures by reason, of 4 calls",
        "The role\ncannot be assumed.",
        "arn:aws:iam::000011112222:role",
        "href=\"../../../events?q=000011112222&amp;probe=fleetwise\"",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let words: Vec<_> =
        attributes(&page, "aria-label").into_iter().filter(|words| words.starts_with("Last ")).collect();
    let [day, week] = words[..] else { panic!("{words:?}") };
    // Silent since 11:41, which is too long, and before that for six hours.
    assert!(
        day.starts_with("Last 24 hours: pending 1 h 41 min, well 22 h, nothing known 19 min")
            || day.starts_with("Last 24 hours: pending 1 h 41 min, well 21 h 59 min"),
        "{day}"
    );
    assert!(week.contains("well 2 days 18 h"), "{week}");
}

#[tokio::test]
async fn events_come_in_pages_the_latest_first() {
    let snapshot = many(120);
    let running = Running::start(snapshot.clone()).await;
    append(&running.view.store, events(&snapshot)).await;
    let first = get(&running, "/events").await;
    let ids = |page: &str| -> Vec<u64> {
        attributes(page, "id").iter().filter_map(|id| id.strip_prefix('e')?.parse().ok()).collect()
    };
    assert_eq!(ids(&first), (71..=120).rev().collect::<Vec<_>>());
    let second = get(&running, "/events?before=71").await;
    assert_eq!(ids(&second).first(), Some(&70));
    assert!(second.contains("href=\"?before=21\"") && second.contains("← Latest"), "{second}");
    assert_eq!(ids(&get(&running, "/events?q=alder-00005").await), [6]);
    assert_eq!(ids(&get(&running, "/events?q=nobody").await), [0_u64; 0]);
    assert_eq!(ids(&get(&running, "/events?to=REGISTRATION_FAILURE").await), [0_u64; 0]);
    assert_eq!(ids(&get(&running, "/events?probe=govcloud").await), [0_u64; 0]);
}
