//! The status pages, as a client without a browser sees them.

mod past;
mod safety;

use std::sync::Arc;

use regwatch::model::{Snapshot, Status};
use tokio::time::Instant;

use crate::event::append;
use crate::scene::{events, many};
use crate::server::Running;
use crate::snapshot::{at, record, registration, rich};

/// The values of an attribute, as they are written.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(" {name}=\"");
    page.split(&begin).skip(1).map(|rest| rest.split('"').next().expect("there is one")).collect()
}

/// How many targets are shown to be doing how.
fn tiles(page: &str) -> Vec<(&str, u32)> {
    let tiles = page.split("class=\"tile ").skip(1);
    tiles
        .map(|tile| {
            let word = tile.split(['"', ' ']).next().expect("a word");
            let count =
                tile.split("<strong>").nth(1).and_then(|rest| rest.split('<').next()).expect("a number");
            (word, count.replace(',', "").parse().expect("digits"))
        })
        .collect()
}

/// The paths of the targets in the table.
fn listed(page: &str) -> Vec<&str> {
    let (_, table) = page.split_once("<section id=\"targets\"").expect("there is one");
    attributes(table, "href").into_iter().filter(|link| link.starts_with("targets/")).collect()
}

async fn get(running: &Running, path: &str) -> String {
    let (status, page) = running.get(path).await;
    assert_eq!(status, 200, "{path}: {page}");
    page
}

#[tokio::test]
async fn the_first_glance_tells_how_all_are_doing() {
    let running = Running::start(rich()).await;
    let page = get(&running, "/").await;
    let expected = [
        ("failed", 1),
        ("unreachable", 0),
        ("stale", 2),
        ("pending", 0),
        ("unknown", 0),
        ("absent", 0),
        ("well", 2),
    ];
    assert_eq!(tiles(&page), expected);
    assert!(page.contains("<h1 id=\"verdict\">3 of 5 targets need somebody</h1>"), "{page}");
    let first = page.find("The registration failed").expect("the failed one");
    assert!(
        first < page.find("It has not answered since it was first asked").expect("a silent one"),
        "the most urgent comes first"
    );
    for text in [
        "fleet-prod",
        "000011112222",
        "eu-central-1",
        "backing off until",
        "datetime=\"2026-11-21T11:59:00.5Z\"",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    running.snapshot.send_replace(Arc::new(Snapshot::new(Arc::default(), at("11:00:00"))));
    let page = get(&running, "/").await;
    assert!(
        page.contains("Nothing is watched") && page.contains("The configuration watches no targets."),
        "{page}"
    );
    for path in ["/events", "/scopes"] {
        assert!(get(&running, path).await.contains("class=\"empty\""), "{path}");
    }
}

#[tokio::test]
async fn what_is_pending_needs_somebody_only_when_it_lasts() {
    for (since, expected) in [
        ("11:31:00", "Nothing needs anybody; 1 of 2 targets still open"),
        ("11:29:00", "1 of 2 targets needs somebody"),
    ] {
        let mut snapshot = Arc::unwrap_or_clone(many(1));
        record(&mut snapshot, 0, since, Ok(registration(Status::RegistrationPending, None)));
        record(&mut snapshot, 0, "11:59:00", Ok(registration(Status::RegistrationPending, None)));
        let page = get(&Running::start(Arc::new(snapshot)).await, "/").await;
        assert!(page.contains(expected), "{since}: {page}");
        assert_eq!(page.contains("The registration is pending for too long"), since == "11:29:00");
    }
}

#[tokio::test]
async fn filters_are_the_query_and_nothing_else() {
    let running = Running::start(rich()).await;
    for (query, expected) in [
        ("", 5),
        ("?q=&health=&probe=", 5),
        ("?q=FLEET-prod", 3),
        ("?q=telematics+eu-central", 1),
        ("?q=333344445555", 2),
        ("?q=nobody", 0),
        ("?health=stale", 2),
        ("?health=attention", 3),
        ("?health=attention&probe=fleetwise&q=fleet", 2),
        ("?probe=govcloud", 1),
        ("?page=99", 5),
        ("?page=-1&health=splendid&probe=x&nonsense=%ff&q=%00", 0),
    ] {
        let page = get(&running, &format!("/{query}")).await;
        assert_eq!(listed(&page).len(), expected, "{query}");
    }
    let page = get(&running, "/?q=%22%3E%3Cb%3E&health=failed&probe=fleetwise").await;
    assert!(page.contains(r#"value="&#34;&#62;&#60;b&#62;""#), "what was typed is still there: {page}");
    assert!(
        page.contains(r#"<option value="failed" selected>"#)
            && page.contains(r#"<option value="fleetwise" selected>"#)
    );
    assert!(page.contains("No target matches"), "{page}");
    let page = get(&running, "/?health=%3Ci%3E").await;
    assert!(page.contains("There is no health “&#60;i&#62;”, so it was ignored."), "{page}");
}

#[tokio::test]
async fn scopes_in_trouble_come_first() {
    let running = Running::start(rich()).await;
    let page = get(&running, "/scopes").await;
    let (backing_off, open) = (page.find("Backing off"), page.find("> Open").or(page.find("Open</span>")));
    assert!(backing_off.expect("two do") < open.expect("two are"), "{page}");
    assert!(page.contains("5 quota scopes: 2 backing off, 0 too small"), "{page}");
    for text in
        ["identity other, its account not known yet", "fleet-prod 000011112222", "0.75/s", "of 2.00/s"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
}

#[tokio::test]
async fn ten_thousand_targets_come_in_pages() {
    let snapshot = many(5_000);
    let running = Running::start(snapshot.clone()).await;
    append(&running.view.store, events(&snapshot)).await;
    let mut sizes = Vec::new();
    for path in [
        "/",
        "/?page=200",
        "/?q=dogwood+prod&health=failed",
        "/?health=attention&page=3",
        "/events",
        "/scopes",
        "/scopes?page=50",
        "/targets/100000004999/govcloud",
    ] {
        let mut times: Vec<_> = Vec::new();
        for _ in 0..5 {
            let asked = Instant::now();
            let page = get(&running, path).await;
            times.push(asked.elapsed());
            sizes.push(page.len());
        }
        times.sort_unstable();
        println!("{path}: {:?} to {:?}, {} bytes", times[0], times[4], sizes[sizes.len() - 1]);
    }
    assert!(sizes.iter().all(|size| *size < 400_000), "{sizes:?}");
    let last = get(&running, "/?page=200").await;
    assert!(last.contains("9,951–10,000 of 10,000 targets") && !last.contains("rel=\"next\""));
    assert_eq!(listed(&last).len(), 50);
    let filtered = get(&running, "/?q=dogwood+prod&health=failed&page=1").await;
    assert!(filtered.contains("targets</span>"), "{filtered}");
    let attention = get(&running, "/?health=attention&page=3").await;
    let next =
        attributes(&attention, "href").into_iter().find(|link| link.contains("page=4")).expect("a next one");
    assert_eq!(next, "?health=attention&#38;page=4");
}
