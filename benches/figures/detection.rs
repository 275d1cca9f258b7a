//! How soon after a registration has succeeded regwatch knows, against polling every five minutes.

use std::sync::Arc;
use std::time::Duration;

use regwatch::model::{
    Details, Failure, Polling, Reading, Report, Resource, ResourceReading, Status, Target,
};
use regwatch::probe::{Asked, Prober};
use tokio::time::{Instant, sleep};

use crate::fleet::{POLLING, apart};
use crate::row;
use crate::stage::{play, virtually};

const TARGETS: u32 = 2000;
const TIME: Duration = Duration::from_secs(3 * 3600);
const EVERY_FIVE_MINUTES: Duration = Duration::from_secs(300);

/// How long a call takes.
const LATENCY: Duration = Duration::from_millis(50);

/// A registration takes about five minutes.
const REGISTRATION: std::ops::Range<f64> = 240.0..360.0;

pub(crate) fn measure() {
    let plain = Polling { pending_interval: EVERY_FIVE_MINUTES, ..POLLING };
    for (what, begins) in
        [("PENDING is known", None), ("PENDING begins unseen, five minutes before", Some(()))]
    {
        let begun = begins.is_some();
        let (ours, theirs) = (median_delay(POLLING, begun), median_delay(plain.clone(), begun));
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        let seen =
            format!("1/{ratio:.1} ({:.1} s against {:.1} s)", ours.as_secs_f64(), theirs.as_secs_f64());
        let figure = format!("delay of PENDING to SUCCESS against every 5 minutes, median, where {what}");
        row(figure, seen, "1/15", ratio >= 15.0);
    }
}

/// A target is PENDING from one moment and SUCCESS from another.
#[derive(Clone, Copy, Debug)]
struct Course {
    pending: Instant,
    success: Instant,
}

#[derive(Debug)]
struct Scripted(Arc<[Course]>);

impl Prober for Scripted {
    type Session = ();

    async fn sign_in(&self, _: &Target) -> Result<(), Failure> {
        Ok(())
    }

    async fn ask(&self, target: &Target, (): ()) -> Asked {
        let at = Instant::now();
        sleep(LATENCY / 2).await;
        let course = self.0[target.scope.0 as usize];
        let status = match Instant::now() {
            now if now < course.pending => Status::NotRegistered,
            now if now < course.success => Status::RegistrationPending,
            _ => Status::RegistrationSuccess,
        };
        sleep(LATENCY / 2).await;
        let resources = vec![ResourceReading::new(Resource::Account, status)];
        let reading = Reading { resources, details: Details::None, created_at: None, modified_at: None };
        Asked { at, outcome: Ok(reading) }
    }
}

/// The median time from SUCCESS until it is reported; where `unseen`, the registration begins while
/// nobody expects it.
fn median_delay(polling: Polling, unseen: bool) -> Duration {
    virtually(async move {
        let began = Instant::now();
        let mut random = fastrand::Rng::with_seed(7);
        let mut within = |range: std::ops::Range<f64>| {
            Duration::from_secs_f64(range.start + (range.end - range.start) * random.f64())
        };
        let courses: Arc<[Course]> = (0..TARGETS)
            .map(|_| {
                let success = began + within(3600.0..7200.0);
                Course { pending: if unseen { success - within(REGISTRATION) } else { began }, success }
            })
            .collect();
        let mut delays = vec![None; courses.len()];
        play(apart(TARGETS, polling), Scripted(Arc::clone(&courses)), 7, TIME, |report| {
            let Report::Polled { poll, .. } = report else { return };
            let target = poll.target.0 as usize;
            let is_success =
                poll.outcome.is_ok_and(|reading| reading.resources[0].status == Status::RegistrationSuccess);
            if is_success && delays[target].is_none() {
                delays[target] = Some(Instant::now() - courses[target].success);
            }
        })
        .await;
        let mut delays: Vec<_> =
            delays.into_iter().map(|delay| delay.expect("each succeeds in time")).collect();
        delays.sort();
        delays[delays.len() / 2]
    })
}
