//! The unit before systemd: its own checks of it, and a systemd that has really booted and runs it against a
//! simulated AWS outside.

mod machine;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use regwatch::sim::{Fault, Operation, World};

use self::machine::Machine;
use crate::harness::{Aws, KEY, hub, id, identities, member};
use crate::package::package;
use crate::page::Page;
use crate::receiver::Receiver;

/// What the service shows in a header, and nobody else may know.
const SECRET: &str = "Bearer a-secret-of-the-service";

/// Since when the registration of the first account is known to be as it is.
const SINCE: &str = r#"aws_fleetwise_registration_since_timestamp_seconds{aws_account_id="000000000001",aws_region="us-east-1",resource="account"}"#;

/// What a wrong configuration is refused for.
const MISTAKE: &str = "unknown key `intervall`";

/// The service on a machine, and all around it.
struct Stage {
    aws: Aws,
    receiver: Receiver,
    machine: Machine,
    url: String,
    client: reqwest::Client,
}

#[test]
fn its_own_checks_find_nothing_wrong_with_the_unit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unpacked = Command::new("dpkg-deb").arg("--extract").args([package(), folder.path()]).status();
    assert!(unpacked.expect("tests/run has installed it").success());
    // What a unit starts has to be there, and on this machine it is not installed.
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/systemd/regwatch.service");
    let unit = std::fs::read_to_string(unit).expect("it is there");
    let installed = folder.path().join("usr/bin/regwatch");
    let unit = unit.replace("/usr/bin/regwatch", installed.to_str().expect("a plain path"));
    let here = folder.path().join("regwatch.service");
    std::fs::write(&here, unit).expect("it can be written");
    for arguments in [&["verify", "--man=no"][..], &["security", "--offline=true", "--threshold=15"]] {
        let output = Command::new("systemd-analyze").args(arguments).arg(&here).output();
        let output = output.expect("it is where systemd is");
        let [said, complained] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success() && complained.is_empty(), "{arguments:?}:\n{complained}{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_systemd_that_has_booted_runs_watches_confines_and_ends_it() {
    let mut stage = Stage::set().await;
    stage.it_is_started_when_it_is_ready().await;
    stage.it_reads_its_credentials_and_nobody_else_does().await;
    stage.it_can_write_to_its_state_and_nowhere_else().await;
    stage.it_reads_its_configuration_anew().await;
    stage.it_comes_back_from_being_killed_with_what_it_knew().await;
    stage.it_is_started_anew_when_it_stands_still().await;
    stage.it_is_not_started_again_while_its_configuration_is_wrong().await;
    stage.it_ends_in_order().await;
    stage.machine.end();
}

/// Calls that hang do so for long enough to look meanwhile.
fn config(members: u64, receiver: &str) -> String {
    let polling =
        "{interval: 20s, pending_interval: 11s, failed_interval: 11s, timeout: 10s, start_window: 100ms}";
    let mut config = format!(
        "polling: {polling}
store: {{path: /var/lib/regwatch/regwatch.db}}
events:
  webhooks:
    - name: outside
      url: {receiver}
      headers: {{Authorization: {{file: /run/credentials/regwatch.service/authorization}}}}
      on: {{kinds: [first_seen, changed, modified]}}
{}accounts:\n",
        identities()
    );
    for number in 1..=members {
        let id = id(number);
        config.push_str(&format!(
            "  - {{id: '{id}', fleetwise: {{identity: member, regions: [us-east-1]}}}}\n"
        ));
    }
    config
}

impl Stage {
    /// Everything is there, and the service is not started yet.
    async fn set() -> Self {
        let aws = Aws::start(World::new().management(hub()).member(member(1)).member(member(2))).await;
        let receiver = Receiver::start([]).await;
        let mut machine = Machine::boot(package()).await;
        // Free now, and most likely still when the service takes it.
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port();
        let (key, secret) = KEY;
        machine
            .must(&format!(
                "mkdir -p /etc/regwatch /etc/default /etc/systemd/system/regwatch.service.d
umask 077
echo '{SECRET}' >/etc/regwatch/authorization
printf '[default]\\naws_access_key_id = {key}\\naws_secret_access_key = {secret}\\n' >/etc/regwatch/aws
umask 022
cat >/etc/default/regwatch <<END
REGWATCH_OPTIONS=--web.listen-address 127.0.0.1:{port} --log.level info
AWS_REGION=us-east-1
AWS_EC2_METADATA_DISABLED=true
AWS_ENDPOINT_URL={}
END
cat >/etc/systemd/system/regwatch.service.d/test.conf <<END
[Service]
LoadCredential=authorization:/etc/regwatch/authorization
LoadCredential=aws:/etc/regwatch/aws
Environment=AWS_SHARED_CREDENTIALS_FILE=%d/aws
WatchdogSec=20s
RestartSec=1s
END
systemctl daemon-reload",
                aws.url
            ))
            .await;
        let url = format!("http://127.0.0.1:{port}");
        let mut stage = Self { aws, receiver, machine, url, client: reqwest::Client::new() };
        stage.configure(1).await;
        stage
    }

    async fn configure(&mut self, members: u64) {
        self.machine.configure(&config(members, &self.receiver.url)).await;
    }

    /// What `/-/ready` answers; `None` while nobody does.
    async fn ready(&self) -> Option<u16> {
        let answer = self.client.get(format!("{}/-/ready", self.url)).send().await;
        answer.ok().map(|answer| answer.status().as_u16())
    }

    async fn until(&self, described: &str, is_so: impl Fn(&Page) -> bool) -> Page {
        Page::until(&self.client, &self.url, described, is_so).await
    }

    async fn until_active(&mut self) {
        self.machine.until("ActiveState", "active", |state| state == "active").await;
    }

    async fn it_is_started_when_it_is_ready(&mut self) {
        self.aws.control.set_fault(id(1), Operation::GetRegisterAccountStatus, Fault::Hang);
        self.machine.must("systemctl start --no-block regwatch").await;
        let status =
            self.machine.until("StatusText", "starting", |text| text.starts_with("starting; ")).await;
        assert_eq!(status, "starting; 1 target: 1 unknown");
        let mut while_not_ready = 0;
        loop {
            // In this order, so that what is not ready now was not ready then.
            let state = self.machine.property("ActiveState").await;
            if self.ready().await != Some(503) {
                break;
            }
            assert_eq!(state, "activating");
            while_not_ready += 1;
        }
        assert!(while_not_ready > 0, "it was never seen on its way");
        self.until_active().await;
        assert_eq!(self.ready().await, Some(200));
        self.aws.control.clear_fault(id(1), Operation::GetRegisterAccountStatus);
        self.machine.until("StatusText", "well", |text| text == "1 target: 1 well").await;
        let page = Page::of(&self.client, &self.url).await;
        assert!(page.value("process_start_time_seconds").is_some_and(|start| start > 1e9), "{}", page.0);
    }

    async fn it_reads_its_credentials_and_nobody_else_does(&mut self) {
        // That AWS answers says that the key was read.
        let heard = self.receiver.until(1).await;
        assert_eq!(heard[0].header("authorization"), SECRET);
        let said = self.machine.run(&as_service("cat /etc/regwatch/authorization /etc/regwatch/aws")).await;
        assert!(said.status != 0 && !said.text.contains("secret"), "{said:?}");
        let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups \
                      cat /run/credentials/regwatch.service/authorization /var/lib/regwatch/regwatch.db";
        let said = self.machine.run(nobody).await;
        assert!(said.status != 0 && !said.text.contains("secret"), "{said:?}");
        let log = self.machine.must("journalctl --output=cat --unit=regwatch").await;
        assert!(log.contains("listening for HTTP") && !log.contains("a-secret-of"), "{log}");
    }

    async fn it_can_write_to_its_state_and_nowhere_else(&mut self) {
        let find =
            "find / -path /proc -prune -o '(' -type d -o -type f ')' -writable -print 2>/dev/null || true";
        let said = self.machine.must(&as_service(find)).await;
        let places: BTreeSet<_> = said.lines().collect();
        assert!(places.contains("/var/lib/private/regwatch/regwatch.db"), "{places:?}");
        let mut elsewhere = places.iter().filter(|place| !place.starts_with("/var/lib/private/regwatch"));
        assert_eq!(elsewhere.next(), None);
        self.machine.must("touch /tmp/of-others").await;
        assert_eq!(self.machine.must(&as_service("ls -A /tmp /var/tmp")).await.trim(), "/tmp:\n\n/var/tmp:");
        let status =
            self.machine.must("cat /proc/$(systemctl show --value --property=MainPID regwatch)/status").await;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
            line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
        };
        for capabilities in ["CapBnd", "CapEff", "CapPrm", "CapAmb"] {
            assert_eq!(field(capabilities), "0000000000000000", "{capabilities}");
        }
        assert_eq!((field("NoNewPrivs"), field("Seccomp")), ("1".to_owned(), "2".to_owned()));
        assert!(!field("Uid").starts_with("0\t"), "{status}");
    }

    async fn it_reads_its_configuration_anew(&mut self) {
        let process = self.machine.property("MainPID").await;
        self.configure(2).await;
        self.machine.must("systemctl reload regwatch").await;
        self.machine.until("StatusText", "of two", |text| text == "2 targets: 2 well").await;
        self.machine.configure(&format!("polling: {{intervall: 1s}}\n{}", identities())).await;
        self.machine.must("systemctl reload regwatch").await;
        let refused = "2 targets: 2 well; the last change of the configuration was refused";
        self.machine.until("StatusText", "a refusal", |text| text == refused).await;
        let log = self.machine.must("journalctl --output=cat --unit=regwatch --priority=err").await;
        assert!(log.contains(MISTAKE), "{log}");
        self.configure(2).await;
        self.machine.must("systemctl reload regwatch").await;
        self.machine.until("StatusText", "of two", |text| text == "2 targets: 2 well").await;
        assert_eq!(self.machine.property("MainPID").await, process);
        self.until_active().await;
    }

    /// AWS says nothing meanwhile, so whatever it knows afterwards it knew before.
    async fn it_comes_back_from_being_killed_with_what_it_knew(&mut self) {
        let page = self.until("it knows of two", |page| page.sum("regwatch_target_up") == 2.0).await;
        let since = page.value(SINCE).expect("it is known");
        let first_seen = page.count("aws_fleetwise_registration_since_timestamp_seconds");
        self.receiver.until(first_seen).await;
        for number in [1, 2] {
            self.aws.control.set_fault(id(number), Operation::GetRegisterAccountStatus, Fault::Hang);
        }
        let process = self.machine.property("MainPID").await;
        self.machine.must("systemctl kill --kill-whom=main --signal=KILL regwatch").await;
        self.machine.until("NRestarts", "one more", |restarts| restarts == "1").await;
        self.until_active().await;
        assert_ne!(self.machine.property("MainPID").await, process);
        let page = Page::of(&self.client, &self.url).await;
        assert_eq!(page.value(SINCE), Some(since));
        let registered =
            r#"aws_fleetwise_registration_status{resource="account",status="REGISTRATION_SUCCESS"}"#;
        assert_eq!(page.sum(registered), 2.0);
        for number in [1, 2] {
            self.aws.control.clear_fault(id(number), Operation::GetRegisterAccountStatus);
        }
        self.until("both answer again", |page| page.sum("regwatch_target_up") == 2.0).await;
        assert_eq!(self.receiver.requests().len(), first_seen, "nothing is new, and nothing is told twice");
    }

    async fn it_is_started_anew_when_it_stands_still(&mut self) {
        let process = self.machine.property("MainPID").await;
        self.machine.must("systemctl kill --kill-whom=main --signal=STOP regwatch").await;
        self.machine.until("NRestarts", "two", |restarts| restarts == "2").await;
        self.until_active().await;
        assert_ne!(self.machine.property("MainPID").await, process);
        let log = self.machine.must("journalctl --output=cat --unit=regwatch").await;
        assert!(log.contains("Watchdog timeout") && log.contains("result 'watchdog'"), "{log}");
        self.until("both answer", |page| page.sum("regwatch_target_up") == 2.0).await;
    }

    async fn it_is_not_started_again_while_its_configuration_is_wrong(&mut self) {
        self.machine.configure(&format!("polling: {{intervall: 1s}}\n{}", identities())).await;
        let said = self.machine.run("systemctl restart regwatch").await;
        assert_ne!(said.status, 0, "{said:?}");
        // One that is to be started again would be `activating (auto-restart)`.
        for (name, expected) in [
            ("ActiveState", "failed"),
            ("SubState", "failed"),
            ("Result", "exit-code"),
            ("ExecMainStatus", "78"),
            ("NRestarts", "0"),
        ] {
            assert_eq!(self.machine.property(name).await, expected, "{name}");
        }
        self.configure(2).await;
        self.machine.must("systemctl start regwatch").await;
        assert_eq!(self.ready().await, Some(200));
    }

    async fn it_ends_in_order(&mut self) {
        self.machine.must("systemctl stop regwatch").await;
        assert_eq!(self.machine.property("ActiveState").await, "inactive");
        assert_eq!(self.machine.property("Result").await, "success");
        let log = self.machine.must("journalctl --output=cat --unit=regwatch").await;
        assert!(log.contains("ended in order"), "{log}");
        let said = self.machine.must("ls -A /run/credentials /tmp /var/tmp").await;
        assert!(!said.contains("regwatch"), "nothing is left but its state: {said}");
    }
}

/// A script that does this as the service would, in its file system and as its user.
fn as_service(script: &str) -> String {
    format!(
        "process=$(systemctl show --value --property=MainPID regwatch)
user=$(stat --format=%u /proc/$process)
nsenter --target=$process --mount -- setpriv --reuid=$user --regid=$user --clear-groups bash -c {}",
        shell_word(script)
    )
}

fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
