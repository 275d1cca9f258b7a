//! The targets and their states, as a table, or below each other where a table finds no room.

use std::fmt::Write;
use std::time::Duration;

use super::verdict::{Item, Judged, Verdict};
use crate::cli::terminal::{Colour, Look, brief, harmless, shortened, wrapped};
use crate::model::Target;

const HEADS: [&str; 5] = ["ACCOUNT", "PROBE", "REGION", "RESOURCE", "STATE"];

/// What is between two columns.
const GAP: usize = 2;

/// The least of an account that is worth reading: its id, and some letters of its name.
const ACCOUNT: usize = 21;

/// A line of the table.
struct Row<'a> {
    target: &'a Target,
    /// What the state is of; empty where it is of all.
    resource: String,
    state: String,
    colour: Option<Colour>,
}

/// The table, and one line that sums it up.
pub(super) fn render(judged: &Judged<'_>, look: Look) -> String {
    let rows: Vec<_> = judged.items.iter().flat_map(rows).collect();
    let accounts: Vec<_> = rows.iter().map(|row| account(row.target)).collect();
    let mut widths = HEADS.map(str::len);
    for (row, account) in rows.iter().zip(&accounts) {
        let cells = [account.as_str(), row.probe(), row.region(), &row.resource, &row.state];
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let others = widths[1..].iter().map(|width| width + GAP).sum::<usize>();
    let room = look.width.map_or(widths[0], |width| width.saturating_sub(others).min(widths[0]));
    let mut text = String::new();
    if room < widths[0].min(ACCOUNT) {
        stacked(&mut text, &rows, &accounts, look);
    } else {
        widths[0] = room;
        line(&mut text, HEADS, widths, None);
        for (row, account) in rows.iter().zip(&accounts) {
            let account = shortened(account, room);
            let cells = [account.as_str(), row.probe(), row.region(), &row.resource, &row.state];
            line(&mut text, cells, widths, row.colour.filter(|_| look.colour));
        }
    }
    text.push('\n');
    text.push_str(&wrapped(&summary(judged), 0, look.width));
    text
}

impl Row<'_> {
    fn probe(&self) -> &'static str {
        self.target.probe.as_str()
    }

    fn region(&self) -> &str {
        self.target.region.as_ref().map_or("-", |region| region.as_str())
    }
}

/// How people find the account: its id, and its name where it has one.
pub(super) fn account(target: &Target) -> String {
    let id = target.account.id.to_string();
    if *target.account.name == id { id } else { format!("{id} {}", harmless(&target.account.name)) }
}

/// One row for a target whose resources agree, and else one for each of them.
fn rows<'a>(item: &Item<'a>) -> Vec<Row<'a>> {
    let target = item.target;
    let row =
        |resource: &str, state: String, colour| Row { target, resource: resource.into(), state, colour };
    if item.verdict == Verdict::NotAsked {
        let why = item.state.failure.as_ref().map(|failure| failure.reason.as_str());
        let state = why.map_or_else(|| "NOT ASKED".to_owned(), |why| format!("NO ANSWER: {why}"));
        return vec![row("-", state, Some(Colour::Red))];
    }
    let of = |place: usize, resource: &str| {
        let reading = &item.state.resources[place].reading;
        let word = reading.text().map_or_else(|| brief(reading.status.as_str()), harmless);
        let colour = Colour::of(reading.status);
        match item.pending.filter(|_| colour == Some(Colour::Yellow)) {
            Some(age) => {
                let (late, colour) = match item.verdict {
                    Verdict::Overdue => (": too long", Colour::Red),
                    _ => ("", Colour::Yellow),
                };
                row(resource, format!("{word} for {}{late}", spell(age)), Some(colour))
            }
            None => row(resource, word, colour),
        }
    };
    let readings: Vec<_> = item.state.resources.iter().map(|state| &state.reading).collect();
    match &readings[..] {
        [one] => vec![of(0, one.resource.as_str())],
        [first, others @ ..] if others.iter().all(|other| other.status == first.status) => {
            vec![of(0, &format!("all {}", readings.len()))]
        }
        _ => (0..).zip(&readings).map(|(place, reading)| of(place, reading.resource.as_str())).collect(),
    }
}

fn line(text: &mut String, cells: [&str; 5], widths: [usize; 5], colour: Option<Colour>) {
    for (cell, width) in cells.iter().zip(widths).take(4) {
        let room = width.saturating_sub(cell.chars().count()) + GAP;
        write!(text, "{cell}{:room$}", "").expect("a text takes all");
    }
    coloured(text, cells[4], colour);
    text.push('\n');
}

/// For terminals too narrow for columns: an account, and below it its targets.
fn stacked(text: &mut String, rows: &[Row<'_>], accounts: &[String], look: Look) {
    let mut last = None;
    for (row, account) in rows.iter().zip(accounts) {
        if last.replace(account) != Some(account) {
            writeln!(text, "{}", shortened(account, look.width.unwrap_or(usize::MAX)))
                .expect("a text takes all");
        }
        let mut name = vec![row.probe()];
        name.extend(row.target.region.as_ref().map(|region| region.as_str()));
        name.extend(
            Some(row.resource.as_str())
                .filter(|what| row.target.region.is_some() && !what.starts_with("all ") && *what != "-"),
        );
        let name = name.join(" ");
        let fits = |width: usize| 2 + name.chars().count() + 2 + row.state.chars().count() <= width;
        let break_before = if look.width.is_none_or(fits) { " " } else { "\n    " };
        write!(text, "  {name}:{break_before}").expect("a text takes all");
        coloured(text, &row.state, row.colour.filter(|_| look.colour));
        text.push('\n');
    }
}

fn coloured(text: &mut String, state: &str, colour: Option<Colour>) {
    match colour {
        Some(colour) => text.extend([colour.begin(), state, Colour::END]),
        None => text.push_str(state),
    }
}

/// How many there are of each verdict.
fn summary(judged: &Judged<'_>) -> String {
    let counts = judged.counts().filter(|(_, count)| *count > 0);
    let counts: Vec<_> = counts.map(|(verdict, count)| format!("{count} {}", words(verdict))).collect();
    let targets = judged.items.len();
    format!("{targets} target{}: {}", if targets == 1 { "" } else { "s" }, counts.join(", "))
}

fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Well => "well",
        Verdict::Pending => "pending",
        Verdict::Overdue => "pending for too long",
        Verdict::NeedsAttention => "in need of somebody",
        Verdict::NotAsked => "without an answer",
    }
}

/// A duration in its two largest units.
fn spell(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}
