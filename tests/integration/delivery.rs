//! The whole daemon with receivers that do everything but take events: polling does not notice, and in the
//! end each has had all of them.

use std::time::Duration;

use regwatch::model::Region;
use regwatch::sim::{Registration, RegistrationStatus, World};

use crate::harness::{Aws, hub, id, identities, member};
use crate::page::Page;
use crate::receiver::{Receiver, Reply};
use crate::stall::Stalls;

const MEMBERS: u64 = 20;
const ROUNDS: usize = 6;
const INTERVAL: Duration = Duration::from_secs(1);

/// What a receiver does before it comes to its senses, by its name.
fn troubles() -> [(&'static str, Vec<Reply>); 6] {
    let status = |status| Reply::Status(status, None);
    let retry_after = Reply::Status(429, Some(("Retry-After", "4".to_owned())));
    let elsewhere = Reply::Status(302, Some(("Location", "/elsewhere".to_owned())));
    [
        ("failing", vec![status(500); 3]),
        ("busy", vec![retry_after]),
        ("gone", vec![status(404); 7]),
        ("moved", vec![elsewhere; 3]),
        ("hanging", vec![Reply::Hang; 3]),
        ("cutting", vec![Reply::Cut; 3]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_misbehave_delay_no_poll_and_miss_no_event() {
    let world = (1..=MEMBERS).fold(World::new().management(hub()), |world, n| world.member(member(n)));
    let aws = Aws::start(world).await;
    let mut receivers = Vec::new();
    let mut webhooks = String::new();
    for (name, script) in troubles() {
        let receiver = Receiver::start(script).await;
        webhooks += &format!("    - {{name: {name}, url: '{}', timeout: 500ms}}\n", receiver.url);
        receivers.push((name, receiver));
    }
    let mut yaml = format!(
        "polling: {{interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, start_window: 1s}}
events:\n  webhooks:\n{webhooks}{}accounts:\n",
        identities()
    );
    for number in 1..=MEMBERS {
        yaml +=
            &format!("  - {{id: '{}', fleetwise: {{identity: member, regions: [us-east-1]}}}}\n", id(number));
    }
    let watch = aws.watch(&yaml).await;
    let well = |page: &Page| page.sum("regwatch_target_up") == MEMBERS as f64;
    watch.until("all have answered", well).await;
    let settled = aws.control.now();

    let changing = async {
        for round in 1..=ROUNDS {
            let pending = round % 2 == 1;
            let status = if pending { RegistrationStatus::Pending } else { RegistrationStatus::Success };
            for number in 1..=MEMBERS {
                let registration = Registration::new(status);
                aws.control.set_registration(id(number), &Region::new("us-east-1"), Some(registration));
            }
            // Three resources each.
            let seen = 3.0 * (round as u64 * MEMBERS) as f64;
            watch.until("all are seen", |page| page.sum("regwatch_transitions_total") == seen).await;
        }
        // What is shown may not be in the store yet, and no sink has heard of it then.
        let none = |page: &Page| {
            page.sum("regwatch_store_pending_events") == 0.0 && page.sum("regwatch_events_pending") == 0.0
        };
        watch.until("everybody has everything", none).await
    };
    let stalls = Stalls::default();
    let page = tokio::select! {
        page = changing => page,
        () = stalls.note_of(&watch, &aws) => unreachable!("it notes for ever"),
    };

    let (longest, stood) = stalls.longest_gap(&aws, 1..=MEMBERS, settled);
    println!("the longest gap of a target was {longest:?}, and {stood:?} in which the machine stood still");
    assert!(
        longest < INTERVAL + Duration::from_secs(1),
        "a target was not asked for {longest:?}; {stalls:?}"
    );
    let events = 3 * MEMBERS as usize * ROUNDS;
    for (name, receiver) in receivers {
        let parked = page.sum(&format!(r#"regwatch_events_parked_total{{sink="{name}"}}"#));
        // Five refusals are too many of one event; two more the next one survives.
        assert_eq!(parked, if name == "gone" { 1.0 } else { 0.0 }, "{name}");
        let failures = page.sum(&format!(r#"regwatch_event_delivery_failures_total{{sink="{name}"}}"#));
        assert!(failures >= 1.0, "{name} has failed at nothing");
        let mut told: Vec<_> =
            receiver.requests().iter().map(|request| request.json()["data"]["sequence"].as_u64()).collect();
        assert!(told.is_sorted(), "{name}: {told:?}");
        told.dedup();
        assert_eq!(told.len(), events, "{name}");
    }
    watch.end().await;
}
