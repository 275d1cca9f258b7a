//! `regwatch test-webhook`: one sample event to one webhook, and what the receiver says to it.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use tokio::time::Instant;

use super::run::block_on;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::Status;
use crate::sink::{Answer, Refusal, RefusalReason, Webhook, sample};

#[derive(Debug, Args)]
pub(super) struct TestWebhook {
    /// The name of the webhook in the configuration
    #[arg(value_name = "NAME")]
    name: String,

    /// The configuration
    #[arg(long = "config.file", value_name = "FILE", default_value = "config.yaml")]
    config: PathBuf,

    /// The state that the sample changes into
    #[arg(long, value_name = "STATE", default_value = "REGISTRATION_FAILURE", hide_possible_values = true,
          value_parser = super::word::<Status>(), ignore_case = true)]
    to: Status,
}

impl TestWebhook {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let config = super::load(&self.config)?;
        let webhook = Webhook::open(self.named(&config)?, Clock::System)?;
        let entry = sample(self.to, Clock::System.now());
        block_on(async {
            let began = Instant::now();
            println!("webhook {}: sending the sample event {}", self.name, entry.event.id);
            let answer = webhook.send(&entry).await.map_err(|refusal| told(&refusal))?;
            println!("answered HTTP {} after {} ms", answer.status, began.elapsed().as_millis());
            show(&answer);
            answer.taken().map_err(|refusal| told(&refusal))
        })
    }

    fn named<'c>(&self, config: &'c Config) -> anyhow::Result<&'c crate::config::Webhook> {
        if let Some(webhook) = config.webhooks.iter().find(|webhook| *webhook.name == *self.name) {
            return Ok(webhook);
        }
        let (name, file) = (&self.name, self.config.display());
        let names: Vec<_> = config.webhooks.iter().map(|webhook| &*webhook.name).collect();
        if names.is_empty() {
            bail!("{file} has no webhooks; list them under `events`, `webhooks`");
        }
        bail!("{file} has no webhook `{name}`, but {}", names.join(", "));
    }
}

/// Shows what the receiver said, whatever it is: control characters must not reach the terminal.
fn show(answer: &Answer) {
    for line in answer.text.trim_end().lines() {
        let shown: String = line
            .chars()
            .map(|c| if c.is_control() && c != '\t' { c.escape_default().to_string() } else { c.to_string() })
            .collect();
        println!("  {shown}");
    }
}

/// What went wrong, and what to do about it.
fn told(refusal: &Refusal) -> anyhow::Error {
    let advice = match refusal.reason {
        RefusalReason::ServerError => "the receiver has a problem of its own; its log may tell",
        RefusalReason::Throttled => "the receiver wants fewer requests; try again later",
        RefusalReason::Refused => {
            "compare the URL, the headers, the secret and the template with what the receiver asks for"
        }
        RefusalReason::Redirected => "set the URL to where the receiver is",
        RefusalReason::Timeout => "see whether the receiver can be reached from here, or raise `timeout`",
        RefusalReason::Unreachable => {
            "see whether the URL is right, and whether a firewall or a proxy is in the way (HTTPS_PROXY, NO_PROXY)"
        }
        RefusalReason::Template => "mend the template",
    };
    anyhow::anyhow!("the sample was not taken: {}: {refusal}; {advice}", refusal.reason.as_str())
}
