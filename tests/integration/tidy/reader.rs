//! Finds the paths in a file's tokens: `use` trees taken apart, `self` and `super` resolved, modules and
//! tests told apart by their braces.

use std::collections::BTreeMap;

use super::token::{Kind, Token, tokens};

/// What is imported or used by at least two names, or a field or method behind [`UNTOLD`].
#[derive(Debug)]
pub(super) struct Path {
    pub(super) line: usize,
    /// Begins with `crate`, or with the name of another crate or of something in scope.
    pub(super) names: Vec<String>,
    pub(super) in_tests: bool,
}

/// Stands for the type of a value, which the text does not tell.
const UNTOLD: &str = "_";

/// What a file names.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Its paths, in the order of the file.
    pub(super) paths: Vec<Path>,
    /// The modules that it declares for tests alone and keeps in files of their own.
    pub(super) test_modules: Vec<Vec<String>>,
}

/// Reads the text of the file that is this module, named from the root of the crate.
pub(super) fn read(module: Vec<String>, text: &str) -> Found {
    let tokens = tokens(text);
    let (blocks, scope, found) = (Vec::new(), BTreeMap::new(), Found::default());
    let mut reader = Reader { tokens: &tokens, at: 0, module, blocks, scope, found };
    reader.run();
    let Reader { mut found, scope, .. } = reader;
    for path in &mut found.paths {
        if let Some(known) = scope.get(&path.names[0]) {
            path.names.splice(..1, known.iter().cloned());
        }
    }
    found
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    /// The module that the reader is in.
    module: Vec<String>,
    /// The open braces: whether each opened a module, and whether tests are inside.
    blocks: Vec<(bool, bool)>,
    /// What the file imports and declares, by the name that it has here.
    scope: BTreeMap<String, Vec<String>>,
    found: Found,
}

impl Reader<'_> {
    fn run(&mut self) {
        while self.at < self.tokens.len() {
            match self.word() {
                Some("mod") => self.module_declaration(),
                Some("use") if !self.is_mark(1, '<') => {
                    self.at += 1;
                    self.use_tree(&[]);
                }
                Some(_) => self.path(),
                None => {
                    self.brace();
                    self.at += 1;
                }
            }
        }
    }

    fn in_tests(&self) -> bool {
        self.blocks.last().is_some_and(|(_, in_tests)| *in_tests)
    }

    /// The word here, if there is one.
    fn word(&self) -> Option<&str> {
        match self.kind(0)? {
            Kind::Word(text) => Some(text),
            _ => None,
        }
    }

    /// The word here, if there is one, and steps over it.
    fn take_word(&mut self) -> Option<String> {
        let word = self.word()?.to_owned();
        self.at += 1;
        Some(word)
    }

    fn kind(&self, ahead: usize) -> Option<&Kind> {
        self.tokens.get(self.at + ahead).map(|token| &token.kind)
    }

    fn is_mark(&self, ahead: usize, mark: char) -> bool {
        self.kind(ahead) == Some(&Kind::Mark(mark))
    }

    fn brace(&mut self) {
        if self.is_mark(0, '{') {
            self.blocks.push((false, self.in_tests()));
        } else if self.is_mark(0, '}')
            && let Some((true, _)) = self.blocks.pop()
        {
            self.module.pop();
        }
    }

    fn module_declaration(&mut self) {
        let for_tests = self.in_tests() || self.follows_cfg_test();
        self.at += 1;
        let Some(name) = self.take_word() else { return };
        let mut path = self.module.clone();
        path.push(name.clone());
        if self.is_mark(0, '{') {
            self.at += 1;
            self.blocks.push((true, for_tests));
            self.module = path;
            return;
        }
        if for_tests {
            self.found.test_modules.push(path.clone());
        }
        path.insert(0, "crate".to_owned());
        self.scope.insert(name, path);
    }

    fn follows_cfg_test(&self) -> bool {
        let start = self.at.saturating_sub(7);
        let spelling = self.tokens[start..self.at].iter().map(|token| match &token.kind {
            Kind::Word(word) => word.clone(),
            Kind::Mark(mark) => mark.to_string(),
            Kind::PathSeparator => "::".to_owned(),
        });
        spelling.collect::<String>() == "#[cfg(test)]"
    }

    /// A word and what follows it by `::`.
    fn path(&mut self) {
        let line = self.tokens[self.at].line;
        let is_member = self.at > 0 && self.tokens[self.at - 1].kind == Kind::Mark('.');
        let mut names: Vec<_> = is_member.then(|| UNTOLD.to_owned()).into_iter().collect();
        while let Some(name) = self.take_word() {
            names.push(name);
            if self.kind(0) != Some(&Kind::PathSeparator) || !matches!(self.kind(1), Some(Kind::Word(_))) {
                break;
            }
            self.at += 1;
        }
        if names.len() > 1 {
            self.note(line, names);
        }
    }

    /// What stands between `use` and `;`, or one branch of it.
    fn use_tree(&mut self, prefix: &[String]) {
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        let mut names = prefix.to_vec();
        let mut alias = None;
        loop {
            match self.kind(0) {
                Some(Kind::PathSeparator) => self.at += 1,
                Some(Kind::Word(word)) if word == "as" => {
                    self.at += 1;
                    alias = self.take_word();
                }
                Some(Kind::Word(_)) => names.extend(self.take_word()),
                Some(Kind::Mark('{')) => {
                    self.at += 1;
                    while self.at < self.tokens.len() && !self.is_mark(0, '}') {
                        self.use_tree(&names);
                        self.at += usize::from(!self.is_mark(0, '}')); // a comma
                    }
                    self.at += 1;
                    return;
                }
                Some(Kind::Mark('*')) => {
                    self.at += 1;
                    self.note(line, names);
                    return;
                }
                _ => break,
            }
        }
        if names.len() > 1 && names.last().is_some_and(|name| name == "self") {
            names.pop();
        }
        if let Some(name) = alias.or_else(|| names.last().cloned()) {
            let path = self.note(line, names);
            self.scope.insert(name, path);
        }
    }

    /// Takes note of a path, from the root of the crate where it is one of ours.
    fn note(&mut self, line: usize, mut names: Vec<String>) -> Vec<String> {
        let climbs = names.iter().take_while(|name| *name == "super").count();
        let here = usize::from(climbs == 0 && names.first().is_some_and(|name| name == "self"));
        if climbs + here > 0 {
            let kept = self.module.len().saturating_sub(climbs);
            let root = ["crate".to_owned()].into_iter().chain(self.module[..kept].iter().cloned());
            names.splice(..climbs + here, root.collect::<Vec<_>>());
        } else if names.first().is_some_and(|name| name == "regwatch") {
            // The binary is another crate than the library.
            "crate".clone_into(&mut names[0]);
        }
        self.found.paths.push(Path { line, names: names.clone(), in_tests: self.in_tests() });
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn paths(in_module: &[&str], text: &str) -> Vec<String> {
        read(module(in_module), text).paths.iter().map(|path| path.names.join("::")).collect()
    }

    #[test]
    fn nested_imports_are_taken_apart() {
        let found = paths(
            &["http", "page"],
            "use crate::{clock::Clock, model::{self, state as s, Status}, metrics::*,};\npub(crate) use ::tokio::net;",
        );
        assert_eq!(
            found,
            [
                "crate::clock::Clock",
                "crate::model",
                "crate::model::state",
                "crate::model::Status",
                "crate::metrics",
                "tokio::net",
            ]
        );
    }

    #[test]
    fn paths_are_resolved_through_modules_and_imports() {
        let found = paths(
            &["schedule", "gate"],
            "use super::backoff;
             fn f() { backoff::next(); x.spawn(); super::super::poller::run(); self::g::<u8>(); }
             mod tests { use super::*; use super::super::queue; fn g() { queue::push() } }
             fn h() -> crate::model::Status { Status::Active }",
        );
        assert_eq!(
            found,
            [
                "crate::schedule::backoff",
                "crate::schedule::backoff::next",
                "_::spawn",
                "crate::poller::run",
                "crate::schedule::gate::g",
                "crate::schedule::gate",
                "crate::schedule::queue",
                "crate::schedule::queue::push",
                "crate::model::Status",
                "Status::Active",
            ]
        );
    }

    #[test]
    fn tests_are_told_from_the_rest() {
        let found = read(
            module(&["poller"]),
            "use a::b; #[cfg(test)] mod fake; #[cfg(test)] mod tests { use c::d; fn f() { if x { e::f() } } } use g::h;",
        );
        let in_tests: Vec<_> = found.paths.iter().map(|path| path.in_tests).collect();
        assert_eq!(in_tests, [false, true, true, false]);
        assert_eq!(found.test_modules, [["poller", "fake"]]);
    }
}
