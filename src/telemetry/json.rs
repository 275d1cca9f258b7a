//! A line for programs: one flat JSON object.

use std::io;

use jiff::Timestamp;
use serde::Serializer;
use serde::ser::SerializeMap;
use tracing::Level;

use super::fields::Fields;

/// Writes `{"timestamp":…,"level":…,"target":…,"message":…,<fields>}`, the time as RFC 3339 has it, in UTC.
pub(super) fn write(out: &mut String, at: Timestamp, level: Level, fields: &Fields) {
    let mut line = Vec::new();
    let mut json = serde_json::Serializer::new(&mut line);
    object(&mut json, at, level, fields).expect("texts and numbers are JSON, and memory takes all");
    out.push_str(std::str::from_utf8(&line).expect("JSON is UTF-8"));
}

fn object(
    json: &mut serde_json::Serializer<impl io::Write>,
    at: Timestamp,
    level: Level,
    Fields { target, message, others }: &Fields,
) -> serde_json::Result<()> {
    let mut object = json.serialize_map(None)?;
    object.serialize_entry("timestamp", &format_args!("{at:.6}"))?;
    object.serialize_entry("level", level.as_str())?;
    object.serialize_entry("target", target)?;
    object.serialize_entry("message", message)?;
    for (name, value) in others {
        object.serialize_entry(name, value)?;
    }
    object.end()
}
