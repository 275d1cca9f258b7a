//! `regwatch test-webhook`.

use super::environment::tls_in_front_of;
use super::{file, regwatch};
use crate::receiver::{Receiver, Reply};

/// A configuration with one webhook, and whatever else it has.
fn config(url: &str, more: &str) -> tempfile::NamedTempFile {
    file(&format!(
        "identities: {{hub: {{}}}}
accounts: [{{id: '111122223333', govcloud: {{identity: hub}}}}]
events: {{webhooks: [{{name: fleet-ops, url: '{url}'{more}}}]}}\n"
    ))
}

/// Its exit status, and what it printed and complained about.
async fn test_webhook(arguments: &[&str], config: &tempfile::NamedTempFile) -> (Option<i32>, String, String) {
    test_webhook_with(&[], arguments, config).await
}

/// The same, with variables in its environment.
async fn test_webhook_with(
    variables: &[(&str, &str)],
    arguments: &[&str],
    config: &tempfile::NamedTempFile,
) -> (Option<i32>, String, String) {
    let mut command = regwatch();
    command.envs(variables.iter().copied());
    command.arg("test-webhook").args(arguments).arg("--config.file").arg(config.path());
    let output = command.output().await.expect("it runs");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    (output.status.code(), out, err)
}

#[tokio::test]
async fn a_sample_says_so_and_the_answer_is_shown() {
    let answer = format!("thanks\u{1b}[31m\nline two{}", "x".repeat(20_000));
    let receiver = Receiver::start([Reply::Says(answer)]).await;
    let (status, out, err) = test_webhook(&["fleet-ops"], &config(&receiver.url, "")).await;
    assert_eq!((status, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("answered HTTP 200") && out.contains("\n  thanks\\u{1b}[31m\n  line two"), "{out}");
    assert!(out.len() < 9_000 && !out.contains("127.0.0.1"), "{out}");
    let [request] = &receiver.requests()[..] else { panic!("one request") };
    let event = request.json();
    assert_eq!(event["type"], "dev.regwatch.resource.changed");
    assert_eq!(event["data"]["account_id"], "000000000000");
    assert_eq!(event["data"]["account_name"], "regwatch test");
    assert_eq!(event["data"]["to"], "REGISTRATION_FAILURE");
    assert!(out.contains(event["id"].as_str().expect("a text")), "{out}");
}

#[tokio::test]
async fn whatever_is_not_taken_is_a_failure_with_advice() {
    for (reply, reason, advice) in [
        (Reply::Status(404, None), "refused: HTTP 404", "compare the URL"),
        (Reply::Status(500, None), "server_error: HTTP 500", "its log may tell"),
        (
            Reply::Status(301, Some(("Location", "/elsewhere".to_owned()))),
            "redirected: HTTP 301",
            "set the URL",
        ),
        (Reply::Hang, "timeout: no answer in time", "raise `timeout`"),
        (Reply::Cut, "unreachable: no answer: ", "firewall"),
    ] {
        let receiver = Receiver::start([reply]).await;
        let config = config(&receiver.url, ", timeout: 500ms");
        let (status, out, err) = test_webhook(&["fleet-ops", "--to", "SUSPENDED"], &config).await;
        assert_eq!(status, Some(1), "{out}{err}");
        assert!(err.contains(reason) && err.contains(advice) && !err.contains("127.0.0.1"), "{err}");
        let [request] = &receiver.requests()[..] else { panic!("one request, and none that is repeated") };
        assert_eq!(request.json()["data"]["probe"], "govcloud");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_command_or_the_configuration_is_told() {
    let sound = config("https://example.com/hunter2", "");
    let (status, _, err) = test_webhook(&["fleet-op"], &sound).await;
    assert_eq!(status, Some(1), "{err}");
    assert!(err.contains("has no webhook `fleet-op`, but fleet-ops"), "{err}");
    let (status, _, err) = test_webhook(&["fleet-ops", "--to", "SUSPENDET"], &sound).await;
    assert!(status == Some(2) && err.contains("SUSPENDED"), "{err}");
    let unsound = config("https://example.com/hunter2", ", secret_file: /nowhere/secret");
    let (status, _, err) = test_webhook(&["fleet-ops"], &unsound).await;
    let expected = "webhook `fleet-ops`: `secret_file` /nowhere/secret cannot be read: No such file or directory (os error 2)\n";
    assert_eq!((status, err.as_str()), (Some(78), expected));
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_used() {
    // No such host: what is sent has to go through the proxy, which the receiver plays.
    let receiver = Receiver::start([]).await;
    let proxy = receiver.url.trim_end_matches("/hook");
    let config = config("http://receiver.invalid/hook", "");
    let (status, out, err) = test_webhook_with(&[("HTTP_PROXY", proxy)], &["fleet-ops"], &config).await;
    assert_eq!(status, Some(0), "{out}{err}");
    assert_eq!(receiver.requests()[0].line, "POST http://receiver.invalid/hook HTTP/1.1");
    let direct = [("HTTP_PROXY", proxy), ("NO_PROXY", "receiver.invalid")];
    let (status, _, err) = test_webhook_with(&direct, &["fleet-ops"], &config).await;
    assert!(status == Some(1) && err.contains("unreachable"), "{err}");
}

#[tokio::test]
async fn only_a_receiver_that_is_trusted_is_sent_anything() {
    let receiver = Receiver::start([]).await;
    let (certificate, url, _tls) = tls_in_front_of(receiver.url.trim_end_matches("/hook")).await;
    let (_, elsewhere, _tls) = tls_in_front_of(receiver.url.trim_end_matches("/hook")).await;
    let roots = file(&certificate);
    let trusted = [("SSL_CERT_FILE", roots.path().to_str().expect("a plain path"))];
    let (status, out, err) = test_webhook_with(&trusted, &["fleet-ops"], &config(&url, "")).await;
    assert_eq!(status, Some(0), "{out}{err}");
    assert_eq!(receiver.requests().len(), 1);
    let (status, _, err) = test_webhook_with(&trusted, &["fleet-ops"], &config(&elsewhere, "")).await;
    assert!(status == Some(1) && err.contains("certificate"), "{err}");
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn no_secret_is_printed_whatever_the_level_of_the_log() {
    let token = file("Bearer hunter2");
    let secret = file("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let more = format!(
        ", timeout: 500ms, secret_file: '{}', headers: {{Authorization: {{file: '{}'}}, X-Key: hunter3}}",
        secret.path().display(),
        token.path().display()
    );
    for reply in [Reply::Status(200, None), Reply::Status(404, None), Reply::Hang, Reply::Cut] {
        let receiver = Receiver::start([reply.clone()]).await;
        let config = config(&format!("{}/hunter1", receiver.url), &more);
        let arguments = ["fleet-ops", "--log.level", "trace", "--log.format", "json"];
        let (_, out, err) = test_webhook(&arguments, &config).await;
        assert_eq!(receiver.requests()[0].header("authorization"), "Bearer hunter2");
        for secret in ["hunter", "MfKQ9r8G", "v1,", "127.0.0.1"] {
            assert!(!out.contains(secret) && !err.contains(secret), "{reply:?}: {secret} in {out}{err}");
        }
    }
}
