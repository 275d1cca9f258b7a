//! Judges of a metrics page: `promtool`, and both parsers of Python's `prometheus_client`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Reads the page from standard input with both parsers, and shows what it read: for each family the
/// labels of each series, but for those that are a part of its form.
///
/// OpenMetrics is a stricter sibling of the format that regwatch writes; it differs in that a
/// counter's family goes without `_total`, and in its last line.
const PARSE: &str = r##"
import json, re, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

page = sys.stdin.read()
families = list(text(page))
assert all(family.documentation and family.type != "unknown" for family in families), families
samples = [sample for family in families for sample in family.samples]
counters = re.sub(r"^# (HELP|TYPE) (\w+)_total ", r"# \1 \2 ", page, flags=re.M)
strict = [sample for family in openmetrics(counters + "# EOF\n") for sample in family.samples]
assert len(strict) == len(samples) > 100, (len(strict), len(samples))
shown = {
    family.name + "_total" * (family.type == "counter"): [
        {name: value for name, value in sample.labels.items() if name != "le"} for sample in family.samples
    ]
    for family in families
}
assert len(shown) == len(families), "a family is there twice"
json.dump(shown, sys.stdout)
"##;

/// The labels of each series, by the name of its family.
type Families = BTreeMap<String, Vec<BTreeMap<String, String>>>;

/// Asserts that `promtool check metrics` finds nothing to say.
pub(crate) fn assert_promtool_is_content(page: &str) {
    let said = hold_before(Command::new("promtool").args(["check", "metrics"]), page);
    let texts = [said.stdout, said.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(said.status.success() && texts == ["", ""], "{texts:?}");
}

/// What both of Python's parsers read, who must agree.
pub(crate) fn as_python_reads(page: &str) -> Families {
    let said = hold_before(Command::new("python3").args(["-c", PARSE]), page);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).expect("it writes JSON")
}

fn hold_before(judge: &mut Command, page: &str) -> Output {
    let judge = judge.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = judge.spawn().expect("tests/run has installed it");
    running.stdin.take().expect("piped").write_all(page.as_bytes()).expect("it reads");
    running.wait_with_output().expect("it ends")
}
