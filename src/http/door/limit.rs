//! How often passwords may be tried: for each address, and by all together.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// An address may try ten at once, as a browser does that loads a page, and then ten a minute: 14,400
/// a day, too few for any password but the worst.
const OF_ONE: Rate = Rate { burst: 10.0, each: Duration::from_secs(6) };

/// All together may try sixty at once, and then one a second, which at the usual cost keeps a core busy
/// for a tenth of the time.
const OF_ALL: Rate = Rate { burst: 60.0, each: Duration::from_secs(1) };

/// From how many addresses on those are forgotten that have not tried lately. While an address comes back
/// to its burst, in a minute, all together can try 120 times, so no more are ever left.
const ADDRESSES: usize = 256;

/// How fast tries come back.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    each: Duration,
}

/// Counts tries.
#[derive(Debug, Default)]
pub(super) struct Limiter(Mutex<Tries>);

#[derive(Debug, Default)]
struct Tries {
    all: Used,
    of: HashMap<IpAddr, Used>,
}

/// Tries that have been used, and have not come back yet.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    tries: f64,
    /// When that was so; `None` at first.
    at: Option<Instant>,
}

impl Limiter {
    /// Takes a try; or tells how long to wait for one.
    pub(super) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let address = network(address);
        let mut tries = self.tries();
        if tries.of.len() >= ADDRESSES {
            tries.of.retain(|_, used| used.by(now, OF_ONE) > 0.0);
        }
        let of_one = tries.of.get(&address).copied().unwrap_or_default();
        let wait = of_one.wait(now, OF_ONE).max(tries.all.wait(now, OF_ALL));
        if !wait.is_zero() {
            return Err(wait);
        }
        tries.all = tries.all.changed(now, OF_ALL, 1.0);
        tries.of.insert(address, of_one.changed(now, OF_ONE, 1.0));
        Ok(())
    }

    /// Gives a try back: it was a right password.
    pub(super) fn give_back(&self, address: IpAddr, now: Instant) {
        let mut tries = self.tries();
        tries.all = tries.all.changed(now, OF_ALL, -1.0);
        if let Some(used) = tries.of.get_mut(&network(address)) {
            *used = used.changed(now, OF_ONE, -1.0);
        }
    }

    /// A lock, since both numbers change together. It is held for a few instructions.
    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    /// What is left of them at a time.
    fn by(self, now: Instant, rate: Rate) -> f64 {
        let passed = self.at.map_or(Duration::ZERO, |at| now.duration_since(at));
        (self.tries - passed.div_duration_f64(rate.each)).max(0.0)
    }

    /// How long until there is another try.
    fn wait(self, now: Instant, rate: Rate) -> Duration {
        rate.each.mul_f64((self.by(now, rate) + 1.0 - rate.burst).max(0.0))
    }

    fn changed(self, now: Instant, rate: Rate, by: f64) -> Self {
        Self { tries: (self.by(now, rate) + by).max(0.0), at: Some(now) }
    }
}

/// Whose tries are counted together: of IPv6 a network of 64 bits, since one machine has all of it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn tries_run_out_and_come_back() {
        let (limiter, peer, start) = (Limiter::default(), ip("192.0.2.1"), Instant::now());
        for _ in 0..10 {
            limiter.take(peer, start).unwrap();
        }
        assert_eq!(limiter.take(peer, start), Err(Duration::from_secs(6)));
        assert_eq!(limiter.take(ip("::ffff:192.0.2.1"), start), Err(Duration::from_secs(6)));
        limiter.take(ip("192.0.2.2"), start).unwrap();
        assert_eq!(limiter.take(peer, start + Duration::from_secs(4)), Err(Duration::from_secs(2)));
        limiter.take(peer, start + Duration::from_secs(6)).unwrap();
        limiter.take(peer, start + Duration::from_secs(6)).unwrap_err();
        limiter.give_back(peer, start + Duration::from_secs(6));
        limiter.take(peer, start + Duration::from_secs(6)).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_share_a_limit_and_little_memory() {
        let (limiter, start) = (Limiter::default(), Instant::now());
        let mut taken = 0;
        for second in 0..1000 {
            for host in 0..5_u128 {
                let network = 0x2001_0db8_u128 << 96 | (second * 5 + host) << 64;
                let now = start + Duration::from_secs(u64::try_from(second).unwrap());
                taken += u32::from(limiter.take(Ipv6Addr::from_bits(network | 7).into(), now).is_ok());
            }
        }
        assert!((1_050..1_062).contains(&taken), "{taken}");
        assert!(limiter.tries().of.len() <= ADDRESSES + 1, "{}", limiter.tries().of.len());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        assert_eq!(network(ip("2001:db8::1")), network(ip("2001:db8::ffff:2")));
        assert_ne!(network(ip("2001:db8::1")), network(ip("2001:db8:0:1::1")));
        assert_ne!(network(ip("192.0.2.1")), network(ip("192.0.2.2")));
    }
}
