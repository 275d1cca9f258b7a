//! What pages never do, whoever wrote what they show.

use std::collections::BTreeSet;

use regwatch::model::{Status, TargetId};

use super::{attributes, get};
use crate::event::{append, became};
use crate::scene::hostile;
use crate::server::Running;
use crate::snapshot::rich;

/// Where a relative link on a page leads.
fn resolve(base: &str, link: &str) -> String {
    let base = reqwest::Url::parse(&format!("http://regwatch{base}")).expect("a path");
    let url = base.join(&link.replace("&amp;", "&").replace("&#38;", "&")).expect("a link");
    assert_eq!(url.host_str(), Some("regwatch"), "{link} leads elsewhere");
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

#[tokio::test]
async fn every_link_leads_somewhere_below_wherever_it_is_put() {
    for snapshot in [rich(), hostile().0] {
        let running = Running::start(snapshot.clone()).await;
        let targets = (0..snapshot.targets.len() as u32).map(|id| snapshot.fleet.target(TargetId(id)));
        append(
            &running.view.store,
            targets.map(|target| became(target, Status::Active, "11:00:00")).collect(),
        )
        .await;
        let mut open = vec!["/".to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(path) = open.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            let answer = running.client.get(running.url(&path)).send().await.expect("an answer");
            // No configuration has a region that the API would not take.
            let is_refused = answer.status().as_u16() == 400 && path.starts_with("/api/v1/targets/");
            let is_not_ready = path == "/-/ready" && answer.status().as_u16() == 503;
            assert!(
                answer.status().is_success() || is_refused || is_not_ready,
                "{path}: {}",
                answer.status()
            );
            if !answer.headers()["content-type"].to_str().expect("text").starts_with("text/html") {
                continue;
            }
            let page = answer.text().await.expect("text");
            let links = ["href", "src", "action"].map(|name| attributes(&page, name)).concat();
            for link in links.into_iter().filter(|link| !link.starts_with("data:") && !link.starts_with('#'))
            {
                assert!(!link.starts_with('/') && !link.contains("://"), "{path}: {link}");
                open.push(resolve(&path, link));
            }
        }
        let pages = seen.iter().filter(|path| path.starts_with("/targets/")).count();
        assert_eq!(pages, snapshot.targets.len(), "{seen:?}");
        assert!(seen.len() > 20, "{seen:?}");
    }
}

#[tokio::test]
async fn what_others_wrote_is_text_and_nothing_else() {
    let (snapshot, events) = hostile();
    let running = Running::start(snapshot).await;
    append(&running.view.store, events).await;
    let hostile = "%3C%2Fscript%3E%3Cscript%3Ealert(1)%E2%80%AE%22";
    let target = "/targets/111122223333/fleetwise/x%22%2F..%2F%3Cb%3E%3F%23%252e";
    let paths = ["/", "/events", "/scopes", target, "/targets/111122223333/govcloud"].map(str::to_owned);
    let filtered = ["", "events"]
        .map(|path| format!("/{path}?q={hostile}&health={hostile}&to={hostile}&page={hostile}"));
    for path in paths.into_iter().chain(filtered) {
        let page = get(&running, &path).await;
        assert_eq!(page.matches("<script").count(), 1, "{path}: only our own");
        for bad in ["<img", "<b>?", " onfocus=\"", " onerror=alert(2)>", "\u{202e}", "\u{0}", "\u{1b}"] {
            assert!(!page.contains(bad), "{path}: {bad:?} in {page}");
        }
        let is_list = !path.starts_with("/targets/");
        assert!(!is_list || page.len() < 40_000, "{path}: {} bytes", page.len());
    }
    let page = get(&running, target).await;
    assert!(page.matches("&#60;img").count() > 60, "the page of the target has all of the message");
    let (status, page) = running.get(&format!("/targets/{hostile}/{hostile}/{hostile}")).await;
    assert_eq!((status, page.matches("<script").count(), page.contains('\u{202e}')), (404, 1, false));
}

#[tokio::test]
async fn pages_are_html_under_a_strict_policy() {
    let running = Running::start(rich()).await;
    let target = "/targets/000011112222/fleetwise/us-east-1";
    for (path, status) in [
        ("/", 200),
        ("/events", 200),
        ("/scopes", 200),
        (target, 200),
        ("/targets/000011112222/govcloud", 404),
    ] {
        let answer = running.client.get(running.url(path)).send().await.expect("an answer");
        let head = running.client.head(running.url(path)).send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), head.status().as_u16()), (status, status), "{path}");
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        let policy = answer.headers()["content-security-policy"].to_str().expect("text").to_owned();
        assert!(
            !policy.contains("unsafe") && policy.contains("script-src 'self'; connect-src 'self'"),
            "{policy}"
        );
        let page = answer.text().await.expect("text");
        assert!(page.starts_with("<!doctype html>") && page.contains("<main"), "{page}");
        for forbidden in [" style=", "<style", " onclick", "javascript:"] {
            assert!(!page.contains(forbidden), "{path}: {forbidden}");
        }
    }
}
