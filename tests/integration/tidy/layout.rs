//! The rules of the layout, and their judgement of sources.

use super::reader::Path;
use super::source::Source;

/// The rooms, by layer from the bottom, and within a layer from the top row. A file imports from lower
/// layers, and within its own from its own room and the rows above it.
const LAYERS: [&[&str]; 6] = [
    &["model", "schedule", "clock", "liveness"],
    &["config", "reload"],
    &["aws", "probe", "store", "sink", "metrics", "http"],
    &["lease", "poller", "discovery", "tracker", "mirror"],
    &["service", "daemon"],
    &["telemetry", "cli", "main"],
];

/// The simulated AWS stands beside the layers. It shares the words of the lowest with regwatch and no
/// code, or the two could be wrong together.
const BESIDE: &str = "sim";

/// Where a file stands that may import layer 0 alone.
const ABOVE_LAYER_0: (usize, usize) = (1, 0);

/// What may be named in a few places only.
struct Reserved {
    what: fn(&[String]) -> bool,
    /// Rooms, or files below `src`.
    places: &'static [&'static str],
    rule: &'static str,
}

/// Tests are held to the layers, but not to these.
const RESERVED: [Reserved; 5] = [
    Reserved {
        what: |path| is_sdk(&path[0]),
        places: &["aws", "probe", BESIDE],
        rule: "only aws and probe name the AWS SDK: turn its type into one of model's there",
    },
    Reserved {
        what: |path| SPAWNERS.contains(&path[path.len() - 1].as_str()),
        places: &["daemon", "http", BESIDE],
        rule: "only daemon spawns, and http its connections: offer a future, and let daemon own its task",
    },
    Reserved {
        what: |path| path[0] == "backoff",
        places: &["schedule/backoff.rs"],
        rule: "the backoff crate is unmaintained and stays in schedule/backoff.rs: call that",
    },
    Reserved {
        what: |path| path.starts_with(&["crate".to_owned(), BESIDE.to_owned()]),
        places: &["cli/demo.rs", BESIDE],
        rule: "only cli's demo names sim: a daemon that knows its simulator is not tested by it",
    },
    Reserved {
        what: is_wall_time,
        places: &["clock.rs"],
        rule: "only clock reads the wall time: take a clock::Clock",
    },
];

/// What begins a task or holds some.
const SPAWNERS: [&str; 6] = ["JoinSet", "TaskTracker", "spawn", "spawn_blocking", "spawn_local", "spawn_on"];

/// What the user wants to see at the top of the repository; everything else there is a dotfile.
const TOP: [&str; 10] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "config.example.yaml",
    "deploy",
    "src",
    "tests",
];

fn is_sdk(name: &str) -> bool {
    ["aws_sdk_", "aws_smithy_"].iter().any(|prefix| name.starts_with(prefix))
        || ["aws_config", "aws_credential_types", "aws_runtime", "aws_sigv4", "aws_types"].contains(&name)
}

fn is_wall_time(path: &[String]) -> bool {
    let [.., of, what] = path else { return false };
    what == "now" && ["SystemTime", "Timestamp", "Zoned"].contains(&of.as_str())
}

/// Layer and row of a room.
fn place(room: &str) -> Option<(usize, usize)> {
    let places = LAYERS.iter().enumerate();
    places.filter_map(|(layer, rooms)| Some((layer, rooms.iter().position(|r| *r == room)?))).next()
}

/// Why a file of one room must not import from another; `None` if it may, and for a file in no room.
fn forbidden(from: &str, to: &str) -> Option<String> {
    let (layer, row) = if from == BESIDE { ABOVE_LAYER_0 } else { place(from)? };
    if to == from || to == BESIDE {
        return None; // naming sim is reserved
    }
    let Some((to_layer, to_row)) = place(to) else {
        return Some(format!("{to} is no room: name what is meant by its room, or {}", new_row()));
    };
    if (to_layer, to_row) < (layer, row) {
        return None;
    }
    let reason = if from == BESIDE {
        format!("{to} is in layer {to_layer}, and {from} shares only layer 0 with regwatch")
    } else if to_layer == layer {
        format!("{to} is a row below {from} in layer {layer}")
    } else {
        format!("{to} is in layer {to_layer}, {from} in layer {layer}")
    };
    Some(format!("{reason}: move what both need further down, or let a higher layer hand it in"))
}

/// How the table gets a room that it lacks.
fn new_row() -> String {
    format!("give it a row in {}", file!())
}

/// Every breach of the rules, one a line.
pub(super) fn breaches(sources: &[Source]) -> Vec<String> {
    let test_modules: Vec<_> = sources.iter().flat_map(|source| &source.found.test_modules).collect();
    let mut breaches = Vec::new();
    for source in sources {
        let is_test = test_modules.iter().any(|module| source.module().starts_with(module));
        for path in &source.found.paths {
            let rules = imported(source, path).into_iter().chain(reserved(source, path, is_test));
            let (file, line, name) = (&source.file, path.line, path.names.join("::"));
            breaches.extend(rules.map(|rule| format!("src/{file}:{line}: {name}: {rule}")));
        }
    }
    breaches
}

/// The rule of layers and rows that a path breaks.
fn imported(source: &Source, path: &Path) -> Option<String> {
    let [root, rest @ ..] = &path.names[..] else { return None };
    let to = rest.first().map_or("the whole crate", String::as_str);
    if root == "crate" { forbidden(source.room(), to) } else { None }
}

/// The rules of what is reserved that a path breaks.
fn reserved(source: &Source, path: &Path, is_test: bool) -> impl Iterator<Item = String> {
    RESERVED
        .iter()
        .filter(move |_| !is_test && !path.in_tests)
        .filter(|reserved| (reserved.what)(&path.names))
        .filter(|reserved| !reserved.places.iter().any(|place| [source.room(), &source.file].contains(place)))
        .map(|reserved| reserved.rule.to_owned())
}

/// Files that are in no room.
pub(super) fn homeless<'a>(sources: &'a [Source]) -> impl Iterator<Item = String> + 'a {
    let rooms = sources.iter().map(|source| (&source.file, source.room()));
    rooms.filter(|(_, room)| place(room).is_none() && ![BESIDE, "lib"].contains(room)).map(|(file, room)| {
        format!("src/{file}: {room} is no room: move the file into one, or {}", new_row())
    })
}

/// Names at the top of the repository that are none of [`TOP`].
pub(super) fn strays<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.filter(|name| !name.starts_with('.') && *name != "target" && !TOP.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the rules say of sources given by their path and text.
    fn judged(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files.iter().map(|(file, text)| Source::read(file, text)).collect();
        homeless(&sources).chain(breaches(&sources)).collect()
    }

    #[test]
    fn what_is_allowed_passes() {
        let allowed = [
            ("lib.rs", "pub mod model; pub mod http;"),
            ("main.rs", "use regwatch::cli; fn main() { cli::run() }"),
            ("model.rs", "mod status; pub use status::Status;"),
            ("schedule/backoff.rs", "use backoff::ExponentialBackoff; use crate::model::Status;"),
            ("schedule/pace.rs", "use super::backoff; fn f() { backoff::delay() }"),
            ("probe/fleetwise.rs", "use aws_sdk_iotfleetwise::Client; use crate::aws::Clients;"),
            ("http.rs", "use tokio::task::JoinSet; use crate::metrics;"),
            ("clock.rs", "fn now() { jiff::Timestamp::now() }"),
            ("poller.rs", "fn f(clock: Clock) { clock.now(); let backoff = 1; }"),
            ("cli/demo.rs", "use crate::{daemon, sim::World};"),
            ("sim/sts.rs", "use crate::model::AccountId; use super::World; fn f() { tokio::spawn(g()) }"),
        ];
        assert_eq!(judged(&allowed), [""; 0]);
    }

    #[test]
    fn tests_are_held_to_the_layers_alone() {
        let text = "#[cfg(test)] mod fake; #[cfg(test)] mod tests { use crate::sim::World; use tokio::spawn; use crate::daemon; }";
        let found = judged(&[("poller.rs", text), ("poller/fake.rs", "use aws_sdk_sts::Client;")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("crate::daemon"), "{found:?}");
    }

    #[test]
    fn every_breach_names_its_place_and_its_rule() {
        let cases = [
            (
                "http.rs",
                "\nuse crate::{model, poller::Poller};",
                "src/http.rs:2: crate::poller::Poller: poller is in layer 3, http in layer 2: move",
            ),
            (
                "metrics/page.rs",
                "fn f() { crate::http::serve() }",
                "src/metrics/page.rs:1: crate::http::serve: http is a row below metrics in layer 2: move",
            ),
            ("model.rs", "use super::clock::Clock;", "clock is a row below model in layer 0: move"),
            ("model.rs", "use crate::*;", "the whole crate is no room: name what is meant"),
            ("common.rs", "", "src/common.rs: common is no room: move the file"),
            (
                "sim.rs",
                "use crate::config::Config;",
                "config is in layer 1, and sim shares only layer 0 with regwatch: move",
            ),
            ("daemon.rs", "use aws_sdk_sts::Client;", "only aws and probe name the AWS SDK: turn"),
            (
                "tracker.rs",
                "fn f(set: &mut S) {\n set.spawn(g()) }",
                "src/tracker.rs:2: _::spawn: only daemon spawns",
            ),
            (
                "tracker.rs",
                "use tokio::task::{self as t, JoinSet};",
                "tokio::task::JoinSet: only daemon spawns",
            ),
            ("schedule/pace.rs", "use ::backoff::Backoff;", "the backoff crate is unmaintained and stays"),
            ("daemon.rs", "use crate::sim;", "only cli's demo names sim"),
            (
                "store.rs",
                "use jiff::Timestamp as T; fn f() { T::now() }",
                "jiff::Timestamp::now: only clock reads the wall time: take",
            ),
        ];
        for (file, text, expected) in cases {
            let found = judged(&[(file, text)]);
            assert_eq!(found.len(), 1, "{file}, {text}: {found:?}");
            assert!(found[0].contains(expected), "{file}, {text}: {found:?}");
        }
    }

    #[test]
    fn strays_at_the_top_are_found() {
        let names = ["src", ".deny.toml", "target", "Makefile", "benches", "docs"];
        assert_eq!(strays(names.into_iter()), ["Makefile", "docs"]);
    }
}
