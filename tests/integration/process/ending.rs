//! How it ends: in order at the first signal, at once at the second, with a status that says why.

use std::time::Duration;

use regwatch::sim::{Fault, Operation, World};
use tokio::time::Instant;

use super::{Running, file, regwatch_as_hub};
use crate::harness::{Aws, hub, id, identities, member};

/// What the calls in flight are given by default.
const GRACE: Duration = Duration::from_secs(25);

const POLLING: &str =
    "polling: {interval: 30s, pending_interval: 5s, failed_interval: 5s, timeout: 4s, start_window: 100ms}\n";

fn config() -> String {
    format!(
        "{POLLING}{}accounts:
  - {{id: '000000000001', fleetwise: {{identity: member, regions: [us-east-1]}}, govcloud: {{identity: hub}}}}\n",
        identities()
    )
}

async fn started(aws: &Aws) -> Running {
    let config = file(&config());
    Running::start(regwatch_as_hub(&aws.url), config.path()).await
}

#[tokio::test]
async fn either_signal_ends_it_in_order_with_status_0() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    for signal in ["TERM", "INT"] {
        let running = started(&aws).await;
        running.until_well().await;
        running.signal(signal).await;
        let (status, log) = running.ended().await;
        assert_eq!(status, Some(0), "{log}");
        assert!(log.contains(&format!("SIG{signal}")) && log.contains("ended in order"), "{log}");
    }
}

#[tokio::test]
async fn a_call_in_flight_may_end_and_ready_fails_meanwhile() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    aws.control.set_fault(id(1), Operation::GetRegisterAccountStatus, Fault::Hang);
    let running = started(&aws).await;
    running.until("it hangs in one call", |page| page.sum("regwatch_target_up") == 1.0).await;
    let began = Instant::now();
    running.signal("TERM").await;
    // It is served until the call has ended, so this comes to an end either way.
    while reqwest::get(format!("{}/-/ready", running.url)).await.expect("still served").status() != 503 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(0), "{log}");
    let (_, after) = log.split_once("SIGTERM").expect("the signal is told");
    assert!(after.contains("timeout"), "the call's end was waited for and told:\n{log}");
    assert!(began.elapsed() < GRACE, "after {:?}", began.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    aws.control.set_fault(id(1), Operation::GetRegisterAccountStatus, Fault::Hang);
    let mut running = started(&aws).await;
    running.until("it hangs in one call", |page| page.sum("regwatch_target_up") == 1.0).await;
    running.signal("TERM").await;
    running.until_said("SIGTERM").await;
    running.signal("INT").await;
    let (status, log) = running.ended().await;
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("SIGINT: ended at once"), "{log}");
    assert!(!log.contains("timeout"), "the call in flight was waited for:\n{log}");
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = file(&config());
    let mut command = regwatch_as_hub("http://127.0.0.1:9");
    command.args(["run", "--web.listen-address", &address, "--config.file"]).arg(config.path());
    let output = command.output().await.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&address), "{text}");
}
