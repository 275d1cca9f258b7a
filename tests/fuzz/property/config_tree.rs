//! A configuration that somebody wrote with slips: whatever is told of it, no secret is.

use regwatch::config::Config;

use super::tree::Kind::{Named, Secret, Section, Sections, Word, Words};
use super::tree::{Kind, SECRET, write};
use super::verdict::judge;

const DURATIONS: Kind = Word(&["5m", "15s", "1h30m", "100ms", "90d", "0", "5 minutes"]);

const ROLE: &[(&str, Kind)] = &[
    ("role_arn", Word(&["arn:aws:iam::{account_id}:role/r", "\"arn:aws:iam::{account_id}:role/r\"", "x"])),
    ("external_id", Secret(&["\"hunter2\""])),
    ("session_name", Word(&["regwatch", "x"])),
];

const ON: &[(&str, Kind)] = &[
    ("kinds", Words(&["changed", "modified", "x"])),
    ("to", Words(&["ACTIVE", "SUSPENDED", "x"])),
    ("accounts", Words(&["\"111122223333\"", "111122223333", "x"])),
];

const WEBHOOK: &[(&str, Kind)] = &[
    ("name", Word(&["hook", "slack", "log", "a b"])),
    (
        "url",
        Secret(&[
            "https://hunter2@example.com/hunter2?hunter2",
            "https://hunter2:x",
            "ftp://hunter2",
            "https://example.com/#hunter2",
            "hunter2 .example.com",
        ]),
    ),
    ("secret_file", Word(&["secret"])),
    (
        "headers",
        Named(
            &["Authorization", "X-Key", "Host", "two words"],
            &Secret(&["Bearer hunter2", "\"hunter2\\n\"", "{file: x}", "{fil: hunter2}"]),
        ),
    ),
    ("template", Secret(&["\"{{ hunter2 }}\"", "\"{% hunter2\""])),
    ("on", Section(ON)),
    ("timeout", DURATIONS),
];

const FLEETWISE: Kind = Section(&[
    ("identity", Word(&["member", "hub", "hob"])),
    ("regions", Words(&["us-east-1", "eu-central-1", "x"])),
]);

const GOVCLOUD: Kind = Section(&[("identity", Word(&["hub", "member", "membre"]))]);

const POLLING: Kind = Section(&[("interval", DURATIONS), ("timeout", DURATIONS)]);

const ACCOUNT: &[(&str, Kind)] = &[
    ("id", Word(&["\"111122223333\"", "\"111122224444\"", "111122225555", "x"])),
    ("name", Word(&["fleet", "\"\""])),
    ("fleetwise", FLEETWISE),
    ("govcloud", GOVCLOUD),
    ("polling", POLLING),
];

const RULE: &[(&str, Kind)] = &[
    ("id", Word(&["\"111122223333\"", "111122223333", "x"])),
    ("ou", Word(&["/Vehicles", "/Vehicles/Prod", "Vehicles", "/", "//x"])),
    ("name", Word(&["\"fleet-*\"", "fleet", "*", "\"\""])),
    ("tags", Named(&["stage", "team", "\"\"", "a b"], &Word(&["prod", "\"*\"", "1", "*x"]))),
];

const ORGANIZATION: &[(&str, Kind)] = &[
    ("name", Word(&["fleet", "rest", "\" \"", "a b"])),
    ("identity", Word(&["hub", "member", "hob"])),
    ("fleetwise", FLEETWISE),
    ("govcloud", GOVCLOUD),
    ("include", Sections(RULE)),
    ("exclude", Sections(RULE)),
    ("refresh", DURATIONS),
    ("grace", DURATIONS),
    ("labels", Named(&["team", "a-b", "0"], &Word(&["x", "1", "\"\\n\""]))),
    ("polling", POLLING),
];

const FILE: &[(&str, Kind)] = &[
    (
        "identities",
        Section(&[
            ("hub", Section(&[])),
            ("member", Section(&[("from", Word(&["hub", "member", "x"])), ("assume_role", Section(ROLE))])),
        ]),
    ),
    ("accounts", Sections(ACCOUNT)),
    ("events", Section(&[("webhooks", Sections(WEBHOOK))])),
    ("log", Section(&[("level", Word(&["info", "poller=debug", "x=y"]))])),
    ("organizations", Sections(ORGANIZATION)),
];

pub(crate) fn holds(input: &[u8]) {
    let text = write(input, FILE).text;
    let parse = || Config::parse("config.yaml", &text);
    judge(&text, parse);
    let told = match parse() {
        Ok((config, warnings)) => format!("{config:?} {warnings:?}"),
        Err(errors) => format!("{errors} {errors:?}"),
    };
    assert!(!told.contains(SECRET), "{told}\nis told of\n{text}");
}
