//! The gate of a quota scope, as it has to be after what AWS answered.

use super::super::journal::{Ending, Target};
use super::super::settings::{Ms, SECOND};

/// The longest that AWS is believed.
const HINT_MAX: Ms = 3600 * SECOND;

/// The shortest and the longest delay of regwatch's own.
const DELAY: (Ms, Ms) = (250, 300 * SECOND);

#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    pub(super) is_closed: bool,
    /// Who tries whether it may open.
    pub(super) trial: Option<Target>,
    closings: u32,
    in_a_row: u32,
    /// Between these it opens for one.
    pub(super) opens: (Ms, Ms),
    /// When it last opened for all.
    pub(super) opened_at: Option<Ms>,
}

impl Gate {
    /// Whether it was throttled, and nothing has come through since.
    pub(super) fn is_backing_off(&self) -> bool {
        self.in_a_row > 0
    }

    /// A call begins. How often the gate has closed by then.
    pub(super) fn call(&mut self, target: Target) -> u32 {
        if self.is_closed {
            self.trial = Some(target);
        }
        self.closings
    }

    /// A call has ended that began when the gate had closed so often.
    pub(super) fn finish(&mut self, now: Ms, target: Target, closings: u32, ending: Ending) {
        let is_news = closings == self.closings;
        let is_trial = is_news && self.trial == Some(target);
        match ending {
            Ending::Told(_) | Ending::Refused => {
                if is_trial {
                    self.trial = None;
                    self.in_a_row = 0;
                    self.is_closed = now < self.opens.0;
                    self.opened_at = Some(now);
                }
            }
            Ending::Lost => {
                if is_trial {
                    self.trial = None;
                    self.hold(now, (DELAY.0, DELAY.0));
                }
            }
            Ending::Throttled(hint) => {
                let hint = hint.unwrap_or_default().min(HINT_MAX);
                let mut delay = (hint, hint);
                if is_news {
                    let own = (DELAY.0 << self.in_a_row.min(20)).min(DELAY.1 * 5 / 6) * 4 / 5;
                    self.in_a_row += 1;
                    delay = (hint.max(own), hint.max(DELAY.1));
                }
                self.hold(now, delay);
                if is_news || (hint > 0 && !self.is_closed) {
                    self.is_closed = true;
                    self.trial = None;
                    self.closings += 1;
                }
            }
        }
    }

    fn hold(&mut self, now: Ms, delay: (Ms, Ms)) {
        self.opens = (self.opens.0.max(now + delay.0), self.opens.1.max(now + delay.1));
    }
}
