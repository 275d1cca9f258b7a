//! A run of a script, from its first process to its last.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};

use super::aws::Aws;
use super::judge::{self, Pages};
use super::ledger::Paper;
use super::life::Life;
use super::script::{Deed, Edit, Script, dice};
use super::settings::Settings;

/// What came of a seed.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What was broken of what regwatch promises.
    pub(crate) breaches: Vec<String>,
    /// What tells it apart from another run.
    pub(crate) trace: u64,
    /// How much happened.
    pub(crate) calls: usize,
    pub(crate) events: usize,
    pub(crate) days: f64,
}

struct World {
    script: Arc<Script>,
    aws: Aws,
    paper: Paper,
    settings: Settings,
    life: Option<Life>,
    lives: u64,
    edits: u64,
    pages: Pages,
    breaches: Vec<String>,
}

/// Runs a seed.
pub(crate) fn run(seed: u64) -> Verdict {
    // What draws a generator of its own does so from the thread's.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing");
    runtime.block_on(async { World::new(seed).run().await })
}

impl World {
    fn new(seed: u64) -> Self {
        let script = Arc::new(Script::new(seed));
        Self {
            aws: Aws::new(Arc::clone(&script)),
            paper: Paper::new(Arc::clone(&script)),
            settings: script.settings.clone(),
            script,
            life: None,
            lives: 0,
            edits: 0,
            pages: Pages::default(),
            breaches: Vec::new(),
        }
    }

    async fn run(mut self) -> Verdict {
        let (began, script) = (Instant::now(), Arc::clone(&self.script));
        self.begin().await;
        for &(at, deed) in &script.deeds {
            sleep_until(began + Duration::from_millis(at)).await;
            self.perform(deed).await;
        }
        sleep_until(began + Duration::from_millis(script.span)).await;
        self.look();
        self.end(false).await;
        self.verdict()
    }

    async fn perform(&mut self, deed: Deed) {
        match deed {
            Deed::Restart { killed, after } => {
                self.look();
                self.end(killed).await;
                sleep(Duration::from_millis(after)).await;
                if dice(self.script.seed, "other", self.lives).bool() {
                    self.edit(Edit::Anything);
                }
                self.begin().await;
            }
            Deed::Reload { takes, edit } => {
                self.edit(edit);
                let life = self.life.as_mut().expect("a process runs");
                let left = life.reload(&self.settings, takes).await;
                self.breaches
                    .extend(left.into_iter().map(|what| format!("still there after a reload: {what}")));
                sleep(Duration::from_millis(200)).await;
                self.look();
            }
            Deed::Suspend(time) => self.aws.sky().suspend(time),
            Deed::Step(by) => self.aws.sky().step(by),
            Deed::Look => self.look(),
        }
    }

    fn edit(&mut self, edit: Edit) {
        self.edits += 1;
        self.script.edit(&mut self.settings, edit, self.edits);
    }

    async fn begin(&mut self) {
        self.lives += 1;
        let seed = dice(self.script.seed, "life", self.lives).u64(..);
        self.life = Some(Life::begin(&self.aws, &self.paper, &self.settings, seed).await);
    }

    async fn end(&mut self, killed: bool) {
        let life = self.life.take().expect("a process runs");
        let (trouble, remains) = life.end(killed).await;
        self.breaches.extend(trouble);
        self.breaches
            .extend(remains.left().into_iter().map(|what| format!("still there after the end: {what}")));
    }

    /// Looks at what can be seen while the process runs.
    fn look(&mut self) {
        let life = self.life.as_mut().expect("a process runs");
        self.breaches.extend(life.trouble());
        let page = life.page();
        let sky = &*self.aws.sky();
        let now: (_, Timestamp) = (sky.now(), sky.wall(Instant::now()));
        let reading = |target, stage| sky.reading(target, stage).clone();
        self.breaches.extend(self.pages.judge(&self.script, &sky.journal, &sky.names, now, &reading, &page));
    }

    fn verdict(mut self) -> Verdict {
        let (sky, kept) = (&*self.aws.sky(), &*self.paper.kept());
        let reading = |target, stage| sky.reading(target, stage).clone();
        self.breaches.extend(judge::turns(&sky.journal, &reading));
        self.breaches.extend(judge::changes(&self.script, &sky.journal, &sky.names, &kept.log, &reading));
        self.breaches
            .extend(kept.orphans.iter().map(|key| format!("answered, and without a state: {key:?}")));
        Verdict {
            breaches: self.breaches,
            trace: sky.journal.hash(),
            calls: sky.journal.calls(),
            events: kept.log.len(),
            days: sky.now() as f64 / 86_400_000.0,
        }
    }
}
