//! The metrics page before `promtool` and both parsers of Python's `prometheus_client`.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use regwatch::metrics::Metrics;
use regwatch::model::{FailureReason, Probe};

use crate::snapshot::{NOW, rich};

/// Reads the page from standard input with both parsers, and shows one series to prove that it did.
///
/// OpenMetrics is a stricter sibling of the format that regwatch writes; it differs in that a
/// counter's family goes without `_total`, and in its last line.
const PARSE: &str = r##"
import re, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

page = sys.stdin.read()
families = {family.name: family for family in text(page)}
assert all(family.documentation and family.type != "unknown" for family in families.values()), families
samples = [sample for family in families.values() for sample in family.samples]
counters = re.sub(r"^# (HELP|TYPE) (\w+)_total ", r"# \1 \2 ", page, flags=re.M)
strict = [sample for family in openmetrics(counters + "# EOF\n") for sample in family.samples]
assert len(strict) == len(samples) > 100, (len(strict), len(samples))
print(*[sample.labels["account_name"] for sample in families["regwatch_account_info"].samples], sep="\0", end="")
"##;

fn page() -> String {
    let metrics = Metrics::new();
    metrics.polled(Probe::GovCloud, Duration::from_millis(3), Duration::from_millis(120));
    metrics.credentials_refreshed(Ok(()));
    metrics.credentials_refreshed(Err(FailureReason::AccessDenied));
    metrics.render(rich(), NOW.parse().expect("a time"))
}

fn hold_before(judge: &mut Command, page: &str) -> Output {
    let judge = judge.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = judge.spawn().expect("tests/run has installed it");
    running.stdin.take().expect("piped").write_all(page.as_bytes()).expect("it reads");
    running.wait_with_output().expect("it ends")
}

#[test]
fn promtool_finds_nothing_to_say() {
    let said = hold_before(Command::new("promtool").args(["check", "metrics"]), &page());
    let texts = [said.stdout, said.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(said.status.success() && texts == ["", ""], "{texts:?}");
}

#[test]
fn python_reads_it_all() {
    let said = hold_before(Command::new("python3").args(["-c", PARSE]), &page());
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let names = String::from_utf8(said.stdout).expect("UTF-8");
    assert_eq!(names, "fleet-prod\0a \"hub\",\\ and\nmore ü");
}
