//! What a quota grants is used, what it does not is hardly asked for, and nobody waits for a neighbour.

use std::time::Duration;

use regwatch::sim::{Call, Fault, Operation, Outcome, Quota, Service, World};
use tokio::time::MissedTickBehavior;

use crate::harness::{Aws, Page, hub, hub_id, id, identities, member};
use crate::watch::Watch;

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
polling: {{interval: 10s, pending_interval: 5s, failed_interval: 10s, timeout: 4s, stale_after: 10m, start_window: 1s}}
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
    let mut stalls = Stalls::default();
    tokio::select! {
        () = storm => {}
        () = stalls.measure(&watch) => {}
    }
    let page = watch.scrape().await;

    let asked = |call: &Call| call.operation == Operation::GetGovCloudAccountInformation;
    let count = |from: u64, outcome: Outcome| {
        let from = Duration::from_secs(from);
        aws.control.count(|call| asked(call) && call.outcome == outcome && call.at >= from) as f64
    };
    let whole = Duration::from_secs(1)..Duration::from_secs(240);
    // What was granted while the machine stood still nobody could use.
    let granted = aws.control.granted(account, Service::Account, whole) - 3.0 * stalls.0.as_secs_f64();
    let used = count(1, Outcome::Accepted) / granted;
    let (throttled, accepted) = (count(30, Outcome::Throttled), count(30, Outcome::Accepted));
    let refused = throttled / (throttled + accepted);
    println!(
        "used {:.1} % of the quota; {:.2} % of calls throttled after 30 s",
        used * 100.0,
        refused * 100.0
    );
    assert!(used >= 0.95, "{used} of the quota was used");
    assert!(refused <= 0.03, "{refused} of the calls were throttled after the first thirty seconds");

    assert_eq!(page.sum(r#"regwatch_poll_failures_total{probe="fleetwise"}"#), 0.0);
    let late = aws.longest_gap(1..=FLEETWISE, Duration::ZERO).saturating_sub(Duration::from_secs(10));
    println!("the latest FleetWise poll came {late:?} late; the machine: {stalls:?}");
    assert!(
        late < Duration::from_secs(1) + stalls.0,
        "a FleetWise target was {late:?} late; the machine: {stalls:?}"
    );
    assert!(page.sum(r#"regwatch_scope_throttled_total{service="account"}"#) >= throttled);
    watch.end().await;
}

/// For how long in all a machine kept everything waiting, because it stood still or had others to serve: what
/// requests waited that need no call to AWS. Machines that are shared stop for seconds.
#[derive(Debug, Default)]
pub(crate) struct Stalls(pub(crate) Duration);

impl Stalls {
    /// What passes for working: a health check takes some milliseconds.
    const UNNOTICED: Duration = Duration::from_millis(100);

    /// Measures for ever.
    pub(crate) async fn measure(&mut self, watch: &Watch) {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = tick.tick().await;
            assert_eq!(watch.get("/-/healthy").await.0, 200);
            let wait = due.elapsed();
            self.0 += if wait > Self::UNNOTICED { wait } else { Duration::ZERO };
        }
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
    let mut stalls = Stalls::default();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(40)) => {}
        () = stalls.measure(&watch) => {}
    }
    let page = watch.scrape().await;
    assert!(well(&page), "{} are up", page.sum("regwatch_target_up"));

    let healthy = (1..=1000).filter(|number| (number - 1) % 10 > 1);
    let longest = aws.longest_gap(healthy, settled);
    println!("the longest gap of a healthy target was {longest:?} of 10 s; the machine: {stalls:?}");
    assert!(longest < Duration::from_secs(11) + stalls.0, "a healthy target was not asked for {longest:?}");
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
