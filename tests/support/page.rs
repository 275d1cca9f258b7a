//! A page of metrics, and waiting for one that is as a test wants it.

use std::time::Duration;

use tokio::time::Instant;

/// How long a condition may take to come true before a test fails; on a busy machine everything takes long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A page of metrics.
pub(crate) struct Page(pub(crate) String);

impl Page {
    /// The page that a daemon serves.
    pub(crate) async fn of(client: &reqwest::Client, url: &str) -> Self {
        let answer = client.get(format!("{url}/metrics")).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a text");
        assert_eq!(status, 200, "{text}");
        Self(text)
    }

    /// Asks a daemon until its page is as described.
    pub(crate) async fn until(
        client: &reqwest::Client,
        url: &str,
        described: &str,
        is_so: impl Fn(&Self) -> bool,
    ) -> Self {
        let began = Instant::now();
        loop {
            let page = Self::of(client, url).await;
            if is_so(&page) {
                return page;
            }
            assert!(began.elapsed() < PATIENCE, "never came true: {described}\n{}", page.0);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The value of a series, written as `name{label="value"}`: one that has these labels, perhaps
    /// among others.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        let mut values = self.values(series);
        let first = values.next();
        assert!(values.next().is_none(), "more than one series is {series}");
        first
    }

    /// The sum over all series that have these labels, perhaps among others.
    pub(crate) fn sum(&self, series: &str) -> f64 {
        self.values(series).sum()
    }

    /// How many series have these labels, perhaps among others.
    pub(crate) fn count(&self, series: &str) -> usize {
        self.values(series).count()
    }

    fn values<'a>(&'a self, series: &'a str) -> impl Iterator<Item = f64> + 'a {
        let (name, wanted) = series.split_once('{').unwrap_or((series, "}"));
        let wanted: Vec<_> =
            wanted.trim_end_matches('}').split(',').filter(|label| !label.is_empty()).collect();
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once("} ")?,
                None => ("", rest.strip_prefix(' ')?),
            };
            let labels = format!(",{labels},");
            let has = |label: &&str| labels.contains(&format!(",{label},"));
            wanted.iter().all(has).then(|| value.parse().expect("a number"))
        })
    }
}
