//! A picture of what was known of a target: a strip of time, in which the worse stands higher, so that it
//! can be told without colours. Where nothing was known it is empty.

use jiff::{SignedDuration, Timestamp};

use super::health::Health;
use super::history::Span;
use super::moment::spelled;

/// Its height.
const HEIGHT: u32 = 16;

/// A strip of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip {
    /// What it is called.
    name: &'static str,
    /// How long it is.
    pub(super) length: SignedDuration,
    /// In how many columns; a step in a column shows, however short it was.
    columns: u32,
}

impl Strip {
    /// In steps of five minutes.
    pub(super) const DAY: Self =
        Self { name: "Last 24 hours", length: SignedDuration::from_hours(24), columns: 288 };

    /// In steps of half an hour.
    pub(super) const WEEK: Self =
        Self { name: "Last 7 days", length: SignedDuration::from_hours(7 * 24), columns: 336 };

    /// Draws what is in the strip of time that ends now.
    pub(super) fn draw(self, spans: &[Span], now: Timestamp) -> Picture {
        let start = now.saturating_sub(self.length).unwrap_or(Timestamp::MIN);
        let mut columns: Vec<Option<Health>> = vec![None; self.columns as usize];
        let mut lasted = [SignedDuration::ZERO; Health::ALL.len()];
        for span in spans.iter().filter_map(|span| span.within(start, now)) {
            lasted[span.health as usize] += span.duration();
            let millis = |time: Timestamp| time.duration_since(start).as_millis();
            let column = |millis: i128| {
                let column = millis * i128::from(self.columns) / self.length.as_millis();
                usize::try_from(column).unwrap_or_default().min(columns.len() - 1)
            };
            let first = column(millis(span.from));
            let last = column(millis(span.until) - 1).max(first);
            for column in &mut columns[first..=last] {
                *column = (*column).max(Some(span.health));
            }
        }
        Picture { words: self.words(&lasted), columns: self.columns, bars: bars(&columns) }
    }

    fn words(self, lasted: &[SignedDuration]) -> String {
        let mut words = Vec::new();
        let mut known = SignedDuration::ZERO;
        for health in Health::ALL {
            let lasted = lasted[health as usize];
            known += lasted;
            if lasted > SignedDuration::ZERO {
                words.push(format!("{} {}", health.word(), spelled(lasted)));
            }
        }
        let unknown = self.length - known;
        if unknown >= SignedDuration::from_secs(1) {
            words.push(format!("nothing known {}", spelled(unknown)));
        }
        format!("{}: {}", self.name, words.join(", "))
    }
}

/// A picture to be written as SVG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    /// The same in words.
    pub(super) words: String,
    /// Its width.
    pub(super) columns: u32,
    /// What is to be seen.
    pub(super) bars: Vec<Bar>,
}

impl Picture {
    pub(super) fn height(&self) -> u32 {
        HEIGHT
    }
}

/// A bar of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) x: usize,
    pub(super) width: usize,
    pub(super) health: Health,
}

impl Bar {
    pub(super) const fn height(&self) -> u32 {
        match self.health {
            Health::Failed => HEIGHT,
            Health::Unreachable | Health::Stale => 13,
            Health::Pending => 11,
            Health::Unknown => 9,
            Health::Well => 6,
            Health::Absent => 3,
        }
    }

    pub(super) const fn y(&self) -> u32 {
        HEIGHT - self.height()
    }
}

fn bars(columns: &[Option<Health>]) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for (x, health) in columns.iter().enumerate() {
        let Some(health) = *health else { continue };
        match bars.last_mut() {
            Some(bar) if bar.x + bar.width == x && bar.health == health => bar.width += 1,
            _ => bars.push(Bar { x, width: 1, health }),
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_and_bad_is_seen_and_the_whole_is_told() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let ago = |secs| now - SignedDuration::from_secs(secs);
        let span = |from, until, health| Span { from: ago(from), until: ago(until), health };
        let spans = [
            span(90_000, 3_601, Health::Well),
            span(3_601, 3_600, Health::Failed),
            span(3_600, 1_800, Health::Well),
            span(600, 0, Health::Pending),
        ];
        let picture = Strip::DAY.draw(&spans, now);
        let bar = |x, width, health| Bar { x, width, health };
        assert_eq!(
            picture.bars,
            [
                bar(0, 275, Health::Well),
                bar(275, 1, Health::Failed),
                bar(276, 6, Health::Well),
                bar(286, 2, Health::Pending),
            ]
        );
        let words = "Last 24 hours: failed 1 s, pending 10 min, well 23 h 29 min, nothing known 20 min";
        assert_eq!(picture.words, words);
        let nothing = Strip::WEEK.draw(&[], now);
        assert_eq!((&*nothing.words, nothing.bars), ("Last 7 days: nothing known 7 days", Vec::new()));
    }
}
