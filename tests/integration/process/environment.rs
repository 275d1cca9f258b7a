//! Where credentials, endpoints, proxies and roots come from: as for every other user of the AWS SDK.

use std::sync::Arc;

use aws_credential_types::Credentials;
use axum::Router;
use axum::routing::{get, put};
use regwatch::sim::World;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Running, file, regwatch, regwatch_as_hub};
use crate::harness::{Aws, HUB, KEY, hub, identities, member};

/// A simulated AWS whose hub has a role for regwatch to run as.
async fn aws() -> Aws {
    Aws::start(World::new().management(hub().role("pod", None)).member(member(1))).await
}

fn config() -> tempfile::NamedTempFile {
    file(&format!(
        "{}accounts:
  - {{id: '000000000001', fleetwise: {{identity: member, regions: [us-east-1]}}, govcloud: {{identity: hub}}}}
polling: {{start_window: 100ms}}\n",
        identities()
    ))
}

/// Runs until both targets have answered, and ends it.
async fn works(command: tokio::process::Command, config: &tempfile::NamedTempFile) {
    let running = Running::start(command, config.path()).await;
    let page = running.until_well().await;
    assert_eq!(page.count("regwatch_target_up"), 2);
    let caller = format!(
        r#"regwatch_scope_allowed_requests_per_second{{service="account",caller_account_id="{HUB}"}}"#
    );
    assert_eq!(page.count(&caller), 1, "{}", page.0);
    running.signal("TERM").await;
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(0), "{log}");
}

/// What a metadata service would hand out: a session of the hub's role.
async fn session(aws: &Aws) -> serde_json::Value {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(aws_sdk_sts::config::BehaviorVersion::v2026_01_12())
        .region(aws_sdk_sts::config::Region::from_static("us-east-1"))
        .endpoint_url(&aws.url)
        .credentials_provider(Credentials::new(KEY.0, KEY.1, None, None, "test"))
        .build();
    let role = aws_sdk_sts::Client::from_conf(config)
        .assume_role()
        .role_arn(format!("arn:aws:iam::{HUB}:role/pod"))
        .role_session_name("pod")
        .send()
        .await
        .expect("the role may be assumed");
    let session = role.credentials().expect("credentials");
    serde_json::json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": session.access_key_id(),
        "SecretAccessKey": session.secret_access_key(),
        "Token": session.session_token(),
        "Expiration": session.expiration().to_string(),
        "LastUpdated": "2026-01-01T00:00:00Z",
    })
}

/// Serves routes on a free port of this machine.
async fn serve(routes: Router) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
    (url, tasks)
}

#[tokio::test]
async fn keys_and_endpoint_of_the_environment() {
    let aws = aws().await;
    works(regwatch_as_hub(&aws.url), &config()).await;
}

#[tokio::test]
async fn an_endpoint_for_each_service() {
    let aws = aws().await;
    let mut command = regwatch_as_hub("http://127.0.0.1:9");
    for service in ["IOTFLEETWISE", "ACCOUNT", "STS"] {
        command.env(format!("AWS_ENDPOINT_URL_{service}"), &aws.url);
    }
    works(command, &config()).await;
}

#[tokio::test]
async fn a_profile_of_the_shared_configuration_files() {
    let aws = aws().await;
    let profiles = file(&format!(
        "[profile fleet]\naws_access_key_id = {}\naws_secret_access_key = {}\nregion = us-east-1\n",
        KEY.0, KEY.1
    ));
    let yaml = std::fs::read_to_string(config().path()).unwrap().replace("hub: {}", "hub: {profile: fleet}");
    let mut command = regwatch();
    command.env("AWS_ENDPOINT_URL", &aws.url).env("AWS_CONFIG_FILE", profiles.path());
    works(command, &file(&yaml)).await;
}

#[tokio::test]
async fn a_web_identity_as_irsa_gives_it_to_a_pod() {
    let aws = aws().await;
    let (sts, _sts) = serve(web_identity(&aws).await).await;
    let token = file("a-token-of-the-cluster");
    let mut command = regwatch();
    command
        .env("AWS_ENDPOINT_URL", &aws.url)
        .env("AWS_ENDPOINT_URL_STS", sts)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", token.path())
        .env("AWS_ROLE_ARN", format!("arn:aws:iam::{HUB}:role/pod"));
    works(command, &config()).await;
}

/// An STS that takes the cluster's token for a session, and hands all else on to the simulated AWS.
async fn web_identity(aws: &Aws) -> Router {
    let session = Arc::new(session(aws).await);
    let (behind, client) = (aws.url.clone(), reqwest::Client::new());
    Router::new().fallback(move |headers: axum::http::HeaderMap, body: String| async move {
        if !body.contains("Action=AssumeRoleWithWebIdentity") {
            let answer = client.post(behind).headers(headers).body(body).send().await.expect("an answer");
            return (answer.status(), answer.text().await.expect("a text"));
        }
        assert!(body.contains("WebIdentityToken=a-token-of-the-cluster"), "{body}");
        let [id, secret, token, end] = ["AccessKeyId", "SecretAccessKey", "Token", "Expiration"]
            .map(|member| session[member].as_str().expect("a text"));
        let answer = format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{id}</AccessKeyId>\
             <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
             <Expiration>{end}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>"
        );
        (axum::http::StatusCode::OK, answer)
    })
}

#[tokio::test]
async fn the_agent_of_eks_pod_identity() {
    let aws = aws().await;
    let session = Arc::new(session(&aws).await.to_string());
    let agent = Router::new().route(
        "/v1/credentials",
        get(move |headers: axum::http::HeaderMap| async move {
            assert_eq!(headers["authorization"], "a-token-of-the-agent");
            session.to_string()
        }),
    );
    let (url, _agent) = serve(agent).await;
    let token = file("a-token-of-the-agent");
    let mut command = regwatch();
    command
        .env("AWS_ENDPOINT_URL", &aws.url)
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{url}/v1/credentials"))
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.path());
    works(command, &config()).await;
}

#[tokio::test]
async fn the_metadata_service_of_an_instance() {
    let aws = aws().await;
    let session = Arc::new(session(&aws).await.to_string());
    let role = "/latest/meta-data/iam/security-credentials";
    let imds = Router::new()
        .route(
            "/latest/api/token",
            put(|| async { ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "a-token") }),
        )
        .route(&format!("{role}/"), get(|| async { "pod" }))
        .route(&format!("{role}/pod"), get(move || async move { session.to_string() }));
    let (url, _imds) = serve(imds).await;
    let mut command = regwatch();
    command
        .env_remove("AWS_EC2_METADATA_DISABLED")
        .env("AWS_ENDPOINT_URL", &aws.url)
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", url);
    works(command, &config()).await;
}

#[tokio::test]
async fn no_credentials_at_all_are_a_failure_of_each_target_and_of_nothing_else() {
    let aws = aws().await;
    let mut command = regwatch();
    command.env("AWS_ENDPOINT_URL", &aws.url);
    let running = Running::start(command, config().path()).await;
    let failed =
        |page: &crate::page::Page| page.sum(r#"regwatch_poll_failures_total{reason="credentials"}"#) >= 2.0;
    let page = running.until("both fail", failed).await;
    assert_eq!(page.count("regwatch_target_up"), 2);
    assert_eq!(aws.control.calls().len(), 0, "nothing was sent unsigned");
}

#[tokio::test]
async fn a_proxy_of_the_environment() {
    let aws = aws().await;
    // No such host: every call must go through the proxy, which the simulated AWS itself plays.
    let mut command = regwatch_as_hub("http://aws.invalid");
    command.env("HTTP_PROXY", &aws.url);
    works(command, &config()).await;
}

#[tokio::test]
async fn roots_of_trust_of_the_environment() {
    let aws = aws().await;
    let (certificate, url, _tls) = tls_in_front_of(&aws.url).await;
    let roots = file(&certificate);
    let mut command = regwatch_as_hub(&url);
    command.env("SSL_CERT_FILE", roots.path());
    works(command, &config()).await;
}

/// A server of TLS that hands everything on to a server of HTTP, and its certificate.
pub(super) async fn tls_in_front_of(server: &str) -> (String, String, JoinSet<()>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())
        .expect("a key");
    let tls = tokio_rustls::rustls::ServerConfig::builder_with_provider(Arc::new(
        tokio_rustls::rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("the provider's own")
    .with_no_client_auth()
    .with_single_cert(vec![made.cert.der().clone()], key)
    .expect("they belong together");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://localhost:{}", listener.local_addr().expect("it is bound").port());
    let behind = server.trim_start_matches("http://").to_owned();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            connections.spawn(async move {
                let mut outside = acceptor.accept(stream).await.expect("a handshake");
                let mut inside = tokio::net::TcpStream::connect(behind).await.expect("it listens");
                // A client that goes without farewell is no concern of this test.
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    (made.cert.pem(), url, tasks)
}
