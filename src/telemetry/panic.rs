//! A panic is a line of the log like any other, not several that no program can read.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

use super::CRATE;

/// Logs every panic from now on, instead of printing it.
pub(super) fn log_panics() {
    panic::set_hook(Box::new(log));
}

fn log(panic: &PanicHookInfo<'_>) {
    // Taken if RUST_BACKTRACE asks for it. It names functions and places, no values.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
    tracing::error!(
        target: CRATE,
        place = panic.location().map(tracing::field::display),
        thread = thread::current().name(),
        backtrace = backtrace.as_ref().map(tracing::field::display),
        "panicked: {}",
        panic.payload_as_str().unwrap_or("without a message")
    );
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::{Format, init};
    use crate::config::LogFilter;

    /// Which format the process is to panic in. The hook is of the whole process, so it gets one of its own:
    /// this test again.
    const FORMAT: &str = "REGWATCH_TEST_PANICS_IN";

    fn panics_in(format: &str, backtrace: &str) -> String {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "--nocapture", "telemetry::panic::tests::a_panic_is_one_line_of_the_log"]);
        let output = again.env(FORMAT, format).env("RUST_BACKTRACE", backtrace).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    #[test]
    fn a_panic_is_one_line_of_the_log() {
        if let Ok(format) = std::env::var(FORMAT) {
            init(LogFilter::default(), if format == "json" { Format::Json } else { Format::Text });
            std::panic::catch_unwind(|| panic!("a {}\nof two lines", "defect")).unwrap_err();
            return;
        }
        let text = panics_in("text", "0");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("ERROR regwatch: panicked: a defect\\nof two lines place=src/telemetry/panic.rs:"),
            "{text}"
        );
        let json = panics_in("json", "1");
        let line: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&line["level"], &line["message"]),
            (&"ERROR".into(), &"panicked: a defect\nof two lines".into())
        );
        assert!(line["place"].as_str().unwrap().starts_with("src/telemetry/panic.rs:"), "{json}");
        assert!(line["backtrace"].as_str().unwrap().contains("a_panic_is_one_line_of_the_log"), "{json}");
    }
}
