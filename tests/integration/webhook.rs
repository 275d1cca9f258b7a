//! Sinks that post to a receiver over HTTP: what it is sent, and what becomes of events whatever it does.

use std::time::Duration;

use jiff::Timestamp;
use regwatch::clock::Clock;
use regwatch::model::Status;
use regwatch::sink::{CloudEvent, RefusalReason};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::posting::Posting;
use crate::receiver::{Receiver, Reply, Request};

fn sequences(requests: &[Request]) -> Vec<u64> {
    requests.iter().map(|request| request.json()["data"]["sequence"].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn an_event_is_a_post_of_a_cloudevent() {
    let receiver = Receiver::start([]).await;
    let posting = Posting::start(&receiver.url, ", headers: {X-Team: telematics}").await;
    let entry = posting.append(Status::RegistrationFailure).await;
    let request = receiver.until(1).await.remove(0);
    assert_eq!(request.line, "POST /hook HTTP/1.1");
    assert_eq!(request.header("content-type"), "application/cloudevents+json");
    assert_eq!(request.header("user-agent"), concat!("regwatch/", env!("CARGO_PKG_VERSION")));
    assert_eq!(request.header("x-team"), "telematics");
    assert_eq!(request.header("webhook-signature"), "", "there is no secret to sign with");
    assert_eq!(request.json(), serde_json::to_value(CloudEvent::from(&entry)).expect("JSON"));
    let progress = posting.end().await;
    assert_eq!((progress.delivered(), progress.pending()), (1, 0));
}

#[tokio::test]
async fn a_template_and_headers_make_another_request_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("it can be written");
        folder.path().join(name).display().to_string()
    };
    let receiver = Receiver::start([]).await;
    let more = format!(
        ", template_file: '{}', headers: {{Content-Type: application/vnd.test+json, Authorization: {{file: '{}'}}}}",
        file("template", r#"{"at": {{ subject | tojson }}}"#),
        file("token", "Bearer hunter2\n"),
    );
    let posting = Posting::start(&receiver.url, &more).await;
    posting.append(Status::Suspended).await;
    let request = receiver.until(1).await.remove(0);
    assert_eq!(request.body, r#"{"at": "000000000000/govcloud/govcloud_account"}"#);
    assert_eq!(request.header("content-type"), "application/vnd.test+json");
    assert_eq!(request.header("authorization"), "Bearer hunter2");
    posting.end().await;
}

#[tokio::test]
async fn a_receiver_that_misbehaves_gets_every_event_in_the_end_and_in_order() {
    for (reply, reason) in [
        (Reply::Status(500, None), RefusalReason::ServerError),
        (Reply::Status(301, Some(("Location", "/elsewhere".to_owned()))), RefusalReason::Redirected),
        (Reply::Status(404, None), RefusalReason::Refused),
        (Reply::Status(408, None), RefusalReason::Timeout),
        (Reply::Hang, RefusalReason::Timeout),
        (Reply::Slow(Duration::from_secs(5)), RefusalReason::Timeout),
        (Reply::Cut, RefusalReason::Unreachable),
    ] {
        let receiver = Receiver::start([Reply::Status(204, None), reply.clone()]).await;
        let posting = Posting::start(&receiver.url, ", timeout: 300ms").await;
        for _ in 0..3 {
            posting.append(Status::RegistrationFailure).await;
        }
        let requests = receiver.until(4).await;
        assert_eq!(sequences(&requests), [1, 2, 2, 3], "{reply:?}");
        assert!(requests.iter().all(|request| request.line == "POST /hook HTTP/1.1"), "{requests:?}");
        assert!(requests[2].at - requests[1].at > Duration::from_millis(750), "it backs off: {reply:?}");
        let progress = posting.end().await;
        assert_eq!((progress.delivered(), progress.parked()), (3, 0), "{reply:?}");
        assert_eq!(progress.failures(reason), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_has_had_enough_is_left_alone_for_as_long_as_it_asks() {
    // A date has whole seconds: five from now are more than four.
    let date = || httpdate::fmt_http_date((Clock::System.now() + Duration::from_secs(5)).into());
    for status in [429, 503] {
        let wait = if status == 429 { "3".to_owned() } else { date() };
        let receiver = Receiver::start([Reply::Status(status, Some(("Retry-After", wait)))]).await;
        let posting = Posting::start(&receiver.url, "").await;
        posting.append(Status::RegistrationFailure).await;
        let requests = receiver.until(2).await;
        let waited = requests[1].at - requests[0].at;
        assert!(waited > Duration::from_secs(2), "{status}: {waited:?}");
        posting.end().await;
    }
}

#[tokio::test]
async fn a_receiver_that_was_down_gets_what_has_happened_meanwhile() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let posting = Posting::start(&format!("http://{address}/hook"), "").await;
    posting.append(Status::RegistrationFailure).await;
    let began = Instant::now();
    while posting.progress.failures(RefusalReason::Unreachable) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", posting.progress);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    posting.append(Status::RegistrationSuccess).await;
    assert_eq!(posting.progress.pending(), 2);
    assert!(posting.progress.lag(Clock::System.now()) > Duration::ZERO);
    let receiver = Receiver::listening(TcpListener::bind(address).await.expect("it was free"), []);
    assert_eq!(sequences(&receiver.until(2).await), [1, 2]);
    let progress = posting.end().await;
    assert_eq!((progress.delivered(), progress.pending()), (2, 0));
}

#[tokio::test]
async fn each_try_is_signed_anew_under_the_same_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("it can be written");
    let receiver = Receiver::start([Reply::Status(500, None), Reply::Status(500, None)]).await;
    let posting = Posting::start(&receiver.url, &format!(", secret_file: '{}'", path.display())).await;
    let entry = posting.append(Status::RegistrationFailure).await;
    let requests = receiver.until(3).await;
    for request in &requests {
        assert_eq!(request.header("webhook-id"), entry.event.id.to_string());
        assert!(request.header("webhook-signature").starts_with("v1,"), "{request:?}");
        assert_eq!(request.body, requests[0].body);
    }
    let times: Vec<i64> = requests
        .iter()
        .map(|request| request.header("webhook-timestamp").parse().expect("seconds"))
        .collect();
    let now = Timestamp::as_second(Clock::System.now());
    assert!(times[0] < times[2] && times.iter().all(|time| (now - time) < 60), "{times:?}");
    posting.end().await;
}
