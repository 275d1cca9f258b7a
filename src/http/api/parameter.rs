//! The parameters of a request: each route says once what it takes, and from that its requests are read,
//! its mistakes told, all at once, and its description written.

use std::collections::BTreeSet;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::{RefOr, Required, Schema};

use super::problem::{BadParameter, Place, Problem};
use super::value::Value;

/// What a route takes.
pub(super) trait Parameters: Sized {
    /// Asks for each parameter.
    fn ask(form: &mut impl Form) -> Self;
}

/// A parameter that may be given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    place: Place,
    name: &'static str,
    about: &'static str,
    may_repeat: bool,
}

/// Where a route asks for its parameters: those of a request, or their description.
pub(super) trait Form {
    /// What was given for a field: at most one value unless it may be repeated.
    fn field<T: Value>(&mut self, field: Field) -> Vec<T>;

    /// A parameter of the query that may be repeated: any of its values will do, and without one
    /// everything will.
    fn any<T: Value + Ord>(&mut self, name: &'static str, about: &'static str) -> BTreeSet<T> {
        self.field(Field { place: Place::Query, name, about, may_repeat: true }).into_iter().collect()
    }

    /// A parameter of the query that is given once or not at all.
    fn one<T: Value>(&mut self, name: &'static str, about: &'static str) -> Option<T> {
        self.field(Field { place: Place::Query, name, about, may_repeat: false }).pop()
    }

    /// A header.
    fn header<T: Value>(&mut self, name: &'static str, about: &'static str) -> Option<T> {
        self.field(Field { place: Place::Header, name, about, may_repeat: false }).pop()
    }

    /// A part of the path. It is there, but perhaps wrong.
    fn part<T: Value>(&mut self, name: &'static str, about: &'static str) -> Option<T> {
        self.field(Field { place: Place::Path, name, about, may_repeat: false }).pop()
    }
}

/// The parameters of a request, all of them right.
#[derive(Debug)]
pub(super) struct Valid<T>(pub(super) T);

impl<S: Send + Sync, T: Parameters> FromRequestParts<S> for Valid<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let mut request = Request::default();
        match RawPathParams::from_request_parts(parts, state).await {
            Ok(path) => request.give(Place::Path, path.iter()),
            Err(_) => {
                let detail = "the path is not UTF-8 once its %-escapes are undone";
                return Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, detail));
            }
        }
        let query = parts.uri.query().unwrap_or_default();
        request.give(Place::Query, form_urlencoded::parse(query.as_bytes()));
        // One that is no text is wrong as the replacement character is.
        let headers = parts.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
        request.give(Place::Header, headers);
        request.read().map(Self)
    }
}

impl<T: Parameters> IntoParams for Valid<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut description = Description(Vec::new());
        T::ask(&mut description);
        description.0
    }
}

/// What a request gives.
#[derive(Debug, Default)]
struct Request {
    given: Vec<(Place, String, String)>,
    known: Vec<&'static str>,
    wrong: Vec<BadParameter>,
}

impl Request {
    fn give<N: AsRef<str>, V: AsRef<str>>(&mut self, place: Place, pairs: impl Iterator<Item = (N, V)>) {
        let pairs = pairs.map(|(name, value)| (place, name.as_ref().to_owned(), value.as_ref().to_owned()));
        self.given.extend(pairs);
    }

    /// Reads the parameters, and takes offence at those of the query that nobody asked for: a filter
    /// that is misspelt would otherwise let everything through.
    fn read<T: Parameters>(mut self) -> Result<T, Problem> {
        let parameters = T::ask(&mut self);
        let unknown = self.given.into_iter().filter(|(place, ..)| *place == Place::Query);
        let right = match &self.known[..] {
            [] => "there is no such parameter, and no other".to_owned(),
            known => format!("there is no such parameter; there are {}", known.join(", ")),
        };
        let mut names: Vec<_> = unknown.map(|(_, name, _)| name).collect();
        names.dedup();
        self.wrong.extend(names.into_iter().map(|parameter| BadParameter {
            parameter,
            place: Place::Query,
            detail: right.clone(),
        }));
        if self.wrong.is_empty() { Ok(parameters) } else { Err(Problem::bad_parameters(self.wrong)) }
    }
}

impl Form for Request {
    fn field<T: Value>(&mut self, field: Field) -> Vec<T> {
        let is_it = |place: Place, name: &str| {
            place == field.place && (name == field.name || is_header(place, name, field.name))
        };
        let given: Vec<_> = self.given.extract_if(.., |(place, name, _)| is_it(*place, name)).collect();
        let mut wrong = |detail| {
            let parameter = field.name.to_owned();
            self.wrong.push(BadParameter { parameter, place: field.place, detail });
        };
        if field.place == Place::Query {
            self.known.push(field.name);
        }
        if given.len() > 1 && !field.may_repeat {
            wrong("given more than once; give it once".to_owned());
            return Vec::new();
        }
        let values: Option<Vec<T>> = given.iter().map(|(.., text)| T::read(text)).collect();
        values.unwrap_or_else(|| {
            wrong(format!("expected {}", T::right()));
            Vec::new()
        })
    }
}

/// Names of headers are written in any case.
fn is_header(place: Place, name: &str, field: &str) -> bool {
    place == Place::Header && name.eq_ignore_ascii_case(field)
}

/// What a route takes, for OpenAPI.
#[derive(Default)]
struct Description(Vec<Parameter>);

impl Form for Description {
    fn field<T: Value>(&mut self, field: Field) -> Vec<T> {
        let Field { place, name, about, may_repeat } = field;
        let one = RefOr::T(Schema::Object(T::schema()));
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place.into())
            .description(Some(about))
            .required(if place == Place::Path { Required::True } else { Required::False });
        let parameter = if may_repeat {
            let many = ArrayBuilder::new().items(one).build();
            parameter.style(Some(ParameterStyle::Form)).explode(Some(true)).schema(Some(many))
        } else {
            parameter.schema(Some(one))
        };
        self.0.push(parameter.build());
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Limit;
    use super::*;
    use crate::model::{AccountId, Probe};

    #[derive(Debug, PartialEq, Eq)]
    struct Asked {
        account: Option<AccountId>,
        probes: BTreeSet<Probe>,
        limit: Option<Limit>,
    }

    impl Parameters for Asked {
        fn ask(form: &mut impl Form) -> Self {
            Self {
                account: form.part("account", "Whose."),
                probes: form.any("probe", "Which."),
                limit: form.one("limit", "How many."),
            }
        }
    }

    fn read(account: &str, query: &str) -> Result<Asked, serde_json::Value> {
        let mut request = Request::default();
        request.give(Place::Path, [("account", account)].into_iter());
        request.give(Place::Query, form_urlencoded::parse(query.as_bytes()));
        request.read().map_err(|problem| serde_json::to_value(problem).unwrap()["errors"].clone())
    }

    #[test]
    fn what_is_right_is_read() {
        let asked = read("000000000001", "probe=govcloud&probe=fleetwise&limit=7&probe=govcloud").unwrap();
        assert_eq!(asked.probes, Probe::ALL.into());
        assert_eq!((asked.account, asked.limit), ("000000000001".parse().ok(), Some(Limit(7))));
        assert_eq!(read("000000000001", "").unwrap().probes, BTreeSet::new());
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let wrong = read("1", "probe=govcloud&probe=iam&limit=1&limit=1&prob=govcloud&prob=x").unwrap_err();
        let wrong = wrong.as_array().unwrap().iter();
        let told: Vec<_> = wrong
            .map(|one| format!("{} {} {}", one["in"], one["parameter"], one["detail"]).replace('"', ""))
            .collect();
        assert_eq!(
            told,
            [
                "path account expected an AWS account id of exactly 12 digits",
                "query probe expected one of fleetwise, govcloud",
                "query limit given more than once; give it once",
                "query prob there is no such parameter; there are probe, limit",
            ]
        );
    }

    #[test]
    fn the_description_is_of_the_same_fields() {
        let described = serde_json::to_value(Valid::<Asked>::into_params(|| None)).unwrap();
        let fields: Vec<_> = described.as_array().unwrap().iter().collect();
        assert_eq!(fields[0]["in"], "path");
        assert_eq!((&fields[0]["required"], &fields[1]["required"]), (&true.into(), &false.into()));
        assert_eq!(fields[1]["schema"]["items"]["enum"], serde_json::json!(["fleetwise", "govcloud"]));
        assert_eq!(fields[2]["schema"]["maximum"], 1000);
    }
}
