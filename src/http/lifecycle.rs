//! `/-/reload`: has the configuration read anew, where the command line allows it.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{MethodRouter, post};

use super::View;

/// POST, and PUT as Prometheus has it. The body is never read.
pub(super) fn routes() -> MethodRouter<View> {
    let other = async || (StatusCode::METHOD_NOT_ALLOWED, "POST, or PUT, reads the configuration anew.\n");
    post(reload).put(reload).fallback(other)
}

async fn reload(State(view): State<View>, headers: HeaderMap) -> (StatusCode, String) {
    let Some(trigger) = view.reload else {
        let text = "Reloading over HTTP is not enabled: start regwatch with --web.enable-lifecycle.\n";
        return (StatusCode::FORBIDDEN, text.to_owned());
    };
    if is_of_another_site(&headers) {
        let text = "A page of another site may not have the configuration read anew.\n";
        return (StatusCode::FORBIDDEN, text.to_owned());
    }
    match trigger.pull().await {
        Ok(()) => (StatusCode::OK, "The configuration was read anew and is in force.\n".to_owned()),
        Err(refused) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{refused}\n")),
    }
}

/// Whether a browser sends this on behalf of somebody else's page. Any page may have a browser POST
/// anywhere, with the credentials that the browser keeps for the place; but it cannot keep the browser from
/// saying so. What is no browser says nothing of the sort.
///
/// Sources: W3C Fetch Metadata (`Sec-Fetch-Site`); the Fetch standard (`Origin`, on every POST).
fn is_of_another_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let text = |value: &header::HeaderValue| value.to_str().ok().map(str::to_ascii_lowercase);
    let origin = text(origin);
    // Without its scheme, since TLS may end at a proxy; `null` is nobody's.
    let place = origin.as_deref().and_then(|origin| origin.split_once("://")).map(|(_, place)| place);
    place.is_none() || place != headers.get(header::HOST).and_then(text).as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_foreign(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| {
            let name = header::HeaderName::from_static(name);
            (name, header::HeaderValue::from_static(value))
        });
        is_of_another_site(&headers.collect())
    }

    #[test]
    fn what_is_no_browser_is_nobodys_page() {
        assert!(!is_foreign(&[]));
        assert!(!is_foreign(&[("host", "regwatch:9847")]));
    }

    #[test]
    fn a_browser_says_whose_page_it_is() {
        let host = ("host", "regwatch:9847");
        for (headers, expected) in [
            ([host, ("sec-fetch-site", "same-origin")], false),
            ([host, ("sec-fetch-site", "none")], false),
            ([host, ("sec-fetch-site", "same-site")], true),
            ([host, ("sec-fetch-site", "cross-site")], true),
            ([host, ("sec-fetch-site", "whatever comes")], true),
            ([host, ("origin", "http://regwatch:9847")], false),
            ([host, ("origin", "https://RegWatch:9847")], false),
            ([host, ("origin", "http://regwatch")], true),
            ([host, ("origin", "http://regwatch:9847.example.com")], true),
            ([host, ("origin", "null")], true),
            ([host, ("origin", "")], true),
            ([("accept", "*/*"), ("origin", "http://regwatch:9847")], true),
        ] {
            assert_eq!(is_foreign(&headers), expected, "{headers:?}");
        }
        let both = [host, ("sec-fetch-site", "same-origin"), ("origin", "http://behind.a.proxy")];
        assert!(!is_foreign(&both));
    }
}
