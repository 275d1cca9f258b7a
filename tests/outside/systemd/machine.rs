//! A machine of its own in which systemd has booted, with the Debian package installed on top of the host's
//! `/usr`, and everything else empty. It shares the network, so that a simulated AWS outside is reached.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long a condition may take to come true, among them a watchdog that waits for 20 s.
const PATIENCE: Duration = Duration::from_secs(120);

/// What runs first in the machine; the last argument is for those outside who look for it.
const AGENT: &str = "[Unit]
After=basic.target
[Service]
ExecStart=/bin/bash /shared/agent.sh NAME
";

/// A machine at work. It is gone with the test, however that ends.
pub(super) struct Machine {
    name: String,
    host: Child,
    /// What both sides see.
    shared: TempDir,
    /// What is installed.
    _installed: TempDir,
    turn: usize,
}

/// What a script in the machine said, and its exit status.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: i32,
    pub(super) text: String,
}

impl Machine {
    /// Boots one.
    pub(super) async fn boot(package: &Path) -> Self {
        let [shared, installed] = std::array::from_fn(|_| tempfile::tempdir().expect("a temporary folder"));
        let unpacked = Command::new("dpkg-deb").arg("--extract").args([package, installed.path()]).status();
        assert!(unpacked.expect("tests/run has installed it").success());
        let usr = installed.path().join("usr");
        let put = |path: PathBuf, text: &str| fs::write(path, text).expect("it can be written");
        let name = format!("regwatch-{}", std::process::id());
        put(usr.join("lib/systemd/system/agent.service"), &AGENT.replace("NAME", &name));
        put(shared.path().join("agent.sh"), include_str!("agent.sh"));

        let mut command = as_root("bash");
        command.args(["-c", include_str!("host.sh"), "host.sh", &name]);
        command.args(["--register=no", "--keep-unit", "--directory=/", "--volatile=yes", "--boot"]);
        command.args(["--console=pipe", "--quiet", "--bind-ro=/etc/ssl"]);
        command.arg(format!("--overlay-ro=/usr:{}:/usr", usr.display()));
        command.arg(format!("--bind={}:/shared", shared.path().display()));
        command.arg("systemd.unit=agent.service");
        let console = File::create(shared.path().join("console")).expect("it can be written");
        let end = || console.try_clone().expect("a file can be shared");
        command.stdin(Stdio::piped()).stdout(end()).stderr(end());
        let host = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut machine = Self { name, host, shared, _installed: installed, turn: 0 };
        machine.run("systemctl is-system-running --wait || true").await;
        machine
    }

    /// Runs a script of bash in the machine.
    pub(super) async fn run(&mut self, script: &str) -> Said {
        self.turn += 1;
        let path = |ending: &str| self.shared.path().join(format!("{}{ending}", self.turn));
        fs::write(path(".script"), script).expect("it can be written");
        fs::rename(path(".script"), path("")).expect("it can be renamed");
        let began = Instant::now();
        while !path(".ended").exists() {
            let console = || fs::read_to_string(self.shared.path().join("console")).unwrap_or_default();
            let ended = self.host.try_wait().expect("it is a child");
            assert!(ended.is_none(), "the machine has ended, {ended:?}:\n{}", console());
            assert!(began.elapsed() < PATIENCE, "{script}\nnever ended:\n{}", console());
            sleep(Duration::from_millis(20)).await;
        }
        let read = |ending: &str| fs::read_to_string(path(ending)).expect("it was written before");
        let status = read(".ended").trim().parse().expect("an exit status");
        Said { status, text: read(".said").trim().to_owned() }
    }

    /// The same, of a script that has to succeed.
    pub(super) async fn must(&mut self, script: &str) -> String {
        let Said { status, text } = self.run(script).await;
        assert_eq!(status, 0, "{script}\n{text}");
        text
    }

    /// What systemd says of the service.
    pub(super) async fn property(&mut self, name: &str) -> String {
        self.must(&format!("systemctl show --value --property={name} regwatch")).await
    }

    /// Waits until a property of the service is as described.
    pub(super) async fn until(
        &mut self,
        name: &str,
        described: &str,
        is_so: impl Fn(&str) -> bool,
    ) -> String {
        let began = Instant::now();
        loop {
            let value = self.property(name).await;
            if is_so(&value) {
                return value;
            }
            if began.elapsed() > PATIENCE {
                let status = self.run("systemctl status --full --lines=50 regwatch").await.text;
                panic!("{name} was never {described}, but {value:?}:\n{status}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Writes the configuration of the service.
    pub(super) async fn configure(&mut self, text: &str) {
        fs::write(self.shared.path().join("config.yaml"), text).expect("it can be written");
        self.must("cp /shared/config.yaml /etc/regwatch/config.yaml; chmod 644 /etc/regwatch/config.yaml")
            .await;
    }
}

impl Machine {
    /// Ends it, and looks whether anything of it is left.
    pub(super) fn end(self) {
        let name = self.name.clone();
        drop(self);
        let processes = Command::new("ps").args(["-e", "-o", "args"]).output().expect("ps is everywhere");
        let processes = String::from_utf8_lossy(&processes.stdout);
        let left: Vec<_> = processes.lines().filter(|line| line.contains(&name)).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With the pipe the machine ends, and with that its host; it may have ended before.
        drop(self.host.stdin.take());
        let _ = self.host.wait();
    }
}

/// A command that runs as root: containers need it.
fn as_root(program: &str) -> Command {
    let id = Command::new("id").arg("-u").output().expect("id is everywhere");
    if id.stdout == b"0\n" {
        return Command::new(program);
    }
    let sudo = Command::new("sudo").args(["--non-interactive", "true"]).output();
    let may = sudo.is_ok_and(|sudo| sudo.status.success());
    assert!(may, "systemd boots in a container, which takes root, or sudo without a password");
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", program]);
    command
}
