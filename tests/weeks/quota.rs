//! A bucket of tokens as AWS keeps one: refilled at a rate that changes, and emptied by others too.

use fastrand::Rng;

use super::settings::{HOUR, MINUTE, Ms};

#[derive(Debug)]
pub(crate) struct Quota {
    /// Tokens a second that are left to regwatch, each from its time on.
    rates: Vec<(Ms, f64)>,
    burst: f64,
    tokens: f64,
    /// When they were counted.
    at: Ms,
    /// What AWS asks for when it refuses.
    pub(crate) hint: Option<Ms>,
}

impl Quota {
    /// About so many calls a second over a span.
    pub(crate) fn new(base: f64, span: Ms, rng: &mut Rng) -> Self {
        let times = |count: usize, rng: &mut Rng| {
            let mut times: Vec<Ms> = (0..count).map(|_| rng.u64(..span)).collect();
            times.sort_unstable();
            times
        };
        // What AWS grants, and what others take of it.
        let mut granted = vec![(0, base)];
        for at in times(rng.usize(..4), rng) {
            granted.push((at, base * (0.3 + 1.5 * rng.f64())));
        }
        let mut taken = vec![(0, 0.0)];
        for at in times(rng.usize(..4), rng) {
            taken.push((at, if rng.bool() { 0.0 } else { base * rng.f64() }));
        }
        if rng.u8(..4) == 0 {
            // Others take all of it for a while.
            let (from, to) = (rng.u64(..span), rng.u64(MINUTE..2 * HOUR));
            taken.retain(|(at, _)| !(from..=from + to).contains(at));
            taken.extend([(from, f64::INFINITY), (from + to, 0.0)]);
            taken.sort_by_key(|(at, _)| *at);
        }
        let mut turns: Vec<Ms> = granted.iter().chain(&taken).map(|(at, _)| *at).collect();
        turns.sort_unstable();
        turns.dedup();
        let level =
            |levels: &[(Ms, f64)], at: Ms| levels[levels.partition_point(|(from, _)| *from <= at) - 1].1;
        let rates =
            turns.iter().map(|&at| (at, (level(&granted, at) - level(&taken, at)).max(0.0))).collect();
        let burst = (base * (0.5 + 2.0 * rng.f64())).max(1.0);
        let hint = (rng.u8(..4) == 0).then(|| rng.u64(1..60) * 1000);
        Self { rates, burst, tokens: burst, at: 0, hint }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Ms) -> bool {
        let mut place = self.rates.partition_point(|(from, _)| *from <= self.at) - 1;
        while self.at < now {
            let until = self.rates.get(place + 1).map_or(now, |(from, _)| now.min(*from));
            let gained = (until - self.at) as f64 / 1000.0 * self.rates[place].1;
            self.tokens = (self.tokens + gained).min(self.burst);
            (self.at, place) = (until, place + 1);
        }
        let is_there = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(is_there));
        is_there
    }
}
