//! A page in the making: family after family, row after row.
//!
//! A page may be large: a FleetWise target has some thirty series, so 10,000 targets make 40 MB. Built
//! whole it would hold a runtime thread for a tenth of a second, and each slow reader would hold all
//! of it. So a page is written in pieces, each when the reader has room for it: what a reader holds is
//! a piece and an `Arc` of the snapshot, and between pieces the thread does other work. All pieces are
//! of one snapshot and one moment.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus::{Registry, TextEncoder};

use super::account::{self, LabelColumn};
use super::exposition::{Kind, Lines, head};
use super::organization::{self, OrganizationRow};
use super::scope::{self, ScopeRow};
use super::sink::{self, SinkRow};
use super::target::{self, TargetRow};
use super::{state, store};
use crate::model::{Account, Snapshot, TargetId};
use crate::sink::Progress;
use crate::store::Troubles;

/// A piece is handed out once it has reached this many bytes: large enough that a system call is
/// cheap beside writing it, small enough to be written in about 0.1 ms.
const PIECE: usize = 32 * 1024;

/// Room beyond [`PIECE`] for the row that crosses the mark: the longest usual one, fifteen statuses
/// of 140 bytes, fits.
const LAST_ROW: usize = 4 * 1024;

/// A family that is written from the snapshot.
pub(super) struct Family {
    /// Its name.
    pub(super) name: &'static str,
    /// Its sort.
    pub(super) kind: Kind,
    /// What it means, and its unit.
    pub(super) help: &'static str,
    /// What it is told of, and how.
    pub(super) rows: Rows,
}

/// What a family is told of, and how one row of it, any number of series, is written.
pub(super) enum Rows {
    /// The accounts.
    Account(fn(&mut Lines<'_>, &Account, &[LabelColumn])),
    /// The targets.
    Target(fn(&mut Lines<'_>, &TargetRow<'_>)),
    /// The quota scopes, equal labels made one.
    Scope(fn(&mut Lines<'_>, &ScopeRow)),
    /// The organizations whose accounts are found.
    Organization(fn(&mut Lines<'_>, &OrganizationRow<'_>)),
    /// The sinks.
    Sink(fn(&mut Lines<'_>, &SinkRow<'_>)),
    /// The store, in one row.
    Store(fn(&mut Lines<'_>, &Troubles)),
}

/// What a FleetWise target takes of a page, with its account's and its scope's series.
const BYTES_PER_TARGET: usize = 4_200;

/// The families in the order of the page.
const FAMILIES: [&[Family]; 7] = [
    &state::FAMILIES,
    &account::FAMILIES,
    &target::FAMILIES,
    &organization::FAMILIES,
    &scope::FAMILIES,
    &sink::FAMILIES,
    &store::FAMILIES,
];

/// A metrics page, as an iterator over its pieces; put together they are the page.
#[must_use = "a page is written by iterating over it"]
pub struct Page {
    snapshot: Arc<Snapshot>,
    sinks: Arc<[Arc<Progress>]>,
    troubles: Troubles,
    now: Timestamp,
    label_columns: Vec<LabelColumn>,
    scopes: Vec<ScopeRow>,
    families: std::iter::Flatten<std::array::IntoIter<&'static [Family], { FAMILIES.len() }>>,
    /// The family at hand, and its next row.
    at: Option<(&'static Family, usize)>,
    /// regwatch's own instruments come last.
    registry: Option<Registry>,
}

impl Page {
    pub(super) fn new(
        snapshot: Arc<Snapshot>,
        sinks: Arc<[Arc<Progress>]>,
        troubles: Troubles,
        now: Timestamp,
        registry: Registry,
    ) -> Self {
        Self {
            label_columns: account::label_columns(&snapshot.fleet.accounts),
            scopes: scope::rows(&snapshot),
            snapshot,
            sinks,
            troubles,
            now,
            families: FAMILIES.into_iter().flatten(),
            at: None,
            registry: Some(registry),
        }
    }

    /// The whole of what is left.
    pub(super) fn into_text(mut self) -> String {
        let mut out = String::with_capacity(LAST_ROW + BYTES_PER_TARGET * self.snapshot.targets.len());
        self.fill(&mut out, usize::MAX);
        out
    }

    /// Appends until `out` has `enough` bytes, or the page is complete.
    fn fill(&mut self, out: &mut String, enough: usize) {
        while out.len() < enough {
            match self.at.take() {
                Some((family, row)) => {
                    if self.row(family, row, out) {
                        self.at = Some((family, row + 1));
                    }
                }
                None => match self.families.next() {
                    Some(family) => {
                        head(out, family.name, family.kind, family.help);
                        self.at = Some((family, 0));
                    }
                    None => match self.registry.take() {
                        Some(registry) => own_instruments(&registry, out),
                        None => return,
                    },
                },
            }
        }
    }

    /// Writes one row of a family and tells whether there was one.
    fn row(&self, family: &Family, row: usize, out: &mut String) -> bool {
        let mut lines = Lines::new(out, family.name);
        match family.rows {
            Rows::Account(write) => {
                let account = self.snapshot.fleet.accounts.get(row);
                account.map(|account| write(&mut lines, account, &self.label_columns))
            }
            Rows::Target(write) => self.snapshot.fleet.targets.get(row).map(|target| {
                let state = &self.snapshot.targets[row];
                let id = TargetId(u32::try_from(row).expect("a target's place fits its id"));
                write(&mut lines, &TargetRow { target, state, id, snapshot: &self.snapshot, now: self.now });
            }),
            Rows::Organization(write) => {
                let known =
                    self.snapshot.fleet.organizations.iter().zip(&self.snapshot.organizations).nth(row);
                known.map(|(organization, state)| write(&mut lines, &OrganizationRow { organization, state }))
            }
            Rows::Scope(write) => self.scopes.get(row).map(|scope| write(&mut lines, scope)),
            Rows::Sink(write) => {
                let progress = self.sinks.get(row);
                progress.map(|progress| write(&mut lines, &SinkRow { progress, now: self.now }))
            }
            Rows::Store(write) => (row == 0).then(|| write(&mut lines, &self.troubles)),
        }
        .is_some()
    }
}

impl Iterator for Page {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut piece = String::with_capacity(PIECE + LAST_ROW);
        self.fill(&mut piece, PIECE);
        (!piece.is_empty()).then_some(piece)
    }
}

fn own_instruments(registry: &Registry, out: &mut String) {
    TextEncoder::new()
        .encode_utf8(&registry.gather(), out)
        .expect("a registry gathers only families that have series, and a string takes any text");
}
