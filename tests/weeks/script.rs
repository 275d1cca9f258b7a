//! What a seed chooses.

use fastrand::Rng;

use super::settings::{Asked, DAY, HOUR, Hubs, MINUTE, Ms, SECOND, Settings, Times, Who};

/// About how many calls a run makes: what bounds the time that it takes.
const CALLS: f64 = 500.0;

/// One seed in so many has a fleet of thousands.
const CROWD: u64 = 100;

/// All that happens to regwatch, to its machine and to AWS, but for what a target tells and a bucket grants.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    pub(crate) span: Ms,
    pub(crate) settings: Settings,
    habits: Habits,
    /// In the order of their time.
    pub(crate) deeds: Vec<(Ms, Deed)>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) outages: Vec<Outage>,
    /// Changes of a target, on the average.
    pub(crate) changes: f64,
    /// What AWS grants, in calls a second, about: FleetWise, Account Management.
    pub(crate) quotas: [f64; 2],
}

/// What somebody does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    /// Ends the process, by force or in order, and begins another after a time.
    Restart { killed: bool, after: Ms },
    /// Changes the configuration. So long it takes from what the store is asked to what takes over.
    Reload { takes: Ms, edit: Edit },
    /// Suspends the machine.
    Suspend(Ms),
    /// Steps its wall clock.
    Step(i64),
    /// Looks at the metrics.
    Look,
}

/// What a new configuration changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Edit {
    Anything,
    /// Some accounts go.
    Leave,
    /// All that were there at the beginning are there again.
    Return,
}

/// A time in which calls go wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) from: Ms,
    pub(crate) to: Ms,
    pub(crate) kind: FaultKind,
    /// How many of them.
    pub(crate) share: f64,
    /// For whom: targets, or scopes, whose number leaves this remainder.
    pub(crate) of_scopes: bool,
    pub(crate) remainder: usize,
    pub(crate) modulus: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum FaultKind {
    Throttled(Option<Ms>),
    ServerError(Option<Ms>),
    Silent,
    Slow,
    Denied,
    WrongAccount,
    Malformed,
    Unreachable,
    Unavailable,
    NoCredentials(Option<Ms>),
    SlowCredentials,
}

/// A time in which the store is in trouble.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) from: Ms,
    pub(crate) to: Ms,
    pub(crate) kind: OutageKind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum OutageKind {
    Refuses,
    /// It writes, and says that it did not.
    WritesUntold,
    /// Until the end of the outage.
    Hangs,
}

/// Dice of their own for each purpose, so that one more throw here changes nothing there.
pub(crate) fn dice(seed: u64, purpose: &str, number: u64) -> Rng {
    let name =
        purpose.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    Rng::with_seed(name ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// From one to another, each order of magnitude as likely.
fn spread(rng: &mut Rng, from: f64, to: f64) -> f64 {
    from * (to / from).powf(rng.f64())
}

fn one_in(rng: &mut Rng, count: u32) -> bool {
    rng.u32(..count) == 0
}

impl Script {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = dice(seed, "script", 0);
        let is_crowd = seed % CROWD == CROWD - 1;
        let is_rush = !is_crowd && rng.u8(..10) < 4;
        let size = match () {
            () if is_crowd => spread(&mut rng, 1500.0, 10_000.0),
            () if is_rush => spread(&mut rng, 2.0, 300.0),
            () => spread(&mut rng, 1.0, 60.0),
        };
        // In a rush most share a bucket, or nobody would have to wait.
        let habits = if is_rush {
            Habits { fleetwise: 0.1, members: 0.0 }
        } else {
            Habits { fleetwise: rng.f64(), members: rng.f64() }
        };
        let accounts = accounts(size, |number, rng| asked(number, habits, rng), &mut rng);
        let kin = *rng.choice([[0, 1, 2], [0, 0, 2], [0, 1, 1], [0, 0, 0]].iter()).expect("there are some");
        let hubs = Hubs { redefined: [0; 3], kin };
        let limits = [spread(&mut rng, 0.3, 20.0), spread(&mut rng, 0.3, 10.0)];
        let times = times(HOUR, &mut rng);
        let mut settings = Settings { accounts, times, start_window: 30 * SECOND, limits, hubs };
        let count = settings.wanted().count() as f64;
        let span = if is_rush {
            // More or less is wanted than the limits allow, and AWS grants more or less than that.
            let wanted = limits[1] * spread(&mut rng, 0.3, 4.0);
            settings.times = self::times((count / wanted * 1000.0) as Ms, &mut rng);
            let wanted = count * 1000.0 / settings.times.interval as f64;
            let rate = wanted.min(limits[1]) + 0.2 * wanted;
            ((CALLS / rate * 1000.0) as Ms).clamp(MINUTE, DAY)
        } else {
            let (span, calls) = match rng.u8(..60) {
                _ if is_crowd => (2 * DAY, 1.3 * count),
                0 => (30 * DAY, 6.0 * CALLS),
                _ => (spread(&mut rng, HOUR as f64, 3.0 * DAY as f64) as Ms, CALLS),
            };
            let interval = (count * span as f64 / calls) as Ms;
            settings.times = self::times(interval.clamp(MINUTE, 22 * HOUR), &mut rng);
            if is_crowd {
                // Enough for a sweep, or not.
                let wanted = count * 1000.0 / settings.times.interval as f64;
                settings.limits = [0.5, 1.0].map(|_| wanted.max(0.05) * spread(&mut rng, 0.5, 20.0));
            }
            span
        };
        hurry_some(&mut settings);
        settings.start_window = rng.u64(100..=settings.times.interval.clamp(101, HOUR));
        let quotas = settings.limits.map(|limit| limit * spread(&mut rng, 0.4, 3.0));
        let changes = spread(&mut rng, 0.3, 15.0).min(1500.0 / count);
        let mut deeds = deeds(span, is_crowd, count, &mut rng);
        let faults = (0..rng.usize(..8)).map(|_| fault(span, &settings, &mut rng)).collect();
        // More than ten thousand events that wait become fewer, which nobody could tell from losing some.
        let outages = if is_crowd { 0 } else { rng.usize(..6) };
        let mut outages: Vec<_> = (0..outages).map(|_| outage(span, &mut rng)).collect();
        if !is_crowd && one_in(&mut rng, 3) {
            tangle(span, &mut deeds, &mut outages, &mut rng);
        }
        deeds.sort_by_key(|(at, _)| *at);
        Self { seed, span, settings, habits, deeds, faults, outages, changes, quotas }
    }

    /// Changes the configuration.
    pub(crate) fn edit(&self, settings: &mut Settings, edit: Edit, number: u64) {
        let mut rng = dice(self.seed, "edit", number);
        match edit {
            Edit::Anything => self.edit_anything(settings, &mut rng),
            Edit::Leave => leave(settings, &mut rng),
            Edit::Return => {
                for (number, asked) in &self.settings.accounts {
                    settings.accounts.entry(*number).or_insert(*asked);
                }
            }
        }
        if settings.accounts.is_empty() {
            settings.accounts = self.settings.accounts.clone();
        }
        hurry_some(settings);
    }

    fn edit_anything(&self, settings: &mut Settings, rng: &mut Rng) {
        for _ in 0..rng.u8(1..4) {
            match rng.u8(..8) {
                0 | 1 => leave(settings, rng),
                // Who has gone comes back, and who was never there comes too.
                2 | 3 => {
                    let all = accounts(
                        self.settings.accounts.len() as f64 * 1.2,
                        |number, rng| asked(number, self.habits, rng),
                        rng,
                    );
                    for (number, asked) in all {
                        settings.accounts.entry(number).or_insert(asked);
                    }
                }
                4 => settings.times = times(settings.times.interval, rng),
                5 => {
                    settings.limits =
                        settings.limits.map(|limit| (limit * spread(rng, 0.3, 3.0)).clamp(0.02, 100.0))
                }
                6 => settings.hubs.redefined[rng.usize(..3)] += 1,
                _ => {
                    let share = rng.f64() * 0.6;
                    for (number, asked) in &mut settings.accounts {
                        if rng.f64() < share {
                            *asked = self::asked(*number, self.habits, rng);
                        }
                    }
                }
            }
        }
    }
}

/// Takes some accounts out.
fn leave(settings: &mut Settings, rng: &mut Rng) {
    let share = rng.f64() * 0.6;
    settings.accounts.retain(|_, _| rng.f64() >= share);
}

/// So many targets, about.
fn accounts(
    targets: f64,
    asked: impl Fn(u32, &mut Rng) -> Asked,
    rng: &mut Rng,
) -> std::collections::BTreeMap<u32, Asked> {
    let count = (targets / 1.7).ceil() as u32;
    (0..count).map(|number| (number, asked(number, rng))).collect()
}

/// Gives those that have an interval of their own one that goes with the others' times.
fn hurry_some(settings: &mut Settings) {
    let interval = (settings.times.interval / 2).max(settings.times.timeout + 1);
    for asked in settings.accounts.values_mut() {
        asked.interval = asked.interval.map(|_| interval);
    }
}

/// How many accounts are asked for FleetWise, and how many ask for GovCloud themselves.
#[derive(Clone, Copy, Debug)]
struct Habits {
    fleetwise: f64,
    members: f64,
}

/// What is asked about an account.
fn asked(number: u32, habits: Habits, rng: &mut Rng) -> Asked {
    // FleetWise tells the caller's own account only: the first three are those of the hubs.
    let own = if number < 3 && rng.bool() { Who::Hub(number as usize) } else { Who::Member };
    let regions = if one_in(rng, 3) { rng.usize(2..4) } else { 1 };
    let fleetwise = (rng.f64() < habits.fleetwise).then_some((own, regions));
    let asks_itself = rng.f64() < habits.members;
    let hub = if one_in(rng, 6) { rng.usize(1..3) } else { 0 };
    let who = if asks_itself { Who::Member } else { Who::Hub(hub) };
    let govcloud = (fleetwise.is_none() || rng.bool()).then_some(who);
    Asked { fleetwise, govcloud, interval: one_in(rng, 8).then_some(0) }
}

/// The times that go with an interval.
fn times(interval: Ms, rng: &mut Rng) -> Times {
    let interval = ((interval as f64 * spread(rng, 0.8, 1.6)) as Ms).clamp(500, DAY - HOUR);
    let pending = ((interval as f64 * spread(rng, 0.02, 0.8)) as Ms).max(300);
    let failed = ((interval as f64 * spread(rng, 0.2, 1.0)) as Ms).max(300);
    let shortest = interval.min(pending).min(failed);
    let timeout = ((shortest as f64 * 0.9 * rng.f64()) as Ms).clamp(100, 20 * SECOND).min(shortest - 1);
    let stale_after = interval.max(pending).max(failed) + timeout;
    Times { interval, pending, failed, timeout, stale_after }
}

fn deeds(span: Ms, is_crowd: bool, count: f64, rng: &mut Rng) -> Vec<(Ms, Deed)> {
    let mut deeds = Vec::new();
    let brief = |rng: &mut Rng| spread(rng, 1.0, (span / 20) as f64) as Ms;
    let often = if is_crowd { 2 } else { 8 };
    for _ in 0..rng.usize(..often) {
        deeds.push((rng.u64(..span), Deed::Restart { killed: rng.bool(), after: brief(rng) }));
    }
    for _ in 0..rng.usize(..often) {
        let takes = if rng.bool() { 0 } else { rng.u64(..3 * SECOND) };
        let at = rng.u64(..span);
        deeds.push((at, Deed::Reload { takes, edit: Edit::Anything }));
        if one_in(rng, 3) {
            // Another while the one before may still be felt.
            deeds.push((at + rng.u64(..5 * SECOND), Deed::Reload { takes, edit: Edit::Anything }));
        }
    }
    for _ in 0..rng.usize(..6) {
        deeds.push((rng.u64(..span), Deed::Suspend(spread(rng, 100.0, DAY as f64) as Ms)));
        let step = spread(rng, 1.0, HOUR as f64) as i64;
        deeds.push((rng.u64(..span), Deed::Step(if rng.bool() { step } else { -step })));
    }
    for _ in 0..(2000.0 / count).clamp(1.0, 12.0) as usize {
        deeds.push((rng.u64(..span), Deed::Look));
    }
    deeds
}

/// Accounts go while the store is in trouble, and come back with a reload in the midst of which the trouble
/// ends: when the store was asked what it keeps of them, the last had not been written.
fn tangle(span: Ms, deeds: &mut Vec<(Ms, Deed)>, outages: &mut Vec<Outage>, rng: &mut Rng) {
    let from = rng.u64(..span);
    let mut at = from + rng.u64(..=span / 20);
    deeds.push((at, Deed::Reload { takes: 0, edit: Edit::Leave }));
    for _ in 0..rng.u8(..3) {
        at += rng.u64(..10 * SECOND);
        deeds.push((at, Deed::Reload { takes: rng.u64(..SECOND), edit: Edit::Anything }));
    }
    at += rng.u64(SECOND..10 * SECOND);
    // Until what could not be written has been tried again.
    let takes = rng.u64(..60 * SECOND);
    deeds.push((at, Deed::Reload { takes, edit: Edit::Return }));
    let kind = if rng.bool() { OutageKind::Refuses } else { OutageKind::Hangs };
    outages.push(Outage { from, to: at + rng.u64(..=takes), kind });
    if rng.bool() {
        // When all of it should have been written.
        at += takes + 2 * MINUTE;
        deeds.push((at, Deed::Restart { killed: true, after: rng.u64(..SECOND) }));
    }
}

fn fault(span: Ms, settings: &Settings, rng: &mut Rng) -> Fault {
    let hint = |rng: &mut Rng| one_in(rng, 2).then(|| spread(rng, 1.0, 4000.0) as Ms * SECOND);
    let kind = match rng.u8(..12) {
        0 => FaultKind::Throttled(None),
        1 => FaultKind::Throttled(hint(rng)),
        2 => FaultKind::ServerError(hint(rng)),
        3 => FaultKind::Silent,
        4 => FaultKind::Slow,
        5 => FaultKind::Denied,
        6 => FaultKind::WrongAccount,
        7 => FaultKind::Malformed,
        8 => FaultKind::Unreachable,
        9 => FaultKind::Unavailable,
        10 => FaultKind::NoCredentials(hint(rng)),
        _ => FaultKind::SlowCredentials,
    };
    let longest = (span / 10).min(6 * settings.times.interval).max(2);
    let from = rng.u64(..span);
    let modulus = rng.usize(1..5);
    Fault {
        from,
        to: from + rng.u64(1..longest),
        kind,
        share: if rng.bool() { 1.0 } else { rng.f64() },
        of_scopes: rng.bool(),
        remainder: rng.usize(..modulus),
        modulus,
    }
}

fn outage(span: Ms, rng: &mut Rng) -> Outage {
    let from = rng.u64(..span);
    let kind = match rng.u8(..3) {
        0 => OutageKind::Refuses,
        1 => OutageKind::WritesUntold,
        _ => OutageKind::Hangs,
    };
    Outage { from, to: from + spread(rng, 1.0, (span / 20) as f64) as Ms, kind }
}
