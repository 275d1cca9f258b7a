//! `regwatch store copy`: a store moved over to another place.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::run::block_on;
use crate::cli::terminal::{is_dumb, print};
use crate::config;
use crate::store::{self, Compared, Copied, CopyError, Progress};

#[derive(Debug, Args)]
pub(in crate::cli) struct Copy {
    /// What is copied: a file of SQLite, or a configuration (.yaml, .yml) whose `store` is meant
    #[arg(long)]
    from: PathBuf,

    /// Where it is copied to: the same
    #[arg(long)]
    to: PathBuf,
}

impl Copy {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let (from, to) = crate::cli::both(meant(&self.from), meant(&self.to), |wrong| eprintln!("{wrong}"))?;
        let bar = bar();
        let copied = block_on(async {
            let copied = store::copy(&from, &to, |progress| show(&bar, progress)).await;
            bar.finish_and_clear();
            match copied {
                Ok(copied) => print(told(&copied).as_bytes()),
                Err(CopyError::Differs { tables }) => {
                    print(table(&tables).as_bytes())?;
                    Err(CopyError::Differs { tables }.into())
                }
                Err(error) => Err(error.into()),
            }
        });
        bar.finish_and_clear();
        copied
    }
}

/// The store that a name means.
fn meant(path: &Path) -> anyhow::Result<config::Store> {
    let is_configuration = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    if !is_configuration {
        return Ok(config::Store { path: Some(path.to_owned()), ..config::Store::default() });
    }
    let store = crate::cli::load(path)?.store;
    if !store.outlives_the_process() {
        bail!("{} names no file or database in `store`", path.display());
    }
    Ok(store)
}

/// A bar on standard error. It is not there where nobody watches it grow.
fn bar() -> ProgressBar {
    let is_watched = std::io::stderr().is_terminal() && !is_dumb();
    let target = if is_watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {msg}");
    let style = style.expect("the template is a constant").progress_chars("=> ");
    ProgressBar::with_draw_target(Some(0), target).with_style(style)
}

fn show(bar: &ProgressBar, Progress { doing, table, done, of }: Progress) {
    bar.set_length(of);
    bar.set_position(done);
    bar.set_message(format!("{doing} {table}"));
}

/// What there is to tell of a copy.
fn told(Copied { tables, latest, was_whole }: &Copied) -> String {
    let mut text = table(tables);
    let done = if *was_whole { "It was copied before, and both are the same" } else { "Both are the same" };
    writeln!(text, "\n{done}. The next event has the number {}.", latest + 1).expect("a text takes all");
    text
}

/// A line for each table; where both are not the same, one for each side.
fn table(tables: &[Compared]) -> String {
    let mut text = format!("{:14} {:>10}  SHA-256\n", "", "rows");
    for compared in tables {
        let mut line = |name: &str, content: &store::Content| {
            let checksum: String = content.checksum.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "{name:14} {:>10}  {checksum}", content.rows).expect("a text takes all");
        };
        line(compared.table, &compared.from);
        if compared.differs() {
            line("  in the copy", &compared.to);
        }
    }
    text
}
