//! Standard output: rows for people, or JSON for programs.

use std::io::{self, BufWriter, Stdout, Write};

use serde_json::Value;

use super::Format;
use super::table::Table;
use crate::cli::terminal::Look;

/// Where events are written.
#[derive(Debug)]
pub(super) struct Output {
    stdout: BufWriter<Stdout>,
    /// `None` for JSON.
    table: Option<Table>,
}

impl Output {
    /// Standard output, whatever it is.
    pub(super) fn to_stdout(format: Format) -> Self {
        let stdout = io::stdout();
        let table = (format == Format::Table).then(|| Table::new(Look::of(&stdout)));
        Self { stdout: BufWriter::new(stdout), table }
    }

    /// Writes some events, to the last byte.
    pub(super) fn write(&mut self, events: &[Value]) -> io::Result<()> {
        match &mut self.table {
            Some(table) => self.stdout.write_all(table.rows(events).as_bytes())?,
            None => {
                for event in events {
                    writeln!(self.stdout, "{event}")?;
                }
            }
        }
        self.stdout.flush()
    }
}
