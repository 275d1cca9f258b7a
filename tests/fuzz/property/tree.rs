//! Files that are written from what they should hold, so that it is known where a secret is, and what was
//! asked for. The input decides which keys are there, what they have, and what the hand that wrote them
//! did wrong.

use std::collections::BTreeMap;

/// What nobody is ever told.
pub(super) const SECRET: &str = "hunter2";

/// What a key takes.
pub(super) enum Kind {
    /// One of these, as they are written.
    Word(&'static [&'static str]),
    /// A list of some of these.
    Words(&'static [&'static str]),
    /// A text that is a secret: one of these, or one of its own kind.
    Secret(&'static [&'static str]),
    /// Keys that are known.
    Section(&'static [(&'static str, Kind)]),
    /// A list of such sections.
    Sections(&'static [(&'static str, Kind)]),
    /// Keys of the user's own, from these.
    Named(&'static [&'static str], &'static Kind),
}

/// A file, and what it says: the text that each path of keys has.
pub(super) struct Written {
    pub(super) text: String,
    pub(super) said: BTreeMap<String, String>,
}

/// How a secret looks that somebody forgot to quote, or to write as it should be.
const SECRETS: [&str; 18] = [
    "hunter2",
    "\"hunter2\"",
    "'hunter2'",
    "!hunter2",
    "*hunter2",
    "&hunter2",
    "&hunter2 x",
    "{hunter2}",
    "{hunter2: x}",
    "[hunter2]",
    "[hunter2",
    "hunter2: x",
    "\"hunter2",
    "'hunter2",
    "@hunter2",
    "%hunter2",
    "hunter2 # x",
    "|\n                hunter2\n                x",
];

/// What the hand did to an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slip {
    None,
    LeftOut,
    Glued,
    Misspelt,
    Twice,
    Empty,
    Wrong,
}

const SLIPS: [Slip; 6] = [Slip::LeftOut, Slip::Glued, Slip::Misspelt, Slip::Twice, Slip::Empty, Slip::Wrong];

/// Values that are mostly wrong.
const WRONG: [&str; 7] = ["[]", "{}", "[[x]]", "{x: y}", "\"\"", "-1", "\"\\n\\x00\""];

/// Reads decisions off an input; once it has ended, all of them are the first choice.
struct Dice<'i>(&'i [u8]);

impl Dice<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % bound
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn slip(&mut self) -> Slip {
        match self.below(32) {
            number @ 1..=6 => SLIPS[number - 1],
            _ => Slip::None,
        }
    }
}

/// Writes a file with these keys.
pub(super) fn write(input: &[u8], keys: &'static [(&'static str, Kind)]) -> Written {
    let mut writer = Writer { dice: Dice(input), text: String::new(), said: BTreeMap::new() };
    writer.section(keys, 0, "");
    Written { text: writer.text, said: writer.said }
}

struct Writer<'i> {
    dice: Dice<'i>,
    text: String,
    said: BTreeMap<String, String>,
}

impl Writer<'_> {
    fn section(&mut self, keys: &'static [(&'static str, Kind)], indent: usize, path: &str) {
        for (key, kind) in keys {
            self.entry(key, kind, indent, path);
        }
    }

    fn entry(&mut self, key: &str, kind: &'static Kind, indent: usize, path: &str) {
        let slip = self.dice.slip();
        let key = match slip {
            Slip::LeftOut => return,
            Slip::Misspelt => key.replacen('e', "3", 1),
            _ => key.to_owned(),
        };
        let path = format!("{path}/{key}");
        let times = if slip == Slip::Twice { 2 } else { 1 };
        for _ in 0..times {
            self.text.push_str(&" ".repeat(indent));
            self.text.push_str(&key);
            match slip {
                Slip::Empty => self.text.push_str(":\n"),
                Slip::Wrong => {
                    let wrong = self.dice.one(&WRONG);
                    if matches!(kind, Kind::Word(_) | Kind::Words(_) | Kind::Secret(_)) {
                        self.said.insert(path.clone(), wrong.to_owned());
                    }
                    self.text.extend([": ", wrong, "\n"]);
                }
                _ => {
                    self.text.push(':');
                    self.value(kind, indent, &path, slip == Slip::Glued);
                }
            }
        }
    }

    fn value(&mut self, kind: &'static Kind, indent: usize, path: &str, is_glued: bool) {
        let space = if is_glued { "" } else { " " };
        match kind {
            Kind::Word(words) => {
                let word = self.dice.one(words);
                self.said.insert(path.to_owned(), word.to_owned());
                self.text.extend([space, word, "\n"]);
            }
            Kind::Words(words) => {
                let count = self.dice.below(4);
                let chosen: Vec<_> = (0..count).map(|_| self.dice.one(words)).collect();
                let list = chosen.join(", ");
                self.text.extend([space, "[", &list, "]\n"]);
                self.said.insert(path.to_owned(), list);
            }
            Kind::Secret(right) => {
                let which = self.dice.below(right.len() + SECRETS.len());
                let secret = right.get(which).unwrap_or_else(|| &SECRETS[which - right.len()]);
                self.said.insert(path.to_owned(), (*secret).to_owned());
                self.text.extend([space, secret, "\n"]);
            }
            Kind::Section(keys) => {
                self.text.push('\n');
                self.section(keys, indent + 2, path);
            }
            Kind::Sections(keys) => {
                self.text.push('\n');
                for number in 0..=self.dice.below(3) {
                    self.text.extend([&*" ".repeat(indent), "-\n"]);
                    self.section(keys, indent + 2, &format!("{path}/{number}"));
                }
            }
            Kind::Named(names, kind) => self.named(names, kind, indent, path),
        }
    }

    /// On lines, or in braces, where a value that is glued to its key is a key still.
    fn named(&mut self, names: &[&'static str], kind: &'static Kind, indent: usize, path: &str) {
        let is_in_braces = self.dice.below(2) == 1;
        self.text.push_str(if is_in_braces { " {\n" } else { "\n" });
        for _ in 0..self.dice.below(names.len() + 1) {
            let name = self.dice.one(names);
            self.entry(name, kind, indent + 2, path);
            if is_in_braces {
                self.text.extend([&*" ".repeat(indent + 2), ",\n"]);
            }
        }
        if is_in_braces {
            self.text.extend([&*" ".repeat(indent + 2), "}\n"]);
        }
    }
}
