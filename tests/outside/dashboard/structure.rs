//! What the dashboard is made of: everything is explained and in its place, each state has its word and its
//! colour, and nothing is of one Grafana alone.

use std::collections::{BTreeMap, BTreeSet};

use regwatch::model::Resource;
use serde_json::Value;

use super::{DASHBOARD, dashboard, list, panels, queries, text};

/// How far a text of this size has to stand out from its ground: WCAG 2.2, success criteria 1.4.3 and 1.4.11.
const CONTRAST: f64 = 3.0;

/// What Grafana draws panels on, light and dark.
const GROUNDS: [&str; 2] = ["#ffffff", "#181b1f"];

/// Where a panel is: columns and lines, the ends excluded.
fn place(panel: &Value) -> [[u64; 2]; 2] {
    let number = |name: &str| panel["gridPos"][name].as_u64().unwrap_or_else(|| panic!("no {name}: {panel}"));
    [("x", "w"), ("y", "h")].map(|(start, length)| [number(start), number(start) + number(length)])
}

/// The values that a list of mappings gives a text or a colour, with what it gives.
fn mapped(mappings: &Value) -> BTreeMap<&str, &Value> {
    let values = list(mappings).filter(|mapping| mapping["type"] == "value");
    let options = values.flat_map(|mapping| mapping["options"].as_object().expect("values"));
    options.map(|(value, result)| (value.as_str(), result)).collect()
}

/// The relative luminance of `#rrggbb`, as WCAG defines it.
fn luminance(color: &str) -> f64 {
    let part = |at: usize| {
        let value = u8::from_str_radix(&color[at..at + 2], 16).expect("a colour");
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

#[test]
fn every_panel_is_explained_and_has_a_unit() {
    let dashboard = dashboard();
    let ids: BTreeSet<_> =
        list(&dashboard["panels"]).map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), list(&dashboard["panels"]).count());
    for panel in panels(&dashboard) {
        let title = text(&panel["title"]);
        let description = text(&panel["description"]);
        assert!(
            !title.is_empty() && description.len() > 20 && description.ends_with('.'),
            "{title}: {description}"
        );
        assert!(!text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(), "{title}");
        let refs: BTreeSet<_> = list(&panel["targets"]).map(|target| text(&target["refId"])).collect();
        assert!(!refs.is_empty() && refs.len() == list(&panel["targets"]).count(), "{title}");
    }
    for variable in list(&dashboard["templating"]["list"]) {
        assert!(
            !text(&variable["description"]).is_empty() && !text(&variable["label"]).is_empty(),
            "{variable}"
        );
    }
}

#[test]
fn panels_fill_their_lines_and_none_lies_on_another() {
    let dashboard = dashboard();
    let places: Vec<_> = list(&dashboard["panels"]).map(place).collect();
    let bottom = places.iter().map(|[_, [_, end]]| *end).max().expect("panels");
    for y in 0..bottom {
        let mut line: Vec<_> = places
            .iter()
            .filter(|[_, [top, end]]| (*top..*end).contains(&y))
            .map(|[columns, _]| *columns)
            .collect();
        line.sort_unstable();
        let last = line.iter().fold(0, |end, [start, next]| {
            assert_eq!(*start, end, "a gap or two panels in line {y}: {line:?}");
            *next
        });
        assert_eq!(last, 24, "line {y}");
    }
}

#[test]
fn nothing_is_of_one_grafana_alone() {
    let dashboard = dashboard();
    assert!(dashboard["id"].is_null() && dashboard.get("__inputs").is_none());
    let variables: BTreeSet<_> =
        list(&dashboard["templating"]["list"]).map(|variable| text(&variable["name"])).collect();
    assert_eq!(variables, BTreeSet::from(["datasource", "account", "region", "probe", "regwatch"]));
    let sources = DASHBOARD.matches("\"datasource\": {").count();
    assert_eq!(
        DASHBOARD.matches(r#""datasource": { "type": "prometheus", "uid": "${datasource}" }"#).count(),
        sources
    );
    let asking = |value: &Value| value["datasource"]["uid"] == "${datasource}";
    assert!(panels(&dashboard).into_iter().chain(list(&dashboard["annotations"]["list"])).all(asking));
}

#[test]
fn each_state_has_its_code_its_word_and_one_colour() {
    let dashboard = dashboard();
    let mut colors: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut paint = |status: &str, color: &Value| {
        colors.entry(status.to_owned()).or_default().insert(text(color).to_owned())
    };
    for panel in panels(&dashboard) {
        for over in list(&panel["fieldConfig"]["overrides"]) {
            for property in list(&over["properties"]) {
                match text(&property["id"]) {
                    "mappings" => mapped(&property["value"]).into_iter().for_each(|(value, result)| {
                        paint(value, &result["color"]);
                    }),
                    "color" if property["value"]["fixedColor"].is_string() => {
                        paint(text(&over["matcher"]["options"]), &property["value"]["fixedColor"]);
                    }
                    _ => {}
                }
            }
        }
    }
    for (title, resource) in [
        ("Registrations with FleetWise", Resource::Account),
        ("GovCloud accounts", Resource::GovCloudAccount),
    ] {
        let panel = panels(&dashboard).into_iter().find(|panel| panel["title"] == title).expect(title);
        let words = mapped(&panel["fieldConfig"]["defaults"]["mappings"]);
        let expr = &queries(panel)[0].expr;
        for status in resource.statuses() {
            let name = status.as_str();
            let codes = expr.lines().find(|line| line.contains(&format!("\"{name}\""))).expect(name);
            let code = codes.trim().split(' ').next().expect("a code");
            assert!(!text(&words[code]["text"]).is_empty(), "{name}");
            paint(name, &words[code]["color"]);
        }
        // And one for those of whom nothing is known.
        assert_eq!(words.len(), resource.statuses().len() + 1, "{title}");
    }
    for resource in Resource::ALL {
        for status in resource.statuses() {
            assert_eq!(colors[status.as_str()].len(), 1, "{}: {colors:?}", status.as_str());
        }
    }
}

#[test]
fn colours_stand_out_in_the_dark_and_in_the_light() {
    let colors: BTreeSet<_> = DASHBOARD
        .match_indices("\"#")
        .map(|(at, _)| DASHBOARD[at + 1..].split('"').next().expect("an end"))
        .collect();
    assert!(colors.len() > 5, "{colors:?}");
    for color in colors {
        for ground in GROUNDS {
            let [a, b] = [color, ground].map(|color| luminance(color) + 0.05);
            assert!(a.max(b) / a.min(b) >= CONTRAST, "{color} on {ground}: {:.2}", a.max(b) / a.min(b));
        }
    }
}
