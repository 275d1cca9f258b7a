//! What there is to tell, from what was told and what is seen.

use std::time::Duration;

use tokio::time::Instant;

use super::{Phase, Say};
use crate::liveness::Stuck;

/// How long a status holds at least. People read it, and each is a line in a log of the service manager
/// where that is told to be talkative.
const STATUS_HOLDS: Duration = Duration::from_secs(5);

/// For how much longer than the next look regwatch asks to be waited for while it is not ready: as long as
/// a loop may be late, so that what ends a start that hangs is the loops, and not a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is seen at one time.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) is_ready: bool,
    /// The loop that does not turn.
    pub(super) stuck: Option<Stuck>,
    /// How the targets are doing.
    pub(super) doing: String,
}

/// What has been told.
#[derive(Debug)]
pub(super) struct News {
    has_watchdog: bool,
    is_ready: bool,
    is_reloading: bool,
    is_refused: bool,
    is_stuck: bool,
    status: Option<(String, Instant)>,
}

impl News {
    /// Nothing was told yet.
    pub(super) fn new(has_watchdog: bool) -> Self {
        let [is_ready, is_reloading, is_refused, is_stuck] = [false; 4];
        Self { has_watchdog, is_ready, is_reloading, is_refused, is_stuck, status: None }
    }

    /// Whether it was told that regwatch is ready.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// What a look brings.
    pub(super) fn of_look(&mut self, seen: &Seen, now: Instant) -> Vec<Say> {
        let mut news = Vec::new();
        let becomes_ready = seen.is_ready && !self.is_ready;
        if becomes_ready {
            self.is_ready = true;
            news.push(Say::Ready);
        }
        match &seen.stuck {
            None => {
                if !self.is_ready {
                    news.push(Say::Patience(PATIENCE));
                }
                if self.has_watchdog {
                    news.push(Say::Alive);
                }
            }
            Some(stuck) if !self.is_stuck => {
                tracing::error!("{stuck}; the service manager is not told that regwatch lives");
            }
            Some(_) => {}
        }
        self.is_stuck = seen.stuck.is_some();
        let holds = |(_, since): &(String, Instant)| now.duration_since(*since) < STATUS_HOLDS;
        if becomes_ready || !self.status.as_ref().is_some_and(holds) {
            news.extend(self.status(seen, now));
        }
        news
    }

    /// What a phase brings.
    pub(super) fn of_phase(&mut self, phase: Phase, seen: &Seen, now: Instant) -> Vec<Say> {
        match phase {
            // A service manager that waits for ready is not interested in anything else.
            Phase::Reloading if !self.is_ready => Vec::new(),
            Phase::Reloading => {
                self.is_reloading = true;
                vec![Say::Reloading]
            }
            Phase::Reloaded { is_refused } => {
                self.is_refused = is_refused;
                let ready = std::mem::take(&mut self.is_reloading).then_some(Say::Ready);
                ready.into_iter().chain(self.status(seen, now)).collect()
            }
            Phase::Stopping => {
                let line = "ending: calls in flight and deliveries may finish";
                vec![Say::Stopping, Say::Status(line.to_owned())]
            }
        }
    }

    /// The status, if it is another than before.
    fn status(&mut self, seen: &Seen, now: Instant) -> Option<Say> {
        let mut line = match &seen.stuck {
            Some(stuck) => stuck.to_string(),
            None => seen.doing.clone(),
        };
        if !self.is_ready {
            line.insert_str(0, "starting; ");
        }
        if self.is_refused {
            line.push_str("; the last change of the configuration was refused");
        }
        if self.status.as_ref().is_some_and(|(told, _)| *told == line) {
            return None;
        }
        self.status = Some((line.clone(), now));
        Some(Say::Status(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::liveness::Loop;

    /// What is seen of a regwatch that is well.
    fn seen(doing: &str) -> Seen {
        Seen { is_ready: true, stuck: None, doing: doing.to_owned() }
    }

    fn status(line: &str) -> Say {
        Say::Status(line.to_owned())
    }

    fn told(looks: &mut News, now: Instant) -> Vec<Say> {
        looks.of_look(&seen("3 targets: 3 well"), now)
    }

    #[tokio::test(start_paused = true)]
    async fn ready_is_told_once_and_patience_is_asked_for_until_then() {
        let mut news = News::new(true);
        let now = Instant::now();
        let starting = Seen { is_ready: false, ..seen("3 targets: 3 unknown") };
        let line = status("starting; 3 targets: 3 unknown");
        assert_eq!(news.of_look(&starting, now), [Say::Patience(PATIENCE), Say::Alive, line]);
        assert_eq!(news.of_look(&starting, now), [Say::Patience(PATIENCE), Say::Alive]);
        assert!(!news.is_ready());
        assert_eq!(told(&mut news, now), [Say::Ready, Say::Alive, status("3 targets: 3 well")]);
        assert!(news.is_ready());
        // What is new after a reload may have to be asked first; regwatch stays ready.
        let not_again = Seen { is_ready: false, ..seen("3 targets: 3 well") };
        assert_eq!(news.of_look(&not_again, now), [Say::Alive]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_lives_for_whom_a_loop_is_stuck() {
        let mut news = News::new(true);
        let mut now = Instant::now();
        told(&mut news, now);
        let stuck = Seen { stuck: Some(Stuck(Loop::Tracker)), ..seen("3 targets: 3 well") };
        now += STATUS_HOLDS;
        let line = status("the tracker has not come back when it was due");
        assert_eq!(news.of_look(&stuck, now), [line]);
        assert_eq!(news.of_look(&stuck, now), []);
        now += STATUS_HOLDS;
        assert_eq!(told(&mut news, now), [Say::Alive, status("3 targets: 3 well")]);

        let mut starting = News::new(true);
        let stuck = Seen { is_ready: false, ..stuck };
        let line = status("starting; the tracker has not come back when it was due");
        assert_eq!(starting.of_look(&stuck, now), [line], "a start that hangs asks for no patience");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_watchdog_nobody_waits_for_a_word() {
        let mut news = News::new(false);
        assert_eq!(told(&mut news, Instant::now()), [Say::Ready, status("3 targets: 3 well")]);
        assert_eq!(told(&mut news, Instant::now()), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_status_is_told_when_it_changes_and_not_oftener_than_it_can_be_read() {
        let mut news = News::new(false);
        let mut now = Instant::now();
        told(&mut news, now);
        now += STATUS_HOLDS - Duration::from_millis(1);
        assert_eq!(news.of_look(&seen("3 targets: 1 failed, 2 well"), now), []);
        now += Duration::from_millis(1);
        let line = status("3 targets: 1 failed, 2 well");
        assert_eq!(news.of_look(&seen("3 targets: 1 failed, 2 well"), now), [line]);
        now += STATUS_HOLDS * 10;
        assert_eq!(news.of_look(&seen("3 targets: 1 failed, 2 well"), now), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_begins_and_ends_and_leaves_its_outcome() {
        let mut news = News::new(false);
        let now = Instant::now();
        told(&mut news, now);
        let well = seen("3 targets: 3 well");
        assert_eq!(news.of_phase(Phase::Reloading, &well, now), [Say::Reloading]);
        let refused = Phase::Reloaded { is_refused: true };
        let line = status("3 targets: 3 well; the last change of the configuration was refused");
        assert_eq!(news.of_phase(refused, &well, now), [Say::Ready, line]);
        assert_eq!(told(&mut news, now + STATUS_HOLDS), []);
        news.of_phase(Phase::Reloading, &well, now);
        let applied = Phase::Reloaded { is_refused: false };
        let four = seen("4 targets: 1 unknown, 3 well");
        let line = status("4 targets: 1 unknown, 3 well");
        assert_eq!(news.of_phase(applied, &four, now), [Say::Ready, line]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_before_it_is_ready_makes_nothing_ready() {
        let mut news = News::new(false);
        let (now, starting) = (Instant::now(), Seen { is_ready: false, ..seen("1 target: 1 unknown") });
        assert_eq!(news.of_phase(Phase::Reloading, &starting, now), []);
        let line = status("starting; 1 target: 1 unknown");
        assert_eq!(news.of_phase(Phase::Reloaded { is_refused: false }, &starting, now), [line]);
        assert!(!news.is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_told_whenever_it_comes() {
        for is_ready in [false, true] {
            let (mut news, now) = (News::new(true), Instant::now());
            let seen = Seen { is_ready, ..seen("1 target: 1 well") };
            news.of_look(&seen, now);
            assert_eq!(news.of_phase(Phase::Stopping, &seen, now)[0], Say::Stopping);
        }
    }
}
