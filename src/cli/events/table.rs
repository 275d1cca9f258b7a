//! Events as the rows of a table. Its columns are as wide as what they hold, and grow when more comes.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use crate::cli::terminal::{Colour, Look, brief, harmless, shortened};
use crate::model::{Status, TransitionKind, Word};

/// The columns but for the last, AWS's words, which takes what the others leave.
const HEADS: [&str; 6] = ["TIME", "SEQ", "ACCOUNT", "REGION", "RESOURCE", "CHANGE"];

/// The column of the change, which is coloured.
const CHANGE: usize = 5;

/// How wide columns are at least: enough for most of what a stream has yet to bring.
const WIDTHS: [usize; 6] = [20, 5, 23, 9, 8, 17];

/// What is between two columns.
const GAP: usize = 2;

/// How much of an account's name is written on a terminal: at least, and at most if there is room.
const NAME: (usize, usize) = (8, 32);

/// What all columns but AWS's words usually take without a name.
const NAMELESS: usize = 90;

/// The least room in which AWS's words are still worth reading; with less they get a line of their own.
const WORDS: usize = 30;

/// A table that is being written.
#[derive(Debug)]
pub(super) struct Table {
    look: Look,
    widths: [usize; 6],
    has_head: bool,
}

/// What a row needs of a CloudEvent's data. A daemon of another version may leave something out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    sequence: u64,
    kind: String,
    account_id: String,
    account_name: String,
    region: Option<String>,
    resource: String,
    from: Option<String>,
    to: String,
    text: Option<String>,
    error_message: Option<String>,
    observed_at: String,
}

impl Table {
    pub(super) const fn new(look: Look) -> Self {
        Self { look, widths: WIDTHS, has_head: false }
    }

    /// The rows of some events, with a head before the first.
    pub(super) fn rows(&mut self, events: &[Value]) -> String {
        let data = |event: &Value| Data::deserialize(&event["data"]).unwrap_or_default();
        let rows: Vec<_> = events.iter().map(data).map(|data| (self.cells(&data), data)).collect();
        for (cells, _) in &rows {
            for (width, cell) in self.widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        if !rows.is_empty() && !self.has_head {
            self.has_head = true;
            // Where the words get lines of their own, they need no head.
            let used = self.widths.iter().map(|width| width + GAP).sum::<usize>();
            let has_room = self.look.width.is_none_or(|width| width >= used + WORDS);
            self.row(&mut text, &HEADS.map(str::to_owned), None, if has_room { "AWS SAYS" } else { "" });
        }
        for (cells, data) in &rows {
            let words = data.error_message.as_ref().or(data.text.as_ref());
            let words = words.map(harmless).unwrap_or_default();
            let colour = Status::from_word(&data.to).and_then(Colour::of).filter(|_| self.look.colour);
            self.row(&mut text, cells, colour, &words);
        }
        text
    }

    fn cells(&self, data: &Data) -> [String; 6] {
        let time = match data.observed_at.split_once('.') {
            Some((seconds, _)) => format!("{seconds}Z"),
            None => data.observed_at.clone(),
        };
        let room = |width: usize| width.saturating_sub(NAMELESS).clamp(NAME.0, NAME.1);
        let most = self.look.width.map_or(usize::MAX, room);
        let account = match data.account_name == data.account_id {
            true => data.account_id.clone(),
            false => format!("{} {}", data.account_id, shortened(&harmless(&data.account_name), most)),
        };
        let region = data.region.as_deref().unwrap_or("-");
        let cells = [&time, &data.sequence.to_string(), &account, region, &data.resource, &change(data)];
        cells.map(harmless)
    }

    fn row(&self, text: &mut String, cells: &[String; 6], colour: Option<Colour>, words: &str) {
        let mut used = 0;
        for (index, (cell, &width)) in cells.iter().zip(&self.widths).enumerate() {
            let room = " ".repeat(width.saturating_sub(cell.chars().count()));
            let (before, after) = if index == 1 { (room.as_str(), "") } else { ("", room.as_str()) };
            match colour {
                Some(colour) if index == CHANGE => {
                    text.extend([before, colour.begin(), cell, Colour::END, after])
                }
                _ => text.extend([before, cell, after]),
            }
            text.push_str(&" ".repeat(GAP));
            used += width + GAP;
        }
        match self.look.width {
            None => text.push_str(words),
            Some(width) if width >= used + WORDS || words.chars().count() + used <= width => {
                text.push_str(&shortened(words, width - used));
            }
            Some(width) => {
                text.truncate(text.trim_end().len());
                let indent = WIDTHS[0] + GAP;
                write!(text, "\n{:indent$}{}", "", shortened(words, width.saturating_sub(indent).max(WORDS)))
                    .expect("a text takes all");
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
}

/// The states before and after.
fn change(data: &Data) -> String {
    let to = brief(&data.to);
    match &data.from {
        Some(_) if data.kind == TransitionKind::Modified.as_str() => format!("{to} (modified)"),
        Some(_) if data.kind == TransitionKind::Ended.as_str() => format!("{to} (ended)"),
        Some(from) => format!("{} → {to}", brief(from)),
        None => format!("→ {to}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(sequence: u64, from: Option<&str>, to: &str, error_message: Option<&str>) -> Value {
        json!({"data": {
            "sequence": sequence, "kind": if from.is_some() { "changed" } else { "first_seen" },
            "account_id": "111122223333", "account_name": "fleet-prod", "region": "us-east-1",
            "resource": "account", "from": from, "to": to, "text": null, "error_message": error_message,
            "observed_at": "2026-11-21T12:00:00.123456789Z",
        }})
    }

    fn failed(words: &str) -> Value {
        event(1234, Some("REGISTRATION_PENDING"), "REGISTRATION_FAILURE", Some(words))
    }

    #[test]
    fn a_row_tells_the_change_in_columns() {
        let mut table = Table::new(Look { width: None, colour: false });
        let text = table.rows(&[event(7, None, "ACTIVE", None), failed("the role cannot be assumed")]);
        assert_eq!(
            text,
            "\
TIME                    SEQ  ACCOUNT                  REGION     RESOURCE  CHANGE             AWS SAYS
2026-11-21T12:00:00Z      7  111122223333 fleet-prod  us-east-1  account   → ACTIVE
2026-11-21T12:00:00Z   1234  111122223333 fleet-prod  us-east-1  account   PENDING → FAILURE  the role cannot be assumed
"
        );
        assert_eq!(table.rows(&[]), "");
        assert!(table.rows(&[event(8, None, "ACTIVE", None)]).starts_with("2026"), "one head is enough");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [100, 120, 160] {
            let mut table = Table::new(Look { width: Some(width), colour: false });
            let mut event = failed(&"the role cannot be assumed ".repeat(10));
            event["data"]["account_name"] = "a-name-that-goes-on-and-on-and-on".into();
            let text = table.rows(&[event]);
            assert!(text.contains("the role cannot"), "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn states_are_coloured_where_wanted() {
        let mut table = Table::new(Look { width: None, colour: true });
        let text = table.rows(&[failed("no")]);
        assert!(text.contains("\x1b[31mPENDING → FAILURE\x1b[0m  no\n"), "{text:?}");
    }

    #[test]
    fn the_words_of_others_cannot_play_with_the_terminal() {
        let mut table = Table::new(Look { width: None, colour: false });
        let mut event = failed("a\x1b[2Jb\nc\u{202e}d\u{9b}");
        event["data"]["account_name"] = "x\ty\r".into();
        let text = table.rows(&[event]);
        assert!(text.contains(r"x\ty\r") && text.contains(r"a\u{1b}[2Jb\nc\u{202e}d\u{9b}"), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
