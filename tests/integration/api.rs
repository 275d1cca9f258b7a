//! The API over HTTP.

mod events;
mod stream;
mod targets;

use reqwest::Method;
use reqwest::header::{ALLOW, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::server::Running;
use crate::snapshot::rich;

impl Running {
    /// What a path answers in JSON.
    async fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Why a path has no answer.
    async fn problem(&self, method: Method, path: &str) -> Value {
        let answer = self.client.request(method, self.url(path)).send().await.expect("an answer");
        let status = answer.status().as_u16();
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json", "{path}");
        assert_eq!(answer.headers().contains_key(ALLOW), status == 405);
        let problem: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
        assert_eq!(problem["status"], status);
        problem
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_a_problem() {
    let running = Running::start(rich()).await;
    for path in ["/api", "/api/", "/api/v1", "/api/v2/targets", "/api/v1/targets/", "/api/v1/nowhere"] {
        let problem = running.problem(Method::GET, path).await;
        let detail = "there is no such resource; /api/v1/openapi.json lists all";
        assert_eq!(
            problem,
            json!({"type": "about:blank", "title": "Not Found", "status": 404, "detail": detail})
        );
    }
    for path in ["targets", "targets/000000000001", "events", "events/stream", "openapi.json"] {
        for method in [Method::POST, Method::DELETE, Method::TRACE] {
            let problem = running.problem(method, &format!("/api/v1/{path}")).await;
            assert_eq!((&problem["status"], &problem["title"]), (&json!(405), &json!("Method Not Allowed")));
        }
    }
}

#[tokio::test]
async fn the_description_is_there_and_has_every_route() {
    let running = Running::start(rich()).await;
    let description = running.json("/api/v1/openapi.json").await;
    assert_eq!(description["openapi"], "3.1.0");
    let paths: Vec<_> = description["paths"].as_object().expect("paths").keys().collect();
    assert_eq!(
        paths,
        [
            "/api/v1/events",
            "/api/v1/events/stream",
            "/api/v1/openapi.json",
            "/api/v1/targets",
            "/api/v1/targets/{account}",
            "/api/v1/targets/{account}/{probe}",
            "/api/v1/targets/{account}/{probe}/{region}",
        ]
    );
}
