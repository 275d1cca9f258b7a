//! What is wrong with a configuration, and where: collected as the file is read, reported in one go.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file can be read, but what it says does not hold together.
    #[error(transparent)]
    Invalid(#[from] ConfigErrors),
}

/// Every mistake of one configuration file; its text has one line for each, as compilers write them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Lines(self))]
pub struct ConfigErrors {
    /// The name of the file.
    pub file: Arc<str>,
    /// The mistakes in the order of the file; at least one.
    pub mistakes: Vec<Mistake>,
    /// What is doubtful besides, in the order of the file; not part of the text.
    pub warnings: Vec<Warning>,
}

/// One thing that is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong there; a semicolon or colon; what would be right. One line, free of secrets.
    pub message: String,
}

/// One thing that is doubtful, but holds together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The name of the file.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is doubtful there. One line, free of secrets.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: warning: {}", self.file, self.line, self.column, self.message)
    }
}

struct Lines<'a>(&'a ConfigErrors);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConfigErrors { file, mistakes, .. } = self.0;
        for (index, Mistake { line, column, message }) in mistakes.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{file}:{line}:{column}: {message}")?;
        }
        Ok(())
    }
}

/// A place in the file: line and column in characters, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// Where a file begins.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    mistakes: Vec<(Place, String)>,
    warnings: Vec<(Place, String)>,
}

impl Report {
    /// Notes a mistake.
    pub(super) fn mistake(&mut self, at: Place, message: impl Into<String>) {
        self.mistakes.push((at, message.into()));
    }

    /// Notes a doubt.
    pub(super) fn warning(&mut self, at: Place, message: impl Into<String>) {
        self.warnings.push((at, message.into()));
    }

    /// Whether nothing wrong has been found so far.
    pub(super) fn is_clean(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// What was read, unless there is a mistake; with the doubts.
    ///
    /// # Panics
    /// If nothing was read and nobody said why.
    pub(super) fn finish<T>(self, file: &str, read: Option<T>) -> Result<(T, Vec<Warning>), ConfigErrors> {
        let file: Arc<str> = file.into();
        let warnings = in_order(self.warnings)
            .map(|(Place { line, column }, message)| Warning { file: file.clone(), line, column, message })
            .collect();
        let mistakes: Vec<_> = in_order(self.mistakes)
            .map(|(Place { line, column }, message)| Mistake { line, column, message })
            .collect();
        if mistakes.is_empty() {
            Ok((read.expect("a file without a mistake is read in full"), warnings))
        } else {
            Err(ConfigErrors { file, mistakes, warnings })
        }
    }
}

/// In the order of the file, and once each: what an anchor holds is read again at each of its aliases.
fn in_order(mut found: Vec<(Place, String)>) -> impl Iterator<Item = (Place, String)> {
    found.sort();
    found.dedup();
    found.into_iter()
}
