//! YAML text as a tree of nodes, each with its place in the file.
//!
//! Scalars stay as they are written, with whether they were quoted. So every value is judged by the one
//! who knows what it should be, a wrong type is a mistake like any other, and `012345678901` is never
//! taken for a number.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::mistake::{Place, Report};

/// How deep collections may nest: no configuration goes beyond seven, and a chain of aliases must not
/// exhaust the stack when the tree is dropped.
const MAX_DEPTH: usize = 32;

/// One value of the file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it is written; for an alias, where its anchor is.
    pub(super) at: Place,
    /// What it is.
    pub(super) value: Value,
}

/// What a node is; cheap to clone, since aliases share it.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A text or a number, as it is written.
    Scalar {
        /// The text, without its quotes.
        text: Rc<str>,
        /// Whether it is quoted or a block, and so cannot be taken for anything but a text.
        quoted: bool,
    },
    /// A list.
    List(Rc<[Node]>),
    /// Keys and values in the order of the file; a key may occur twice.
    Map(Rc<[(Node, Node)]>),
    /// Something that has been reported; whoever meets it has nothing to add.
    Refused,
}

impl Value {
    /// The kind of value, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "empty",
            Self::Scalar { .. } => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Refused => "refused",
        }
    }
}

/// Reads a text of one YAML document; an empty one is null. `None` where it stops to be YAML, since
/// nothing after that can be trusted.
pub(super) fn read(text: &str, report: &mut Report) -> Option<Node> {
    let options = granit_parser::options! { emit_unresolved_aliases: true };
    let mut tree = Tree { open: Vec::new(), anchors: HashMap::new(), root: None };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(error) => {
                let at = Place { line: error.marker().line(), column: error.marker().col() + 1 };
                let hint = "check indentation, quotes and brackets up to here";
                report.mistake(at, format!("not YAML: {}; {hint}", error.info()));
                return None;
            }
        };
        let at = place(&span);
        if matches!(event, Event::DocumentStart(..)) && tree.root.is_some() {
            report.mistake(at, "a second document begins here; keep one in a file");
            return tree.root;
        }
        if !tree.take(event, at, report) {
            return None;
        }
    }
    Some(tree.root.unwrap_or(Node { at: Place::START, value: Value::Null }))
}

/// The tree as far as it has been read.
struct Tree {
    /// The collections not yet closed, from the outermost.
    open: Vec<Open>,
    /// What each anchor holds, and how deep it is.
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
}

/// A collection not yet closed.
struct Open {
    at: Place,
    is_map: bool,
    anchor: usize,
    /// The depth of the deepest item so far.
    depth: usize,
    /// For a mapping keys and values in turn.
    items: Vec<Node>,
}

impl Tree {
    /// Takes the next event; whether to go on.
    fn take(&mut self, event: Event<'_>, at: Place, report: &mut Report) -> bool {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.as_deref().is_some_and(|tag| tag.core_suffix() == Some("str"));
                let value = if refuse_tag(tag.as_deref(), at, report) {
                    Value::Refused
                } else {
                    scalar(&text, is_text || style != ScalarStyle::Plain)
                };
                self.close(Node { at, value }, 0, anchor);
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), at, report);
                self.open.push(Open { at, is_map: false, anchor, depth: 0, items: Vec::new() });
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), at, report);
                self.open.push(Open { at, is_map: true, anchor, depth: 0, items: Vec::new() });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Open { at, is_map, anchor, depth, items } =
                    self.open.pop().expect("the parser closes only what it has opened");
                let value = if is_map { map(items, report) } else { Value::List(items.into()) };
                self.close(Node { at, value }, depth + 1, anchor);
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some((node, depth)) => self.close(node, depth, 0),
                None => {
                    report.mistake(at, "an alias inside of its own anchor never ends; use another anchor");
                    self.close(Node { at, value: Value::Refused }, 0, 0);
                }
            },
            Event::UnresolvedAlias(_) => {
                report.mistake(at, "an alias without an anchor before it; quote a text that begins with `*`");
                self.close(Node { at, value: Value::Refused }, 0, 0);
            }
            _ => {}
        }
        if self.open.len() + self.open.last().map_or(0, |open| open.depth) > MAX_DEPTH {
            report.mistake(at, format!("nested more than {MAX_DEPTH} deep; no key is"));
            return false;
        }
        true
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: Node, depth: usize, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), depth));
        }
        match self.open.last_mut() {
            Some(parent) => {
                parent.depth = parent.depth.max(depth);
                parent.items.push(node);
            }
            None => self.root = Some(node),
        }
    }
}

fn place(span: &Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1 }
}

fn scalar(text: &str, quoted: bool) -> Value {
    // The null of YAML's core schema.
    if !quoted && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::Scalar { text: text.into(), quoted }
}

/// Whether a tag means nothing, with the mistake. The message does not name it: it may be the beginning
/// of a secret that somebody forgot to quote.
fn refuse_tag(tag: Option<&Tag>, at: Place, report: &mut Report) -> bool {
    let is_unknown = tag.is_some_and(|tag| tag.core_suffix().is_none());
    if is_unknown {
        report.mistake(at, "a YAML tag means nothing here; quote a text that begins with `!`");
    }
    is_unknown
}

/// Keys and values of a mapping, with what its merge keys (`<<`, YAML 1.1) bring along: its own keys
/// come first, then those of each merged mapping that are not there yet. Keys that are no words stay
/// behind: nothing would keep them from doubling with each merge of a merge.
fn map(items: Vec<Node>, report: &mut Report) -> Value {
    let mut items = items.into_iter();
    let mut entries = Vec::with_capacity(items.len() / 2);
    let mut merged = Vec::new();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        match &key.value {
            Value::Scalar { text, quoted: false } if &**text == "<<" => match value.value {
                Value::List(sources) => merged.extend(sources.iter().cloned()),
                _ => merged.push(value),
            },
            _ => entries.push((key, value)),
        }
    }
    for source in merged {
        let Value::Map(source_entries) = &source.value else {
            report.mistake(
                source.at,
                format!("what `<<` merges is {}; it takes a mapping", source.value.kind()),
            );
            continue;
        };
        let present: HashSet<_> = entries.iter().filter_map(|(key, _)| key_text(key)).collect();
        let new: Vec<_> = source_entries
            .iter()
            .filter(|(key, _)| key_text(key).is_some_and(|text| !present.contains(text)))
            .cloned()
            .collect();
        entries.extend(new);
    }
    Value::Map(entries.into())
}

fn key_text(key: &Node) -> Option<&str> {
    match &key.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}
