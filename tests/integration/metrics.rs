//! The metrics page as a whole.

use regwatch::metrics::Metrics;

use crate::snapshot::{NOW, rich};

#[test]
fn the_page_of_a_snapshot_is_the_golden_one() {
    let page = Metrics::new().render(rich(), NOW.parse().expect("a time"));
    let own = page.find("# HELP process_").expect("what the process uses stands after the state");
    let state = &page[..own];
    assert!(state == include_str!("metrics.prom"), "tests/integration/metrics.prom is not\n{state}");
}

#[test]
fn the_page_has_no_series_twice_and_no_nan() {
    let page = Metrics::new().render(rich(), NOW.parse().expect("a time"));
    let mut series: Vec<&str> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            assert!(value.parse::<f64>().is_ok_and(|value| !value.is_nan()), "{line}");
            series
        })
        .collect();
    let all = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), all);
}

#[test]
fn pieces_make_the_page() {
    let metrics = Metrics::new();
    let now = NOW.parse().expect("a time");
    let pieces: String = metrics.page(rich(), now).collect();
    let state = |page: &str| page.split("# HELP process_").next().map(str::to_owned);
    assert_eq!(state(&pieces), state(&metrics.render(rich(), now)));
}
