//! A YAML document as JSON, every scalar of it a text.

use granit_parser::{Event, Parser};
use serde_json::{Map, Value};

/// Reads a document of mappings, lists and texts.
pub(super) fn read(text: &str) -> Value {
    let mut root = None;
    // Open collections, and of each mapping the key whose value comes next.
    let mut open: Vec<(Value, Option<String>)> = Vec::new();
    for event in Parser::new_from_str(text) {
        let closed = match event.expect("YAML").0 {
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::SequenceStart(..) => {
                open.push((Value::Array(Vec::new()), None));
                continue;
            }
            Event::MappingStart(..) => {
                open.push((Value::Object(Map::new()), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().expect("it was opened").0,
            Event::Alias(_) | Event::Anchor(..) => {
                panic!("what makes something else of it may not know anchors")
            }
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(closed),
            Some((Value::Array(items), _)) => items.push(closed),
            Some((Value::Object(entries), key)) => match (key.take(), closed) {
                (Some(key), value) => assert!(entries.insert(key, value).is_none(), "a key is there twice"),
                (None, Value::String(name)) => *key = Some(name),
                (None, other) => panic!("not a key: {other}"),
            },
            Some(_) => unreachable!("only collections are open"),
        }
    }
    root.expect("a document")
}
