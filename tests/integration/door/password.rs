//! Users and their passwords.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Client, Method, Response};
use tokio::task::JoinSet;

use super::{House, user};

/// Every sort of path: a page, the API, a stream, what is not there.
const PATHS: [&str; 9] = [
    "/",
    "/style.css",
    "/metrics",
    "/-/healthy",
    "/-/ready",
    "/api/v1/targets",
    "/api/v1/events/stream",
    "/nowhere",
    "/api/nowhere",
];

fn users() -> String {
    format!("basic_auth_users:\n{}{}", user("prometheus", "right"), user("grafana", "ä: b"))
}

async fn get(house: &House, client: &Client, path: &str, who: Option<(&str, &str)>) -> Response {
    let asking = client.get(house.running.url(path));
    let asking =
        who.map(|(name, password)| asking.try_clone().expect("no body").basic_auth(name, Some(password)));
    let asking = asking.unwrap_or_else(|| client.get(house.running.url(path)));
    asking.send().await.expect("an answer")
}

#[tokio::test]
async fn nothing_is_told_to_those_without_a_password() {
    let house = House::start(&users()).await;
    let client = &house.running.client;
    for path in PATHS {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let answer = client.request(method, house.running.url(path)).send().await.expect("an answer");
            assert_eq!(answer.status(), 401, "{path}");
            assert_eq!(answer.headers()[WWW_AUTHENTICATE], "Basic realm=\"regwatch\", charset=\"UTF-8\"");
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "as secured as any");
        }
    }
    for junk in ["Basic", "Basic ", "Basic !", "Bearer abc", "Basic cHJvbWV0aGV1cw==", "basic"] {
        let asking = client.get(house.running.url("/metrics")).header(AUTHORIZATION, junk);
        assert_eq!(asking.send().await.expect("an answer").status(), 401, "{junk}");
    }
    for (who, status) in [
        (("prometheus", "right"), 200),
        (("grafana", "ä: b"), 200),
        (("prometheus", "wrong"), 401),
        (("grafana", "right"), 401),
        (("nobody", "right"), 401),
        (("", ""), 401),
    ] {
        assert_eq!(get(&house, client, "/metrics", Some(who)).await.status(), status, "{who:?}");
    }
}

#[tokio::test]
async fn probes_of_an_orchestrator_may_come_without_one() {
    let house = House::start_with(&users(), true).await;
    for path in PATHS {
        let expected = if path.starts_with("/-/") { 200 } else { 401 };
        assert_eq!(get(&house, &house.running.client, path, None).await.status(), expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_is_slowed_down_and_nobody_else() {
    let house = Arc::new(House::start(&users()).await);
    let right = ("prometheus", "right");
    let scraper = house.running.client.clone();
    assert_eq!(get(&house, &scraper, "/metrics", Some(right)).await.status(), 200);

    // The same address as the scraper's.
    let mut slowed_down = None;
    for _ in 0..1_000 {
        let answer = get(&house, &scraper, "/metrics", Some(("prometheus", "guess"))).await;
        if answer.status() == 429 {
            slowed_down = Some(answer);
            break;
        }
        assert_eq!(answer.status(), 401);
    }
    let slowed_down = slowed_down.expect("a thousand guesses in a row are too many");
    let wait: u64 = slowed_down.headers()[RETRY_AFTER].to_str().expect("text").parse().expect("seconds");
    assert!((1..=6).contains(&wait), "{wait}");
    let of_another =
        Client::builder().no_proxy().local_address(std::net::IpAddr::from(Ipv4Addr::new(127, 0, 0, 2)));
    let of_another = of_another.build().expect("a client");
    assert_eq!(get(&house, &of_another, "/metrics", Some(("grafana", "ä: b"))).await.status(), 200);

    // Many addresses guess while a scraper scrapes.
    let guessing = Arc::new(AtomicBool::new(true));
    let mut guessers = JoinSet::new();
    for host in 10..50 {
        let (house, guessing) = (Arc::clone(&house), Arc::clone(&guessing));
        guessers.spawn(async move {
            let client =
                Client::builder().no_proxy().local_address(std::net::IpAddr::from([127, 0, 0, host]));
            let client = client.build().expect("a client");
            let mut statuses = Vec::new();
            while guessing.load(Ordering::Relaxed) || statuses.is_empty() {
                let answer = get(&house, &client, "/metrics", Some(("nobody", "guess"))).await;
                statuses.push(answer.status().as_u16());
            }
            statuses
        });
    }
    for _ in 0..50 {
        assert_eq!(get(&house, &scraper, "/metrics", Some(right)).await.status(), 200);
    }
    guessing.store(false, Ordering::Relaxed);
    let statuses: Vec<u16> = guessers.join_all().await.into_iter().flatten().collect();
    let of = |status| statuses.iter().filter(|found| **found == status).count();
    println!("of {} guesses {} were checked", statuses.len(), of(401));
    assert_eq!(of(401) + of(429), statuses.len());
    assert!(of(429) > 0, "{statuses:?}");
}
