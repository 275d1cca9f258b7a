//! The tables as whoever copies them sees them: the same names and columns in every engine, all of them texts
//! and whole numbers.
//!
//! What is an engine's own is not among them: who holds which lease, and which write touched what.

use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::row::Cells;

/// A table of every engine.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// What names a row, in the order in which rows are read.
    pub(super) key: &'static [Column],
    /// Its other columns.
    pub(super) rest: &'static [Column],
}

/// A column, and what is in it besides NULL.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    Text(&'static str),
    Number(&'static str),
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Text(Option<String>),
    Number(Option<i64>),
}

use Column::{Number, Text};

/// What names a target.
const TARGET: &[Column] = &[Text("account"), Text("probe"), Text("region")];

/// All tables, each after those that it refers to.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "targets",
        key: TARGET,
        rest: &[
            Text("details"),
            Text("role_arn"),
            Text("timestream_database"),
            Text("timestream_table"),
            Text("govcloud_account"),
            Number("created_at"),
            Number("modified_at"),
            Number("last_success"),
        ],
    },
    Table {
        name: "resources",
        key: &[Text("account"), Text("probe"), Text("region"), Number("position")],
        rest: &[Text("resource"), Text("status"), Text("text"), Text("error_message"), Number("since")],
    },
    Table {
        name: "events",
        key: &[Number("sequence")],
        rest: &[
            Text("id"),
            Text("account"),
            Text("account_name"),
            Text("labels"),
            Text("probe"),
            Text("region"),
            Text("kind"),
            Text("resource"),
            Text("from_status"),
            Text("to_status"),
            Text("text"),
            Text("error_message"),
            Number("previous_since"),
            Number("observed_at"),
            Number("aws_modified_at"),
            Text("role_arn"),
            Text("timestream_database"),
            Text("timestream_table"),
        ],
    },
    Table { name: "sinks", key: &[Text("name")], rest: &[Number("cursor")] },
    Table { name: "parked", key: &[Text("sink"), Number("sequence")], rest: &[Text("reason")] },
    Table {
        name: "silences",
        key: &[Text("account"), Text("probe"), Text("region"), Number("began")],
        rest: &[Number("ended")],
    },
    Table { name: "organizations", key: &[Text("name")], rest: &[Number("listed_at")] },
    Table {
        name: "members",
        key: &[Text("organization"), Text("account")],
        rest: &[Text("name"), Number("left_at")],
    },
    Table { name: "gates", key: &[Text("scope")], rest: &[Number("until")] },
];

impl Column {
    pub(super) fn name(self) -> &'static str {
        let (Self::Text(name) | Self::Number(name)) = self;
        name
    }
}

impl Table {
    /// All columns, those of the key first.
    pub(super) fn columns(&self) -> impl Iterator<Item = Column> {
        self.key.iter().chain(self.rest).copied()
    }

    /// The names of the columns, as a statement lists them.
    pub(super) fn names(&self) -> String {
        names(self.columns())
    }

    /// The names of what makes up the key.
    pub(super) fn key_names(&self) -> String {
        names(self.key.iter().copied())
    }

    /// A row that an engine has found.
    pub(super) fn row(&self, row: &impl Cells) -> Result<Vec<Cell>, StoreError> {
        self.columns().map(|column| cell(row, column)).collect()
    }

    /// What names a row.
    pub(super) fn key_of<'r>(&self, row: &'r [Cell]) -> &'r [Cell] {
        &row[..self.key.len()]
    }
}

fn names(columns: impl Iterator<Item = Column>) -> String {
    columns.map(Column::name).collect::<Vec<_>>().join(", ")
}

fn cell(row: &impl Cells, column: Column) -> Result<Cell, StoreError> {
    Ok(match column {
        Text(name) => Cell::Text(row.text(name)?.map(std::borrow::Cow::into_owned)),
        Number(name) => Cell::Number(row.number(name)?),
    })
}

/// How many rows there are, and what is in them: equal for equal rows in the same order, whichever engine
/// keeps them.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub(super) rows: u64,
    hash: Sha256,
}

impl Sum {
    /// Takes further rows in. What a value is and how long it is comes before it, so that no two rows look
    /// the same.
    pub(super) fn add(&mut self, rows: &[Vec<Cell>]) {
        for cell in rows.iter().flatten() {
            match cell {
                Cell::Text(None) | Cell::Number(None) => self.hash.update([0]),
                Cell::Text(Some(text)) => {
                    self.hash.update([1]);
                    self.hash.update((text.len() as u64).to_be_bytes());
                    self.hash.update(text);
                }
                Cell::Number(Some(number)) => {
                    self.hash.update([2]);
                    self.hash.update(number.to_be_bytes());
                }
            }
        }
        self.rows += rows.len() as u64;
    }

    pub(super) fn checksum(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}
