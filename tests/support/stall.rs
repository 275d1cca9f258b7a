//! When the machine kept everything waiting, because it stood still or had others to serve. Machines that
//! are shared do so for seconds, and nobody can be judged by what they did then.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regwatch::sim::{Call, Control, Operation};
use tokio::time::sleep;

use crate::harness::{Aws, id};
use crate::watch::Watch;

/// How often it is looked.
const TICK: Duration = Duration::from_millis(20);

/// What passes for working, though it seldom takes more than a few milliseconds: a pace of 3 calls a second
/// makes up for it.
const UNNOTICED: Duration = Duration::from_millis(150);

/// The periods in which something took longer than it may, by the time of the simulation. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stalls(Arc<Mutex<Vec<Range<Duration>>>>);

impl Stalls {
    /// Does some work again and again, for ever, and notes when it was late or took long. Work of nothing
    /// shows whether the machine turns at all.
    pub(crate) async fn note(&self, control: &Control, work: impl AsyncFn()) {
        loop {
            let before = control.now();
            sleep(TICK).await;
            work().await;
            let after = control.now();
            if after - before > TICK + UNNOTICED {
                self.0.lock().expect("nobody panicked").push(before..after);
            }
        }
    }

    /// The same of a daemon: whether its loops turn, for which nothing depends on AWS.
    pub(crate) async fn note_of(&self, watch: &Watch, aws: &Aws) {
        self.note(&aws.control, async || assert_eq!(watch.get("/-/healthy").await.0, 200)).await;
    }

    /// The stalls so far, in their order.
    pub(crate) fn seen(&self) -> Vec<Range<Duration>> {
        self.0.lock().expect("nobody panicked").clone()
    }

    /// For how long of a period the machine stood still.
    pub(crate) fn within(&self, period: &Range<Duration>) -> Duration {
        let overlap =
            |stall: Range<Duration>| stall.end.min(period.end).saturating_sub(stall.start.max(period.start));
        self.seen().into_iter().map(overlap).sum()
    }

    /// The longest time for which one of these members was not asked for its registration, from an offset on,
    /// less what the machine stood still of it; and that alone.
    pub(crate) fn longest_gap(
        &self,
        aws: &Aws,
        members: impl IntoIterator<Item = u64>,
        from: Duration,
    ) -> (Duration, Duration) {
        let calls = aws.control.calls();
        let gaps = members.into_iter().flat_map(|number| {
            let mine = |call: &&Call| {
                call.operation == Operation::GetRegisterAccountStatus
                    && call.about == Some(id(number))
                    && call.at > from
            };
            let times: Vec<_> = calls.iter().filter(mine).map(|call| call.at).collect();
            assert!(times.len() >= 3, "member {number} was asked {} times", times.len());
            let gap = |pair: &[Duration]| {
                let stood = self.within(&(pair[0]..pair[1]));
                (pair[1] - pair[0] - stood, stood)
            };
            times.windows(2).map(gap).max()
        });
        gaps.max().expect("there are members")
    }

    /// The parts of a period in which it did not stand still, each from some time after the stall before it.
    pub(crate) fn calm(&self, period: Range<Duration>, recovery: Duration) -> Vec<Range<Duration>> {
        let mut calm = Vec::new();
        let mut from = period.start;
        for stall in self.seen() {
            calm.push(from..stall.start.min(period.end));
            from = from.max(stall.end + recovery);
        }
        calm.push(from..period.end);
        calm.retain(|part| !part.is_empty());
        calm
    }
}

#[test]
fn a_period_is_what_is_calm_and_what_is_not() {
    let s = Duration::from_secs;
    let stalls = Stalls(Arc::new(Mutex::new(vec![s(2)..s(4), s(5)..s(6), s(20)..s(30)])));
    assert_eq!(stalls.within(&(s(3)..s(22))), s(4));
    assert_eq!(stalls.within(&(s(7)..s(20))), s(0));
    assert_eq!(stalls.calm(s(0)..s(25), s(0)), [s(0)..s(2), s(4)..s(5), s(6)..s(20)]);
    assert_eq!(stalls.calm(s(1)..s(40), s(2)), [s(1)..s(2), s(8)..s(20), s(32)..s(40)]);
    assert_eq!(Stalls::default().calm(s(1)..s(3), s(9)), [s(1)..s(3)]);
}
