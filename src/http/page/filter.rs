//! What of a list is wanted: a query that survives a reload, since it is all there is.

use std::fmt::Write as _;

use super::attention::Concern;
use super::health::Health;
use super::text::Foreign;
use crate::model::{Probe, Target, Word};

/// The parameters of a request. What is given more than once counts once, and what is empty is not given.
#[derive(Debug)]
pub(super) struct Given(Vec<(String, String)>);

impl Given {
    pub(super) fn read(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().filter(|(_, value)| !value.trim().is_empty()).collect())
    }

    /// What was typed to be found, fit to be shown again.
    pub(super) fn search(&self) -> String {
        self.text("q").map(|text| Foreign::whole(text).to_string()).unwrap_or_default()
    }

    /// What was given by this name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.trim())
    }

    /// A choice of a few, or a note that there is no such choice.
    pub(super) fn choice<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Option<T>,
        notes: &mut Vec<Foreign>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let choice = read(text);
        if choice.is_none() {
            notes.push(Foreign::brief(&format!("There is no {name} “{text}”, so it was ignored.")));
        }
        choice
    }
}

/// A text as words that all have to be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Search(Vec<String>);

impl Search {
    pub(super) fn new(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_lowercase).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether each word is in the account's id, its name, a value of its labels, or the region.
    pub(super) fn finds(&self, target: &Target) -> bool {
        if self.is_empty() {
            return true;
        }
        let account = &target.account;
        let mut text = String::new();
        write!(text, "{} {} {}", account.id, account.name, target.region_str()).expect("a text takes all");
        for value in account.labels.values() {
            text.extend([" ", value.as_str()]);
        }
        let text = text.to_lowercase();
        self.0.iter().all(|word| text.contains(word))
    }
}

/// How targets that are wanted are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// So.
    Health(Health),
    /// In a way that needs somebody.
    Attention,
}

impl Wanted {
    /// Every choice.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Attention).chain(Health::ALL.into_iter().map(Self::Health))
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Health(health) => health.word(),
            Self::Attention => "attention",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Health(health) => health.title(),
            Self::Attention => "Needs somebody",
        }
    }

    fn read(word: &str) -> Option<Self> {
        Self::all().find(|wanted| wanted.word() == word)
    }
}

/// Which targets are wanted, and which page of them.
#[derive(Debug)]
pub(super) struct Filter {
    /// What was typed.
    pub(super) text: String,
    search: Search,
    pub(super) wanted: Option<Wanted>,
    pub(super) probe: Option<Probe>,
    /// From 1.
    pub(super) page: usize,
    /// What could not be understood.
    pub(super) notes: Vec<Foreign>,
}

impl Filter {
    pub(super) fn read(query: Option<&str>) -> Self {
        let given = Given::read(query);
        let mut notes = Vec::new();
        let text = given.search();
        Self {
            search: Search::new(&text),
            text,
            wanted: given.choice("health", Wanted::read, &mut notes),
            probe: given.choice("probe", Probe::from_word, &mut notes),
            page: given.choice("page", page_number, &mut notes).unwrap_or(1),
            notes,
        }
    }

    /// Whether it wants less than all.
    pub(super) fn is_set(&self) -> bool {
        !self.search.is_empty() || self.wanted.is_some() || self.probe.is_some()
    }

    pub(super) fn chose(&self, choice: &Wanted) -> bool {
        self.wanted.as_ref() == Some(choice)
    }

    pub(super) fn matches(&self, target: &Target, health: Health, concern: Option<&Concern>) -> bool {
        let is_wanted = match self.wanted {
            None => true,
            Some(Wanted::Health(wanted)) => wanted == health,
            Some(Wanted::Attention) => concern.is_some(),
        };
        is_wanted && self.probe.is_none_or(|probe| probe == target.probe) && self.search.finds(target)
    }

    /// The query for another page of the same.
    pub(super) fn query(&self, page: usize) -> String {
        let number = page.to_string();
        query(&[
            ("q", &self.text),
            ("health", self.wanted.map_or("", Wanted::word)),
            ("probe", self.probe.map_or("", Probe::as_str)),
            ("page", if page > 1 { &number } else { "" }),
        ])
    }
}

/// A number of a page.
pub(super) fn page_number(text: &str) -> Option<usize> {
    text.parse().ok().filter(|page| *page >= 1)
}

/// A query of the parameters that are not empty.
pub(super) fn query(parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
    query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
    query.finish()
}

/// A part of a list, by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The page, from 1; the last one if there is no such page.
    pub(super) page: usize,
    pub(super) pages: usize,
    /// The place of its first item.
    pub(super) start: usize,
    /// The place after its last item.
    pub(super) end: usize,
    pub(super) all: usize,
}

impl Part {
    pub(super) fn new(page: usize, size: usize, all: usize) -> Self {
        let pages = all.div_ceil(size).max(1);
        let page = page.min(pages);
        let start = (page - 1) * size;
        Self { page, pages, start, end: (start + size).min(all), all }
    }
}
