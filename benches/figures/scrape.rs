//! A scrape, against writing the same bytes by a plain formatted loop.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use regwatch::metrics::Metrics;
use regwatch::model::Snapshot;

use crate::fleet::{POLLING, answered, apart, now};
use crate::{least_time, row};

const TARGETS: u32 = 10_000;

/// As large as the pieces of a page.
const PIECE: usize = 32 * 1024;

pub(crate) fn measure() {
    let snapshot = Arc::new(answered(apart(TARGETS, POLLING)));
    let page = Metrics::new().render(Arc::clone(&snapshot), now());
    let series: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).map(Series::read).collect();
    let (ours, plain) = (written(&snapshot), least_time(|| plainly(&series)));
    let ratio = ours.as_secs_f64() / plain.as_secs_f64();
    let seen = format!("{ratio:.2} times ({ours:.1?} against {plain:.1?})");
    let bytes = page.len() as f64 / 1e6;
    let figure =
        format!("scrape, {TARGETS} targets, {} series, {bytes:.1} MB, against a plain loop", series.len());
    row(figure, seen, "3 times", ratio <= 3.0);
}

/// How long all pieces of a page take.
pub(crate) fn written(snapshot: &Arc<Snapshot>) -> Duration {
    let metrics = Metrics::new();
    least_time(|| {
        let bytes: usize = metrics.page(Arc::clone(snapshot), now()).map(|piece| piece.len()).sum();
        assert!(bytes > 0);
    })
}

/// A line of a page, taken apart.
struct Series<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    value: f64,
}

impl<'a> Series<'a> {
    fn read(line: &'a str) -> Self {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_end_matches('"').split_once("=\"").expect("a label"));
        Self { name, labels: labels.collect(), value: value.parse().expect("a number") }
    }
}

/// The same bytes, in pieces as well.
fn plainly(all: &[Series<'_>]) {
    let mut out = String::with_capacity(2 * PIECE);
    for Series { name, labels, value } in all {
        write!(out, "{name}").expect("a string takes all");
        let mut separator = '{';
        for (label, value) in labels {
            write!(out, "{separator}{label}=\"{value}\"").expect("a string takes all");
            separator = ',';
        }
        let end = if labels.is_empty() { " " } else { "} " };
        writeln!(out, "{end}{value}").expect("a string takes all");
        if out.len() >= PIECE {
            std::hint::black_box(&out);
            out.clear();
        }
    }
    std::hint::black_box(&out);
}
