//! One line for each event.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::{json, text};
use crate::clock::Clock;

/// How lines look, and what they begin with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) look: Look,
    /// Whether each begins with its priority, for the journal.
    pub(super) prioritized: bool,
    pub(super) clock: Clock,
}

/// How a line looks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    /// Text, with its time.
    Text { colour: bool },
    /// Text for the journal, which notes the time itself.
    Journal,
    /// A JSON object.
    Json,
}

impl Line {
    /// The whole line, with its end.
    fn of(self, event: &Event<'_>) -> String {
        let level = *event.metadata().level();
        let fields = Fields::of(event);
        let mut line = String::new();
        if self.prioritized {
            line.push_str(priority(level));
        }
        match self.look {
            Look::Text { colour } => text::write(&mut line, Some(self.clock.now()), level, colour, &fields),
            Look::Journal => text::write(&mut line, None, level, false, &fields),
            Look::Json => json::write(&mut line, self.clock.now(), level, &fields),
        }
        line.push('\n');
        line
    }
}

/// The prefix that tells the journal how important a line is. Source: sd-daemon(3); there is none below
/// debug.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        out.write_str(&self.of(event))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{fmt, registry};

    use super::*;

    #[derive(Clone, Debug, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the store cannot be written")]
    struct Outer(#[source] io::Error);

    /// What a look makes of some events, at a time of its own.
    async fn written(look: Look, prioritized: bool, say: impl FnOnce()) -> String {
        let clock = Clock::starting_at("2026-11-21T03:04:05.678Z".parse().unwrap());
        let written = Written::default();
        let to = written.clone();
        let lines =
            fmt::layer().event_format(Line { look, prioritized, clock }).with_writer(move || to.clone());
        tracing::subscriber::with_default(registry().with(lines), say);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn all_sorts() {
        let error = Outer(io::Error::other("disk full"));
        tracing::warn!(
            target: "regwatch::tracker::outbox",
            name = "fleet one", account.id = %"000000000001", events = 3, rate = 0.5, quiet = false,
            error = &error as &dyn std::error::Error, none = None::<&str>, empty = "",
            "cannot be {}", "written"
        );
    }

    fn two_lines_and_an_escape() {
        tracing::error!(target: "hyper", detail = "a\n\"b\"\x1b[2J", "first\nsecond\r\x1b[31m\u{85}ü");
    }

    #[tokio::test(start_paused = true)]
    async fn a_text_line_has_time_level_module_message_and_fields() {
        assert_eq!(
            written(Look::Text { colour: false }, false, all_sorts).await,
            "2026-11-21T03:04:05.678000Z  WARN tracker: cannot be written name=\"fleet one\" \
             account.id=000000000001 events=3 rate=0.5 quiet=false error=\"the store cannot be written: disk full\" \
             empty=\"\"\n"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_json_line_is_a_flat_object() {
        assert_eq!(
            written(Look::Json, false, all_sorts).await,
            "{\"timestamp\":\"2026-11-21T03:04:05.678000Z\",\"level\":\"WARN\",\"target\":\"tracker\",\
             \"message\":\"cannot be written\",\"name\":\"fleet one\",\"account.id\":\"000000000001\",\"events\":3,\
             \"rate\":0.5,\"quiet\":false,\"error\":\"the store cannot be written: disk full\",\"empty\":\"\"}\n"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_of_the_journal_begins_with_its_priority_and_has_no_time() {
        let say = || {
            tracing::error!(target: "regwatch::http", "e");
            tracing::warn!(target: "regwatch::http", "w");
            tracing::info!(target: "regwatch::http", "i");
            tracing::debug!(target: "regwatch::http", "d");
            tracing::trace!(target: "regwatch::http", "t");
        };
        assert_eq!(
            written(Look::Journal, true, say).await,
            "<3>ERROR http: e\n<4> WARN http: w\n<6> INFO http: i\n<7>DEBUG http: d\n<7>TRACE http: t\n"
        );
        let json = written(Look::Json, true, all_sorts).await;
        assert!(json.starts_with("<4>{\"timestamp\":\"2026-"), "{json}");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_that_is_quoted_begins_a_line_or_moves_the_cursor() {
        assert_eq!(
            written(Look::Journal, true, two_lines_and_an_escape).await,
            "<3>ERROR hyper: first\\nsecond\\r\\u{1b}[31m\\u{85}ü detail=\"a\\n\\\"b\\\"\\u{1b}[2J\"\n"
        );
        let json = written(Look::Json, false, two_lines_and_an_escape).await;
        assert_eq!(json.matches(|c: char| c.is_ascii_control()).count(), 1, "the end of the line: {json}");
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed["message"], "first\nsecond\r\x1b[31m\u{85}ü");
    }

    #[tokio::test(start_paused = true)]
    async fn colour_marks_the_level_and_leaves_the_text_alone() {
        let coloured = written(Look::Text { colour: true }, false, all_sorts).await;
        assert!(
            coloured.contains("\x1b[33m WARN\x1b[0m \x1b[2mtracker:\x1b[0m cannot be written "),
            "{coloured}"
        );
        let plain: String = ["\x1b[33m", "\x1b[2m", "\x1b[0m"]
            .into_iter()
            .fold(coloured, |line, code| line.replace(code, ""));
        assert_eq!(plain, written(Look::Text { colour: false }, false, all_sorts).await);
    }
}
