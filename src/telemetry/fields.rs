//! What an event has to say, taken out of it for either format.

use std::error::Error;
use std::fmt::Debug;

use serde_json::Value;
use tracing::Event;
use tracing::field::{Field, Visit};

use super::CRATE;

/// The parts of an event.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Where it comes from: the module of this crate, as filters call it, or the path in another.
    pub(super) target: String,
    /// The message.
    pub(super) message: String,
    /// The fields, in the order in which they were given.
    pub(super) others: Vec<(&'static str, Value)>,
}

impl Fields {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut fields = Self { target: event.metadata().target().to_owned(), ..Self::default() };
        event.record(&mut fields);
        let within = fields.target.strip_prefix(CRATE).and_then(|path| path.strip_prefix("::"));
        if let Some(room) = within.and_then(|path| path.split("::").next()) {
            fields.target = room.to_owned();
        }
        fields
    }

    fn take(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match (name, value) {
            ("message", Value::String(text)) => self.message = text,
            // Events of crates that use `log` have a common target, and their own as a field, with more of
            // the place than anybody wants.
            ("log.target", Value::String(text)) => self.target = text,
            (_, value) if !name.starts_with("log.") => self.others.push((name, value)),
            _ => {}
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value.into());
    }

    /// With its causes: the first text says what failed, the others why.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.take(field, text.into());
    }
}
