//! A server of PostgreSQL for the tests alone: run by a user without rights, on a port that was free, gone
//! with its last test.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use regwatch::config;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// The longest that the server may take for anything, on a machine that stands still for seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// Who runs the server where the tests are run by root, whom it refuses.
const USER: &str = "postgres";

/// Who has all rights in the database, and needs no password.
pub(crate) const OWNER: &str = "owner";

/// What tests add to the settings.
const SETTINGS: &str = "fsync = off\nautovacuum = on\nlisten_addresses = '127.0.0.1'\nlog_connections = off\n\
                        unix_socket_permissions = 0777\nlc_messages = 'C'\n";

/// A server at work.
pub(crate) struct Server {
    folder: TempDir,
    pub(crate) port: u16,
    child: Mutex<Option<Child>>,
    /// How many names it has given.
    names: AtomicU32,
}

impl Server {
    /// The one that tests share which leave it as it is.
    pub(crate) async fn shared() -> Arc<Self> {
        static SHARED: tokio::sync::Mutex<Weak<Server>> = tokio::sync::Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start("").await);
        *shared = Arc::downgrade(&server);
        server
    }

    /// One of a test's own, with settings besides those of all.
    pub(crate) async fn start(settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("regwatch-pg-").tempdir().expect("a folder");
        own(folder.path());
        let port = free_port();
        let server = Self { folder, port, child: Mutex::default(), names: AtomicU32::new(0) };
        let data = server.data();
        let made = Self::tool("initdb")
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username=owner", "-D"])
            .arg(&data)
            .output()
            .expect("initdb is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // One alone needs a password.
        server.write(
            "data/pg_hba.conf",
            "host all keeper_secret 127.0.0.1/32 scram-sha-256\n\
             host all all 127.0.0.0/8 trust\nlocal all all trust\n",
        );
        server.configure(settings);
        server.up().await;
        server
    }

    /// Sets what comes besides the settings of all, from the next start on.
    pub(crate) fn configure(&self, settings: &str) {
        let all = format!(
            "{SETTINGS}port = {}\nunix_socket_directories = '{}'\n{settings}",
            self.port,
            self.folder.path().display()
        );
        self.write("data/postgresql.auto.conf", &all);
    }

    /// Writes a file beside the data, or in it, which only the server may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is there");
        own(&path);
        path
    }

    /// Starts it, and waits until it answers.
    pub(crate) async fn up(&self) {
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log"));
        let log = log.expect("it can be written");
        let child = Self::tool("postgres")
            .arg("-D")
            .arg(self.data())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("postgres is there");
        *self.child.lock().expect("nobody panicked") = Some(child);
        let began = Instant::now();
        let is_ready = || {
            let tool =
                Self::tool("pg_isready").args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).output();
            tool.expect("pg_isready is there").status.success()
        };
        while !is_ready() {
            assert!(began.elapsed() < PATIENCE, "it does not start:\n{}", self.log());
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn down(&self) {
        if let Some(mut child) = self.child.lock().expect("nobody panicked").take() {
            let stop = Self::tool("pg_ctl").args(["stop", "-m", "immediate", "-D"]).arg(self.data()).output();
            assert!(stop.is_ok(), "pg_ctl is there");
            child.wait().expect("it is a child");
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder of its socket.
    pub(crate) fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// One of its programs, run by who may.
    fn tool(name: &str) -> Command {
        Self::unprivileged(&installed(name))
    }

    /// A program that root may not run, run by who may.
    pub(crate) fn unprivileged(path: &Path) -> Command {
        if !is_root() {
            return Command::new(path);
        }
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups"]).arg(path);
        command.current_dir("/");
        command
    }

    /// A name that nothing else on it has.
    pub(crate) fn name(&self, prefix: &str) -> String {
        format!("{prefix}_{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// Settings of a store in a schema, reached at a port as a user.
    pub(crate) fn settings_at(&self, port: u16, user: &str, schema: &str) -> config::Postgres {
        self.settings(&format!("postgres://{user}@127.0.0.1:{port}/postgres"), schema)
    }

    /// Settings of a store in a schema, with the URL.
    pub(crate) fn settings(&self, url: &str, schema: &str) -> config::Postgres {
        let url_file = self.folder.path().join(self.name("url"));
        fs::write(&url_file, format!("{url}\n")).expect("it can be written");
        config::Postgres {
            url_file,
            schema: schema.to_owned(),
            pool: 3,
            tls: None,
            ca_file: None,
            shards: 16,
            lease: Duration::from_secs(30),
            replica: None,
        }
    }

    /// A connection with all rights.
    pub(crate) async fn connect(&self) -> PgConnection {
        self.try_connect().await.expect("it answers")
    }

    async fn try_connect(&self) -> sqlx::Result<PgConnection> {
        let options = PgConnectOptions::new_without_pgpass().socket(self.socket()).port(self.port);
        options.username(OWNER).database("postgres").disable_statement_logging().connect().await
    }

    /// Takes all connections that are left, for as long as what it returns is kept.
    pub(crate) async fn fill(&self) -> Vec<PgConnection> {
        let mut taken = Vec::new();
        while let Ok(connection) = self.try_connect().await {
            taken.push(connection);
        }
        taken
    }

    /// Runs statements with all rights.
    pub(crate) async fn run(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("a test's own SQL");
        connection.close().await.expect("it answers");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}

/// Gives a file to who runs the server.
fn own(path: &Path) {
    if is_root() {
        let id = |flag| {
            let output = Command::new("id").args([flag, USER]).output().expect("id is there");
            String::from_utf8_lossy(&output.stdout).trim().parse().expect("the user exists")
        };
        chown(path, Some(id("-u")), Some(id("-g"))).expect("root may");
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id is there");
    output.stdout.starts_with(b"0\n")
}

/// Where Debian keeps the programs of the newest release that is there; elsewhere they are on the path.
fn installed(name: &str) -> PathBuf {
    let releases = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let programs = releases.map(|release| release.path().join("bin").join(name));
    let newest = programs.filter(|program| program.exists()).max_by_key(|program| {
        let release = program.iter().nth(4).and_then(|release| release.to_str()).map(str::parse::<u32>);
        release.and_then(Result::ok)
    });
    newest.unwrap_or_else(|| name.into())
}

pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
