//! The `events` section: who else hears of what happens.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderName;
use reqwest::Url;

use super::header;
use super::mistake::{Place, Report};
use super::on;
use super::section::Section;
use super::value::{Bounds, duration, list, shown, word};
use super::yaml::Node;
use super::{On, Secret, WatchedAccount};

/// Somebody who hears of what happens, over HTTP.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// What logs and metrics call it.
    pub name: Arc<str>,
    /// Where to send: as [`parse_webhook_url`] has it.
    pub url: Source,
    /// The file with the secrets to sign with, one a line.
    pub secret_file: Option<PathBuf>,
    /// Headers to send besides regwatch's own.
    pub headers: Vec<(HeaderName, Source)>,
    /// The template of the body; without one it is a CloudEvents envelope.
    pub template: Option<Source>,
    /// Which events it is sent.
    pub on: On,
    /// The longest that one delivery may take.
    pub timeout: Duration,
}

/// A text that the configuration holds, or a file; either may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The text.
    Here(Secret),
    /// The file that holds it, to be read when it is needed.
    File(PathBuf),
}

/// The keys of the section.
pub(super) const KEYS: &[&str] = &["webhooks"];

/// The keys of a webhook.
pub(super) const WEBHOOK_KEYS: &[&str] =
    &["name", URL, URL_FILE, "secret_file", "headers", TEMPLATE, TEMPLATE_FILE, "on", "timeout"];

/// How long a webhook may take to answer where nothing else is said.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

const URL: &str = "url";
const URL_FILE: &str = "url_file";
const TEMPLATE: &str = "template";
const TEMPLATE_FILE: &str = "template_file";

/// The sink that is always there.
const LOG: &str = "log";

const TIMEOUT_BOUNDS: Bounds = Bounds {
    least: (Duration::from_millis(100), "a new TLS connection alone may take as long"),
    most: (Duration::from_mins(5), "events wait behind one that hangs"),
};

/// Reads the section; `None` where a mistake has been reported. The accounts are those that are watched,
/// if all of them could be read.
pub(super) fn read(
    section: &Section<'_>,
    accounts: Option<&[WatchedAccount]>,
    report: &mut Report,
) -> Option<Vec<Webhook>> {
    let Some(node) = section.get("webhooks") else { return Some(Vec::new()) };
    let mut names = HashMap::new();
    let items = list(node, "webhooks", "each item one webhook", report)?;
    items
        .iter()
        .map(|item| webhook(item, &mut names, accounts, report))
        // All of them are read before the first that is missing ends it.
        .collect::<Vec<_>>()
        .into_iter()
        .collect()
}

fn webhook<'n>(
    node: &'n Node,
    names: &mut HashMap<&'n str, Place>,
    accounts: Option<&[WatchedAccount]>,
    report: &mut Report,
) -> Option<Webhook> {
    let section = Section::open(node, "a webhook", WEBHOOK_KEYS, report)?;
    let name = section
        .require("name", "it is what logs and metrics call it", report)
        .and_then(|node| name(node, names, report));
    let url = either(&section, [URL, URL_FILE], report, |node, report| {
        let text = word(node, URL, report)?;
        match parse_webhook_url(text) {
            Ok(_) => Some(Secret::new(text)),
            Err(wrong) => {
                report.mistake(node.at, format!("`{URL}` {wrong}"));
                None
            }
        }
    });
    if section.lacks(URL) && section.lacks(URL_FILE) {
        let right = "say where to send, or name the file that does";
        report.mistake(section.at, format!("a webhook needs `{URL}` or `{URL_FILE}`; {right}"));
    }
    let secret_file = match section.get("secret_file") {
        Some(node) => path(node, "secret_file", report).map(Some),
        None => Some(None),
    };
    let headers = section.get("headers").map_or(Some(Vec::new()), |node| header::read(node, report));
    let template = either(&section, [TEMPLATE, TEMPLATE_FILE], report, |node, report| {
        word(node, TEMPLATE, report).map(Secret::new)
    });
    let on = match section.get("on") {
        Some(node) => on::read(node, accounts, report),
        None => Some(On::default()),
    };
    let timeout = match section.get("timeout") {
        Some(node) => duration(node, "timeout", TIMEOUT_BOUNDS, report),
        None => Some(DEFAULT_TIMEOUT),
    };
    Some(Webhook {
        name: name?.into(),
        url: url??,
        secret_file: secret_file?,
        headers: headers?,
        template: template?,
        on: on?,
        timeout: timeout?,
    })
}

fn name<'n>(node: &'n Node, names: &mut HashMap<&'n str, Place>, report: &mut Report) -> Option<&'n str> {
    let name = word(node, "name", report)?;
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)) {
        let right = "use letters, digits and any of `_.-`";
        report.mistake(node.at, format!("{} is no name for a webhook; {right}", shown(name)));
        return None;
    }
    if name == LOG {
        report.mistake(node.at, format!("`{LOG}` is what metrics call the log itself; choose another name"));
        return None;
    }
    // What an anchor holds is read again at each of its aliases: the same place is no second one.
    if let Some(first) = names.insert(name, node.at).filter(|&first| first != node.at) {
        let right = "choose another name";
        report.mistake(
            node.at,
            format!("a webhook `{name}` is listed already at line {}; {right}", first.line),
        );
        return None;
    }
    Some(name)
}

/// A text that is given here, or in a file: `None` where a mistake has been reported, `Some(None)` where
/// there is neither.
pub(super) fn either(
    section: &Section<'_>,
    [here, in_file]: [&str; 2],
    report: &mut Report,
    read: impl FnOnce(&Node, &mut Report) -> Option<Secret>,
) -> Option<Option<Source>> {
    let given = section.get(here).map(|node| read(node, report));
    let file = section.get(in_file).map(|node| path(node, in_file, report));
    match (given, file) {
        (Some(_), Some(_)) => {
            let at = section.key(in_file).unwrap_or(section.at);
            report.mistake(at, format!("`{here}` and `{in_file}` are both there; keep one of them"));
            None
        }
        (Some(given), None) => given.map(|text| Some(Source::Here(text))),
        (None, Some(file)) => file.map(|path| Some(Source::File(path))),
        (None, None) => Some(None),
    }
}

/// The path of a file, which is read later.
pub(super) fn path(node: &Node, name: &str, report: &mut Report) -> Option<PathBuf> {
    word(node, name, report).map(PathBuf::from)
}

/// Where a webhook sends to.
///
/// # Errors
/// What is wrong with the text, and what would be right: a phrase to follow its name, without the text
/// itself, which may be a secret.
pub fn parse_webhook_url(text: &str) -> Result<Url, String> {
    let right = "write it as https://HOST/PATH";
    let url = Url::parse(text).map_err(|error| format!("is no URL ({error}); {right}"))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(format!("is neither https nor http; {right}"));
    }
    if url.fragment().is_some() {
        return Err("has a part after `#`, which is never sent; leave it out, or write %23".to_owned());
    }
    Ok(url)
}
