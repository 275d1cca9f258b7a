//! How far asking has come, on a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::terminal::is_dumb;
use crate::model::{Service, Snapshot};

/// A bar on standard error. It is not there where nobody watches it grow.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn on_stderr() -> Self {
        let is_watched = std::io::stderr().is_terminal() && !is_dumb();
        let target = if is_watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {msg}");
        let style = style.expect("the template is a constant").progress_chars("=> ");
        Self(ProgressBar::with_draw_target(Some(0), target).with_style(style))
    }

    /// Shows how many targets are done with, and which services slow it down.
    pub(super) fn show(&self, snapshot: &Snapshot, done: usize) {
        self.0.set_length(snapshot.targets.len() as u64);
        self.0.set_position(done as u64);
        let scopes = snapshot.fleet.scopes.iter().zip(snapshot.scopes.iter());
        let throttled = scopes.filter(|(_, state)| state.pacing.backoff_until.is_some());
        let mut services: Vec<Service> = throttled.map(|(scope, _)| scope.service).collect();
        services.sort_unstable();
        services.dedup();
        let names: Vec<_> = services.into_iter().map(Service::as_str).collect();
        let message =
            if names.is_empty() { String::new() } else { format!("{} throttles", names.join(", ")) };
        self.0.set_message(message);
    }

    /// Leaves no trace of it.
    pub(super) fn clear(self) {
        self.0.finish_and_clear();
    }
}
