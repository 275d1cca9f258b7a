//! A reload every second for a minute under load: no poll is lost, nobody is asked twice at once, and nothing
//! of the generations that went is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use regwatch::config::Config;
use regwatch::model::{Account, AccountId};
use regwatch::sim::{Call, Fault, Operation, Quota, Service, World};
use tokio::time::MissedTickBehavior;

use super::{Place, assumed};
use crate::harness::{Aws, hub, hub_id, id, identities, member};
use crate::page::Page;
use crate::stall::Stalls;

/// These are in every file.
const STAYING: std::ops::RangeInclusive<u64> = 1..=200;

/// These are in every other.
const COMING: std::ops::RangeInclusive<u64> = 201..=220;

/// Of so many the GovCloud account is asked for too, all in one scope.
const LINKED: u64 = 20;

/// How often each is asked. A poll that no optimizer has seen costs ten milliseconds, most of them the SDK's
/// and the simulation's, and one thread has to do for both.
const INTERVAL: Duration = Duration::from_secs(if cfg!(debug_assertions) { 4 } else { 1 });

/// How long AWS takes: long enough for a second call to meet the first.
const LATENCY: Duration = Duration::from_millis(300);

const RELOADS: u32 = 60;

/// The file of a turn: accounts come and go, labels and limits change.
fn config(turn: u32) -> String {
    let even = turn.is_multiple_of(2);
    let (account, fleetwise, in_flight) = if even { (40, 5, 160) } else { (60, 7, 120) };
    let (every, timeout) = (INTERVAL.as_secs(), INTERVAL.as_millis() - 50);
    let mut yaml = format!(
        "
polling: {{interval: {every}s, pending_interval: {every}s, failed_interval: {every}s, timeout: {timeout}ms, stale_after: 1m, start_window: 1s}}
limits: {{fleetwise_requests_per_second: {fleetwise}, account_requests_per_second: {account}, sts_requests_per_second: 200, max_in_flight: {in_flight}}}
{}accounts:\n",
        identities()
    );
    for number in STAYING.chain(COMING).filter(|number| even || STAYING.contains(number)) {
        let govcloud = if number <= LINKED { ", govcloud: {identity: hub}" } else { "" };
        yaml += &format!(
            "  - {{id: '{}', labels: {{turn: '{turn}'}}, fleetwise: {{identity: member, regions: [us-east-1]}}{govcloud}}}\n",
            id(number)
        );
    }
    yaml
}

/// The calls about each target, in the order of their arrival.
fn by_target(calls: Vec<Call>) -> BTreeMap<(Option<AccountId>, bool), Vec<Call>> {
    let mut by_target: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for call in calls {
        let is_fleetwise = call.operation == Operation::GetRegisterAccountStatus;
        if is_fleetwise || call.operation == Operation::GetGovCloudAccountInformation {
            by_target.entry((call.about, is_fleetwise)).or_default().push(call);
        }
    }
    by_target
}

/// One thread for everything: what happens has one order, whichever processor the machine takes away.
#[tokio::test]
async fn a_reload_every_second_loses_and_doubles_nothing() {
    let world =
        STAYING.chain(COMING).fold(World::new().management(hub()), |world, n| world.member(member(n)));
    let aws = Aws::start(world).await;
    for number in STAYING.chain(COMING) {
        aws.control.set_fault(id(number), Operation::GetRegisterAccountStatus, Fault::Delay(LATENCY));
        aws.control.set_fault(id(number), Operation::GetGovCloudAccountInformation, Fault::Delay(LATENCY));
    }
    // What is learnt from being throttled has tests of its own.
    aws.control.set_quota(hub_id(), Service::Account, Quota::per_second(100.0));
    let place = Place::start(&aws, &config(0)).await;
    let targets = STAYING.chain(COMING).count() + LINKED as usize;
    let up = |page: &Page| page.sum("regwatch_target_up") >= 0.95 * targets as f64;
    place.watch.until("they answer", up).await;
    let settled = aws.control.now();

    let mut generations: Vec<Weak<Account>> = Vec::new();
    let mut slowest = Duration::ZERO;
    let storm = async {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for turn in 1..=RELOADS {
            tick.tick().await;
            let accounts = |config: &Config| {
                config.accounts.iter().map(|watched| Arc::downgrade(&watched.account)).collect::<Vec<_>>()
            };
            generations.extend(accounts(&place.applied.borrow()));
            let began = aws.control.now();
            place.adopt(&config(turn)).await;
            slowest = slowest.max(aws.control.now() - began);
        }
        tick.tick().await;
    };
    let stalls = Stalls::default();
    tokio::select! {
        () = storm => {}
        () = stalls.note(&aws.control, async || ()) => unreachable!("it notes for ever"),
    }

    let calls = by_target(aws.control.calls());
    let counted_at = aws.control.now();
    let page = place.watch.scrape().await;
    // How late a poll was beyond what the machine explains.
    // How much longer than the interval a target was not asked, without the stalls meanwhile.
    let unexplained =
        |gap: std::ops::Range<Duration>| (gap.end - gap.start).saturating_sub(INTERVAL + stalls.within(&gap));
    let mut latest = Duration::ZERO;
    for ((account, is_fleetwise), calls) in &calls {
        let account = account.expect("every call is signed");
        let stays = STAYING.map(id).any(|staying| staying == account);
        for pair in calls.windows(2) {
            // One that was broken off when its account went has no answer.
            let overlap = pair[0].answered.map(|answered| answered.saturating_sub(pair[1].at));
            assert_eq!(overlap.unwrap_or_default(), Duration::ZERO, "asked twice at once: {pair:#?}");
            if stays && pair[0].at > settled {
                latest = latest.max(unexplained(pair[0].at..pair[1].at));
            }
        }
        if stays {
            let last = calls.last().expect("it was asked").at;
            latest = latest.max(unexplained(last..counted_at));
            let probe = if *is_fleetwise { "fleetwise" } else { "govcloud" };
            let polls = format!(r#"regwatch_polls_total{{probe="{probe}",aws_account_id="{account}"}}"#);
            let told = page.value(&polls).expect("it stays on the page");
            // One may be in flight, and one not published yet.
            assert!(told >= calls.len() as f64 - 2.0, "{told} of {} polls of {account} arrived", calls.len());
        }
    }
    println!(
        "a poll was {latest:?} late at most; the slowest reload took {slowest:?}; the machine stood still for {:?}",
        stalls.within(&(Duration::ZERO..counted_at))
    );
    assert!(latest < Duration::from_secs(1), "a target was asked {latest:?} late");
    for number in STAYING {
        assert_eq!(assumed(&aws, number), 1, "of account {number}");
    }

    // The file is that of the beginning again, and so is all else.
    place.watch.until("they answer again", up).await;
    let is_over = |_: &_| generations.iter().all(|account| account.strong_count() == 0);
    place.watch.until("nothing of the generations before is left", is_over).await;
    place.watch.end().await;
}
