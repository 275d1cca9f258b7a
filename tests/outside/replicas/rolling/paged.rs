//! What a Prometheus makes of it, with the alerts as they are.

use std::collections::BTreeMap;
use std::path::Path;

use regwatch::model::AccountId;

use crate::prometheus::RULES;
use crate::prometheus::server::{Line, Series, Server};

/// The one alert that is justified.
const JUSTIFIED: &str = "FleetWiseRegistrationFailed";

/// What is not even about to fire: none of the targets is denied, late, or too much for a quota.
const FAR: [&str; 4] =
    ["RegwatchTargetStale", "RegwatchAccessDenied", "RegwatchCapacityShort", "RegwatchEventsNotDelivered"];

/// The longest that shards may seem to be in nobody's hands, in seconds: a fifth of what would page.
const UNHELD: f64 = 60.0;

/// What two cores bear beside all the rest: a page has half a megabyte.
const EVERY_TWO_SECONDS: &str = "scrape_interval: 2s, scrape_timeout: 2s, ";

/// The longest that Prometheus may not see a target, in seconds: seven scrapes.
const HIDDEN: f64 = 15.0;

/// How often a replica shows a target.
const SHOWN: &str = "count by (probe, aws_account_id) (regwatch_target_up)";

/// A Prometheus that looks on.
pub(super) struct Watched {
    prometheus: Server,
    failed: AccountId,
    targets: usize,
    /// When everything was shown, and the alert was firing.
    from: f64,
}

impl Watched {
    /// Waits until everything is shown, and the one alert that there is reason for is firing.
    pub(super) async fn start(discovered: &Path, failed: AccountId, targets: usize) -> Self {
        let prometheus = Server::following(discovered, EVERY_TWO_SECONDS, RULES).await;
        let mut watched = Self { prometheus, failed, targets, from: 0.0 };
        watched.until_each_target_is_shown_once().await;
        let firing = format!(r#"ALERTS{{alertname="{JUSTIFIED}", alertstate="firing"}}"#);
        watched.prometheus.until("it is firing", &firing, |found| !found.is_empty()).await;
        watched.from = watched.prometheus.now().await;
        watched
    }

    /// Waits until what is shown is each target, once.
    pub(super) async fn until_each_target_is_shown_once(&self) {
        let once = format!("count({SHOWN} == 1) unless count({SHOWN} > 1)");
        let is_so =
            |found: &[Series]| found.first().is_some_and(|count| count.value() == self.targets as f64);
        self.prometheus.until("each target is shown once", &once, is_so).await;
    }

    /// Asserts that nobody was paged without reason, and nothing was hidden.
    pub(super) async fn judge(&self) {
        self.one_alert_was_firing_all_the_time().await;
        self.no_other_came_near().await;
        self.no_target_was_hidden().await;
    }

    async fn one_alert_was_firing_all_the_time(&self) {
        let firing = self.past(r#"ALERTS{alertstate="firing"}"#).await;
        let whose = firing.iter().map(|line| ["alertname", "aws_account_id"].map(|name| &*line.labels[name]));
        assert_eq!(whose.collect::<Vec<_>>(), [[JUSTIFIED, &self.failed.to_string()]]);
        let missing = longest_pause(&firing[0], self.from, self.prometheus.now().await);
        println!("one alert was firing, for {} s", firing[0].values.len());
        assert!(missing < 3.0, "it was not for {missing} s");
        let begun = format!(r#"changes(ALERTS_FOR_STATE{{alertname="{JUSTIFIED}"}}[1h])"#);
        let begun = self.prometheus.query(&begun).await;
        assert_eq!(begun.iter().map(Series::value).collect::<Vec<_>>(), [0.0], "it began anew");
    }

    async fn no_other_came_near(&self) {
        let mut longest: BTreeMap<&str, f64> = BTreeMap::new();
        let pending = self.past(r#"ALERTS{alertstate="pending"}"#).await;
        for line in &pending {
            let longest = longest.entry(&line.labels["alertname"]).or_default();
            *longest = longest.max(longest_run(line));
        }
        println!("the longest that alerts were pending, in seconds: {longest:?}");
        // AWS is at work on some all the time, and half an hour would be too long.
        assert!(longest.contains_key("FleetWiseRegistrationPendingTooLong"), "{longest:?}");
        assert!(!FAR.iter().any(|name| longest.contains_key(name)), "{longest:?}");
        assert!(longest.get("RegwatchShardsUnheld").is_none_or(|longest| *longest <= UNHELD), "{longest:?}");
    }

    async fn no_target_was_hidden(&self) {
        let shown = self.past(SHOWN).await;
        assert_eq!(shown.len(), self.targets);
        let now = self.prometheus.now().await;
        let hidden = shown.iter().map(|line| longest_pause(line, self.from, now)).fold(0.0, f64::max);
        println!("no target was hidden for more than {hidden} s");
        assert!(hidden <= HIDDEN, "a target was hidden for {hidden} s");
    }

    /// Second by second.
    async fn past(&self, expression: &str) -> Vec<Line> {
        self.prometheus.past(expression, self.from, 1).await
    }
}

/// The longest time in which a series was not there, in seconds.
fn longest_pause(line: &Line, from: f64, to: f64) -> f64 {
    let times = line.values.iter().map(|(at, _)| *at);
    let times: Vec<_> = [from - 1.0].into_iter().chain(times).chain([to]).collect();
    // Two seconds are next to each other if nothing is missing between them.
    times.windows(2).map(|pair| pair[1] - pair[0] - 1.0).fold(0.0, f64::max)
}

/// The longest time in which a series was there without a pause, in seconds.
fn longest_run(line: &Line) -> f64 {
    let runs = line.values.chunk_by(|(before, _), (at, _)| at - before < 1.5);
    runs.map(|run| run.len() as f64).fold(0.0, f64::max)
}
