//! The dashboard for Grafana, which is not to be had here: its queries before a real Prometheus, its form
//! before the types that Grafana publishes, and what makes it readable before rules of our own.

mod live;
mod structure;
mod types;

use serde_json::Value;

const DASHBOARD: &str = include_str!("../../deploy/grafana/regwatch.json");

fn dashboard() -> Value {
    serde_json::from_str(DASHBOARD).expect("JSON")
}

/// Its panels, without the rows that they stand in.
fn panels(dashboard: &Value) -> Vec<&Value> {
    list(&dashboard["panels"]).filter(|panel| panel["type"] != "row").collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// One query.
#[derive(Debug)]
struct Query {
    /// Whose it is: the title of the panel or the name of the annotation.
    of: String,
    expr: String,
    /// Whether it asks how things are, rather than how they were.
    is_instant: bool,
}

/// Every query of panels and annotations, wherever it stands.
fn queries(value: &Value) -> Vec<Query> {
    let mut found = Vec::new();
    collect("", value, &mut found);
    found
}

fn collect(of: &str, value: &Value, found: &mut Vec<Query>) {
    let of = value["title"].as_str().or(value["name"].as_str()).unwrap_or(of);
    if let Some(expr) = value["expr"].as_str() {
        found.push(Query { of: of.to_owned(), expr: expr.to_owned(), is_instant: value["instant"] == true });
    }
    let members = value.as_object().into_iter().flat_map(|object| object.values());
    members.chain(list(value)).for_each(|member| collect(of, member, found));
}

/// What is chosen above the dashboard.
#[derive(Clone, Copy, Debug)]
struct Chosen<'a> {
    account: &'a str,
    region: &'a str,
    probe: &'a str,
}

impl Chosen<'_> {
    /// What "All" stands for.
    const ALL: Self = Self { account: ".*", region: ".*", probe: ".*" };

    /// The query with everything put in that Grafana puts in, for scrapes every second.
    fn put_into(self, expr: &str) -> String {
        let expr = expr.replace("$__rate_interval", "5s").replace("$__range", "10m");
        let expr = expr.replace("$account", self.account).replace("$region", self.region);
        let expr = expr.replace("$probe", self.probe);
        // What a replaced label is made of has a number.
        assert!(!expr.replace("$1", "").contains('$'), "not known: {expr}");
        expr
    }
}
