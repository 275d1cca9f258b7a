//! A replica as a process, and what may happen to it.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use crate::harness::KEY;
use crate::postgres::server::Server;
use crate::program::Program;
use crate::proxy::Proxy;

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
    /// The connections are cut while the database has none left for new ones, for longer than a lease.
    Full,
}

impl Fault {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::Kill,
        Self::Stop,
        Self::Terminate,
        Self::Cut,
        Self::Stall,
        Self::Slow,
        Self::Restart,
        Self::Full,
    ];
}

/// A replica at work.
pub(super) struct Replica {
    name: String,
    aws: String,
    /// Its way to the database.
    pub(super) proxy: Proxy,
    folder: TempDir,
    program: Option<Program>,
}

impl Replica {
    /// Starts one, and waits until it listens.
    pub(super) async fn start(
        number: usize,
        aws: &str,
        server: &Server,
        config: impl FnOnce(&str, &str) -> String,
    ) -> Self {
        let mut replica = Self::new(number, aws, server, config).await;
        replica.up().await;
        replica
    }

    /// One that is not started yet.
    pub(super) async fn new(
        number: usize,
        aws: &str,
        server: &Server,
        config: impl FnOnce(&str, &str) -> String,
    ) -> Self {
        let proxy = Proxy::to(server.port).await;
        let folder = tempfile::tempdir().expect("a folder");
        let url_file = folder.path().join("url");
        let url = format!("postgres://owner@{}/postgres", proxy.address);
        std::fs::write(&url_file, url).expect("it can be written");
        let name = format!("replica-{number}");
        let yaml = config(&url_file.display().to_string(), &name);
        std::fs::write(folder.path().join("config.yaml"), yaml).expect("it can be written");
        Self { name, aws: aws.to_owned(), proxy, folder, program: None }
    }

    /// Starts it again.
    pub(super) async fn up(&mut self) {
        self.program = Some(Program::start(&mut self.command(), "listening for HTTP").await);
    }

    /// Starts it while the database cannot be reached, and lets it through when it has tried twice. What it
    /// says.
    pub(super) async fn up_before_the_database(&mut self) -> String {
        self.proxy.close();
        let mut command = self.command();
        let (program, ()) = tokio::join!(Program::start(&mut command, "listening for HTTP"), async {
            self.proxy.has_turned_away(2).await;
            self.proxy.open();
        });
        let log = program.log();
        self.program = Some(program);
        log
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regwatch"));
        command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_REGION", "us-east-1");
        command.env("AWS_ENDPOINT_URL", &self.aws).env("AWS_SDK_UA_APP_ID", &self.name);
        command.env("AWS_ACCESS_KEY_ID", KEY.0).env("AWS_SECRET_ACCESS_KEY", KEY.1);
        command.args(["run", "--web.listen-address", "127.0.0.1:0", "--config.file"]);
        command.arg(self.folder.path().join("config.yaml"));
        command
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
                self.end().await;
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
                sleep(lease.mul_f64(random.f64() * 2.0)).await;
                server.up().await;
            }
            Fault::Full => {
                let taken = server.fill().await;
                self.proxy.cut();
                // What the others part from meanwhile is taken as well.
                let more = server.fill().await;
                sleep(longer).await;
                drop((taken, more));
            }
        }
    }

    /// Asks it to end, and waits until it has, in order.
    pub(super) async fn end(&mut self) {
        self.signal("TERM");
        let mut program = self.program.take().expect("it runs");
        let status = program.ended().await;
        assert!(status.success(), "{status}:\n{}", program.log());
    }

    /// Where it serves.
    pub(super) fn url(&self) -> &str {
        &self.program.as_ref().expect("it runs").url
    }

    /// Waits until it is well.
    pub(super) async fn recover(&mut self) {
        self.proxy.open();
        let program = self.program.as_mut().expect("it runs");
        assert!(!program.has_ended(), "{} has ended by itself:\n{}", self.name, program.log());
    }

    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn signal(&self, name: &str) {
        let id = self.program.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill is everywhere");
        assert!(sent.success());
    }
}
