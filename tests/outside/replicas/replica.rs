//! A replica as a process, and what may happen to it.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::harness::KEY;
use crate::postgres::server::Server;
use crate::program::Program;
use crate::proxy::Proxy;

/// The longest that a start may take, all tries together.
const PATIENCE: Duration = Duration::from_secs(90);

/// What happens to a replica, or to the database of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGKILL, and a new start.
    Kill,
    /// SIGSTOP for longer than a lease, then SIGCONT.
    Stop,
    /// SIGTERM, an ordered end, and a new start.
    Terminate,
    /// Each connection to the database is cut, and new ones are let through.
    Cut,
    /// No byte passes to the database or back for longer than a lease.
    Stall,
    /// Each packet to the database and back takes a while.
    Slow,
    /// The database crashes and comes back.
    Restart,
}

impl Fault {
    /// All of them.
    pub(super) const ALL: [Self; 7] =
        [Self::Kill, Self::Stop, Self::Terminate, Self::Cut, Self::Stall, Self::Slow, Self::Restart];
}

/// A replica at work.
pub(super) struct Replica {
    name: String,
    aws: String,
    proxy: Proxy,
    folder: TempDir,
    program: Option<Program>,
}

impl Replica {
    /// Starts one, and waits until it listens.
    pub(super) async fn start(
        number: usize,
        aws: &str,
        server: &Server,
        config: impl FnOnce(&str) -> String,
    ) -> Self {
        let proxy = Proxy::to(server.port).await;
        let folder = tempfile::tempdir().expect("a folder");
        let url_file = folder.path().join("url");
        let url = format!("postgres://owner@{}/postgres", proxy.address);
        std::fs::write(&url_file, url).expect("it can be written");
        let yaml = config(&url_file.display().to_string());
        std::fs::write(folder.path().join("config.yaml"), yaml).expect("it can be written");
        let name = format!("replica-{number}");
        let mut replica = Self { name, aws: aws.to_owned(), proxy, folder, program: None };
        replica.up().await;
        replica
    }

    async fn up(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regwatch"));
        command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_REGION", "us-east-1");
        command.env("AWS_ENDPOINT_URL", &self.aws).env("AWS_SDK_UA_APP_ID", &self.name);
        command.env("AWS_ACCESS_KEY_ID", KEY.0).env("AWS_SECRET_ACCESS_KEY", KEY.1);
        command.args(["run", "--web.listen-address", "127.0.0.1:0", "--config.file"]);
        command.arg(self.folder.path().join("config.yaml"));
        // As a service manager does it: while the database cannot be reached, a start fails.
        let began = Instant::now();
        self.program = loop {
            match Program::try_start(&mut command, "listening for HTTP").await {
                Ok(program) => break Some(program),
                Err(program) => {
                    assert!(began.elapsed() < PATIENCE, "{} does not start:\n{}", self.name, program.log())
                }
            }
            sleep(Duration::from_millis(200)).await;
        };
    }

    /// Lets something happen to it.
    pub(super) async fn suffer(
        &mut self,
        fault: Fault,
        server: &Server,
        lease: Duration,
        random: &mut fastrand::Rng,
    ) {
        let longer = lease + Duration::from_millis(random.u64(..3000));
        match fault {
            Fault::Kill => {
                self.program = None;
                self.up().await;
            }
            Fault::Stop => {
                self.signal("STOP");
                sleep(longer).await;
                self.signal("CONT");
            }
            Fault::Terminate => {
                self.signal("TERM");
                let mut program = self.program.take().expect("it runs");
                let status = program.ended().await;
                assert!(status.success(), "{status}:\n{}", program.log());
                self.up().await;
            }
            Fault::Cut => self.proxy.cut(),
            Fault::Stall => {
                self.proxy.stall();
                sleep(longer).await;
                self.proxy.open();
            }
            Fault::Slow => {
                self.proxy.delay(Duration::from_millis(random.u64(50..400)));
                sleep(longer).await;
                self.proxy.open();
            }
            Fault::Restart => {
                server.down();
                sleep(Duration::from_millis(random.u64(..2 * 6000))).await;
                server.up().await;
            }
        }
    }

    /// Waits until it is well.
    pub(super) async fn recover(&mut self) {
        self.proxy.open();
        let program = self.program.as_mut().expect("it runs");
        assert!(!program.has_ended(), "{} has ended by itself:\n{}", self.name, program.log());
    }

    fn signal(&self, name: &str) {
        let id = self.program.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill is everywhere");
        assert!(sent.success());
    }
}
