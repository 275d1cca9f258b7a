//! What a quota grants is used, what it does not is hardly asked for, and nobody waits for a neighbour.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use regwatch::sim::{Call, Fault, Operation, Outcome, Quota, Service, World};

use crate::harness::{Aws, hub, hub_id, id, identities, member};
use crate::page::Page;
use crate::stall::Stalls;

/// A quota of so many calls per second, in a bucket that holds what 3/s grant in a second and a half.
fn quota(rate: f64) -> Quota {
    Quota { rate, burst: 4.5 }
}

/// 200 GovCloud targets behind a quota of 3/s that drops to 1/s for a minute, with far more demand.
#[tokio::test(flavor = "multi_thread")]
async fn a_throttle_storm_is_weathered() {
    const FLEETWISE: u64 = 20;
    let world = (1..=200).fold(World::new().management(hub()), |world, number| world.member(member(number)));
    let aws = Aws::start(world).await;
    let account = hub_id();
    aws.control.set_quota(account, Service::Account, quota(3.0));
    let mut yaml = format!(
        "
polling: {{interval: 10s, pending_interval: 10s, failed_interval: 10s, timeout: 9s, stale_after: 10m, start_window: 1s}}
limits: {{account_requests_per_second: 10}}
{}accounts:\n",
        identities()
    );
    for number in 1..=200 {
        let fleetwise =
            if number <= FLEETWISE { "fleetwise: {identity: member, regions: [us-east-1]}, " } else { "" };
        yaml += &format!("  - {{id: '{}', {fleetwise}govcloud: {{identity: hub}}}}\n", id(number));
    }
    let watch = aws.watch(&yaml).await;
    let until = async |seconds: u64| {
        let left = Duration::from_secs(seconds).saturating_sub(aws.control.now());
        tokio::time::sleep(left).await;
    };
    let storm = async {
        until(75).await;
        aws.control.set_quota(account, Service::Account, quota(1.0));
        until(135).await;
        aws.control.set_quota(account, Service::Account, quota(3.0));
        until(240).await;
    };
    let stalls = Stalls::default();
    tokio::select! {
        () = storm => {}
        () = stalls.note_of(&watch, &aws) => {}
    }
    let page = watch.scrape().await;

    let all = used(&aws, &[Duration::from_secs(1)..END]);
    // Nobody can use what is granted while the machine stands still.
    let calm = used(&aws, &stalls.calm(Duration::from_secs(1)..END, RECOVERY));
    let late = used(&aws, &stalls.calm(Duration::from_secs(30)..END, RECOVERY));
    println!("in all {all}\nwhile the machine turned {calm}\nof that after 30 s {late}");
    assert!(calm.accepted >= 0.95 * calm.granted - calm.parts, "too little of the quota was used: {calm}");
    assert!(
        late.throttled <= 0.03 * (late.throttled + late.accepted) + late.parts,
        "too many calls were throttled after the first thirty seconds: {late}"
    );

    assert_eq!(page.sum(r#"regwatch_poll_failures_total{probe="fleetwise"}"#), 0.0);
    let (longest, stood) = stalls.longest_gap(&aws, 1..=FLEETWISE, Duration::ZERO);
    println!(
        "the longest gap of a FleetWise target was {longest:?} of 10 s, and {stood:?} in which the machine stood still"
    );
    assert!(
        longest < Duration::from_secs(11),
        "a FleetWise target was not asked for {longest:?}; {stalls:?}"
    );
    assert!(page.sum(r#"regwatch_scope_throttled_total{service="account"}"#) >= all.throttled);
    watch.end().await;
}

/// When the storm is over.
const END: Duration = Duration::from_secs(240);

/// What it takes after a stall until calls are at their pace again: some gaps between them. What was saved up
/// in the bucket meanwhile is used later and tells nothing.
const RECOVERY: Duration = Duration::from_secs(1);

/// What was made of a quota in some periods.
struct Used {
    /// How many periods: at the edges of each, one call may be counted or not.
    parts: f64,
    granted: f64,
    accepted: f64,
    throttled: f64,
}

/// What the management account made of its quota of Account Management.
fn used(aws: &Aws, periods: &[Range<Duration>]) -> Used {
    let count = |outcome: Outcome| {
        let is_so = |call: &Call| {
            call.operation == Operation::GetGovCloudAccountInformation
                && call.outcome == outcome
                && periods.iter().any(|period| period.contains(&call.at))
        };
        aws.control.count(is_so) as f64
    };
    let granted = |period: &Range<Duration>| aws.control.granted(hub_id(), Service::Account, period.clone());
    Used {
        parts: periods.len() as f64,
        granted: periods.iter().map(granted).sum(),
        accepted: count(Outcome::Accepted),
        throttled: count(Outcome::Throttled),
    }
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parts, granted, accepted, throttled } = self;
        write!(
            f,
            "{accepted} of {granted:.1} granted calls, {:.1} %; {throttled} throttled, {:.2} %; {parts} periods",
            100.0 * accepted / granted,
            100.0 * throttled / (accepted + throttled)
        )
    }
}

/// 1,000 targets of which a tenth hangs and a tenth is denied: the others do not notice.
#[tokio::test(flavor = "multi_thread")]
async fn targets_that_hang_or_are_denied_do_not_delay_the_others() {
    let world = (1..=1000).fold(World::new().management(hub()), |world, number| world.member(member(number)));
    let aws = Aws::start(world).await;
    for number in (1..=1000).step_by(10) {
        aws.control.set_fault(id(number), Operation::GetRegisterAccountStatus, Fault::Hang);
        aws.control.set_fault(id(number + 1), Operation::GetRegisterAccountStatus, Fault::Denied);
    }
    let mut yaml = format!(
        "
polling: {{interval: 10s, pending_interval: 5s, failed_interval: 10s, timeout: 4s, stale_after: 10m, start_window: 10s}}
limits: {{sts_requests_per_second: 200, max_in_flight: 128}}
{}accounts:\n",
        identities()
    );
    for number in 1..=1000 {
        yaml +=
            &format!("  - {{id: '{}', fleetwise: {{identity: member, regions: [us-east-1]}}}}\n", id(number));
    }
    let watch = aws.watch(&yaml).await;
    let well = |page: &Page| page.sum("regwatch_target_up") == 800.0;
    watch.until("all that can answer have answered", well).await;
    let settled = aws.control.now();
    let stalls = Stalls::default();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(40)) => {}
        () = stalls.note_of(&watch, &aws) => {}
    }
    watch.until("all that can answer still do", well).await;

    let healthy = (1..=1000).filter(|number| (number - 1) % 10 > 1);
    let (longest, stood) = stalls.longest_gap(&aws, healthy, settled);
    println!(
        "the longest gap of a healthy target was {longest:?} of 10 s, and {stood:?} in which the machine stood still"
    );
    assert!(longest < Duration::from_secs(11), "a healthy target was not asked for {longest:?}; {stalls:?}");
    watch.end().await;
}

/// FleetWise asks for a wait in its answer's body, Account Management in a header.
#[tokio::test(flavor = "multi_thread")]
async fn the_wait_that_aws_asks_for_is_kept() {
    const WAIT: Duration = Duration::from_secs(3);
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let operations = [Operation::GetRegisterAccountStatus, Operation::GetGovCloudAccountInformation];
    for operation in operations {
        aws.control.set_fault(id(1), operation, Fault::Throttle { retry_after: Some(3) });
    }
    let yaml = format!(
        "
polling: {{interval: 1s, pending_interval: 1s, failed_interval: 1s, timeout: 900ms, stale_after: 1m, start_window: 100ms}}
{}accounts:
  - {{id: '{}', fleetwise: {{identity: member, regions: [us-east-1]}}, govcloud: {{identity: hub}}}}\n",
        identities(),
        id(1)
    );
    let watch = aws.watch(&yaml).await;
    let thrice = |page: &Page| page.sum("regwatch_scope_throttled_total") >= 6.0;
    let page = watch.until("both were throttled three times", thrice).await;
    assert_eq!(
        page.sum(r#"regwatch_poll_failures_total{reason="throttled"}"#),
        page.sum("regwatch_polls_total")
    );
    for operation in operations {
        let calls = aws.control.calls();
        let times: Vec<_> =
            calls.iter().filter(|call| call.operation == operation).map(|call| call.at).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= WAIT), "{operation:?} at {times:?}");
    }
    watch.end().await;
}
