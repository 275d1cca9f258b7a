//! Bodies of a shape that the receiver wants: a Jinja template over the [`CloudEvent`].

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::super::cloudevent::CloudEvent;
use super::super::sample;

/// What templates are called in minijinja; there is one in each environment.
const NAME: &str = "template";

/// A template that renders every sample.
pub(super) struct Template {
    environment: Environment<'static>,
    is_json: bool,
}

impl Template {
    /// Reads a template, and tries it with each kind of event. What it makes of them has to be JSON, if
    /// that is what it is sent as.
    ///
    /// # Errors
    /// What is wrong and in which line, on one line.
    pub(super) fn parse(text: String, is_json: bool) -> Result<Self, String> {
        let mut environment = Environment::new();
        // A name that does not exist is a slip, and not an empty text.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // Escaping is `tojson`'s, and where it is missing the check below finds out.
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        // Errors then name what is undefined.
        environment.set_debug(true);
        environment.add_template_owned(NAME, text).map_err(|error| one_line(&error))?;
        let template = Self { environment, is_json };
        for entry in sample::rehearsal() {
            template.render(&CloudEvent::from(&entry))?;
        }
        Ok(template)
    }

    /// The text that it was read from.
    fn text(&self) -> String {
        self.environment.get_template(NAME).expect("it was added").source().to_owned()
    }

    /// The body for an event.
    ///
    /// # Errors
    /// What is wrong and in which line, on one line.
    pub(super) fn render(&self, event: &CloudEvent) -> Result<String, String> {
        let template = self.environment.get_template(NAME).expect("it was added");
        let body = template.render(Serde(event)).map_err(|error| one_line(&error))?;
        if self.is_json
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&body)
        {
            let (line, kind) = (error.line(), event.data.kind);
            return Err(format!(
                "for an event of kind {kind}, line {line} of what it makes is not JSON; \
                 write `| tojson` after each value, without quotes around it"
            ));
        }
        Ok(body)
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        (self.text(), self.is_json) == (other.text(), other.is_json)
    }
}

fn one_line(error: &minijinja::Error) -> String {
    let line = error.line().map_or_else(String::new, |line| format!("line {line}: "));
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    format!("{line}{}", what.replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        Template::parse(text.to_owned(), true).err().unwrap_or_else(|| panic!("nothing wrong with {text}"))
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, what) in [
            ("{\n{{ data.acount }}\n}", "line 2: undefined value: "),
            ("{\n\n{{ data. }}", "line 3: syntax error: "),
            ("{{ nonsense }}", "line 1: undefined value: "),
            ("{{ id | nonsense }}", "line 1: unknown filter: "),
            ("{% if id %}", "line 1: syntax error: "),
        ] {
            let wrong = wrong(text);
            assert!(wrong.starts_with(what) && !wrong.contains('\n'), "{text}: {wrong}");
        }
        assert!(wrong("{{ data.acount }}").contains("data.acount"), "{}", wrong("{{ data.acount }}"));
    }

    #[test]
    fn what_is_not_escaped_is_found_before_it_is_sent() {
        for text in [
            r#"{"text": "{{ data.account_name }}"}"#,
            r#"{"text": {{ id }}}"#,
            r#"{"region": "{{ data.region | tojson }}"}"#,
            r#"{"region": {{ data.region }}}"#,
            r#"{"a": 1,}"#,
            "",
        ] {
            assert!(wrong(text).contains("is not JSON; write `| tojson`"), "{text}: {}", wrong(text));
        }
        // What is no JSON need not be escaped.
        assert!(Template::parse("{{ data.account_name }}".to_owned(), false).is_ok());
    }

    #[test]
    fn whatever_a_text_holds_arrives() {
        let template = r#"{"name": {{ data.account_name | tojson }}, "region": {{ data.region | tojson }}}"#;
        let template = Template::parse(template.to_owned(), true).ok().unwrap();
        for entry in sample::rehearsal() {
            let body = template.render(&CloudEvent::from(&entry)).unwrap();
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["name"], *entry.event.account.name);
            assert_eq!(body["region"].is_null(), entry.event.region.is_none());
        }
    }
}
