//! What is not well, each thing once however many targets it hits, in AWS's words and with what to do.

use std::fmt::Write;

use super::table::account;
use super::verdict::{Item, Judged, NO_LISTING, Verdict};
use crate::cli::terminal::{Look, brief, harmless, wrapped};
use crate::model::advice;

/// How many of the targets that something hits are named; `--format json` has all.
const NAMED: usize = 8;

/// Something that is not well.
struct Trouble<'a> {
    /// In a few words.
    title: String,
    /// What AWS or the network said of the first target.
    said: Vec<String>,
    /// What to do about the first target.
    advice: Vec<String>,
    /// Whom it hits.
    items: Vec<&'a Item<'a>>,
}

/// The troubles, the worst first; empty where all is well.
pub(super) fn render(judged: &Judged<'_>, look: Look) -> String {
    let mut text = String::new();
    for (organization, failure) in judged.unlisted() {
        let name = harmless(&organization.name);
        let reason = failure.map_or("no time", |failure| failure.reason.as_str());
        text.push('\n');
        text.push_str(&wrapped(&format!("NOT LISTED: organization {name}: {reason}"), 0, look.width));
        let said = failure.map(|failure| harmless(&failure.message));
        let advice = failure.map_or_else(|| NO_LISTING.to_owned(), advice::of_listing);
        for words in said.into_iter().chain([advice]) {
            text.push_str(&wrapped(&words, 2, look.width));
        }
    }
    for trouble in troubles(judged) {
        trouble.render(&mut text, look.width);
    }
    text
}

fn troubles<'a>(judged: &'a Judged<'a>) -> Vec<Trouble<'a>> {
    let mut troubles: Vec<(String, Trouble<'a>)> = Vec::new();
    let mut items: Vec<_> = judged.items.iter().filter(|item| item.verdict > Verdict::Pending).collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.verdict));
    for item in items {
        let trouble = Trouble::of(item);
        let key = trouble.key();
        match troubles.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => known.items.push(item),
            None => troubles.push((key, trouble)),
        }
    }
    troubles.into_iter().map(|(_, trouble)| trouble).collect()
}

impl<'a> Trouble<'a> {
    fn of(item: &'a Item<'a>) -> Self {
        let (title, said) = match (&item.state.failure, item.verdict) {
            (Some(failure), _) => {
                (format!("NO ANSWER: {}", failure.reason), vec![harmless(&failure.message)])
            }
            (None, Verdict::NotAsked) => ("NOT ASKED".to_owned(), Vec::new()),
            (None, _) => {
                let readings = item.state.resources.iter().map(|state| &state.reading);
                let states = readings.clone().map(|reading| {
                    let word = reading.text().map_or_else(|| brief(reading.status.as_str()), harmless);
                    format!("{} {word}", reading.resource.as_str())
                });
                let states: Vec<_> = states.collect();
                let said = readings.filter_map(|reading| reading.error_message()).map(harmless);
                let late = if item.verdict == Verdict::Overdue { ": too long" } else { "" };
                (format!("{}{late}", states.join(", ")), said.collect())
            }
        };
        Self { title, said, advice: item.advice(), items: vec![item] }
    }

    /// The same for targets that differ in nothing but who and where they are.
    fn key(&self) -> String {
        let target = self.items[0].target;
        let texts = [&[self.title.clone()][..], &self.said, &self.advice].concat().join("\n");
        let texts = texts.replace(&target.account.id.to_string(), "{account_id}");
        match &target.region {
            Some(region) => texts.replace(region.as_str(), "{region}"),
            None => texts,
        }
    }

    fn render(&self, text: &mut String, width: Option<usize>) {
        text.push('\n');
        text.push_str(&wrapped(&self.title, 0, width));
        for item in self.items.iter().take(NAMED) {
            let place = item.target.region.as_ref().map(|region| format!(" in {region}"));
            let probe = item.target.probe.as_str();
            let name = format!("{}, {probe}{}", account(item.target), place.unwrap_or_default());
            text.push_str(&wrapped(&name, 2, width));
        }
        if let Some(more) = self.items.len().checked_sub(NAMED + 1) {
            writeln!(text, "  and {} more; --format json names all", more + 1).expect("a text takes all");
        }
        let of_first = if self.items.len() > 1 { ", of the first of them" } else { "" };
        for (head, texts) in [("What was said", &self.said), ("What to do", &self.advice)] {
            if !texts.is_empty() {
                text.push_str(&wrapped(&format!("{head}{of_first}:"), 2, width));
            }
            texts.iter().for_each(|said| text.push_str(&wrapped(said, 4, width)));
        }
    }
}
