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

/// How many nodes aliases may bring in, for each byte of the text and besides: an account of 30 bytes may
/// share a hundred nodes with others, and no text that fits on a page is read for minutes.
const ALIASED_PER_BYTE: usize = 4;
const ALIASED_BESIDES: usize = 10_000;

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
    let aliased = text.len().saturating_mul(ALIASED_PER_BYTE).saturating_add(ALIASED_BESIDES);
    let mut tree = Tree { open: Vec::new(), anchors: HashMap::new(), aliased, root: None };
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
    /// What each anchor holds.
    anchors: HashMap<usize, Closed>,
    /// How many nodes aliases may still bring in.
    aliased: usize,
    root: Option<Node>,
}

/// A node that is complete.
#[derive(Clone)]
struct Closed {
    node: Node,
    extent: Extent,
}

/// How far a node extends, with all that its aliases bring in.
#[derive(Clone, Copy, Default)]
struct Extent {
    /// How many collections are nested in it, itself included.
    depth: usize,
    /// How many nodes are in it, itself excluded.
    nodes: usize,
}

/// A collection not yet closed.
struct Open {
    at: Place,
    is_map: bool,
    anchor: usize,
    /// That of its items so far.
    extent: Extent,
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
                self.close(Node { at, value }, Extent::default(), anchor);
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), at, report);
                self.open.push(Open {
                    at,
                    is_map: false,
                    anchor,
                    extent: Extent::default(),
                    items: Vec::new(),
                });
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), at, report);
                self.open.push(Open {
                    at,
                    is_map: true,
                    anchor,
                    extent: Extent::default(),
                    items: Vec::new(),
                });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Open { at, is_map, anchor, extent, items } =
                    self.open.pop().expect("the parser closes only what it has opened");
                let value = if is_map { map(items, report) } else { Value::List(items.into()) };
                self.close(Node { at, value }, Extent { depth: extent.depth + 1, ..extent }, anchor);
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(Closed { node, extent }) => {
                    let Some(left) = self.aliased.checked_sub(extent.nodes) else {
                        report.mistake(at, "aliases bring in far more than the file holds; write it out");
                        return false;
                    };
                    self.aliased = left;
                    self.close(node, extent, 0);
                }
                None => {
                    report.mistake(at, "an alias inside of its own anchor never ends; use another anchor");
                    self.close(Node { at, value: Value::Refused }, Extent::default(), 0);
                }
            },
            Event::UnresolvedAlias(_) => {
                report.mistake(at, "an alias without an anchor before it; quote a text that begins with `*`");
                self.close(Node { at, value: Value::Refused }, Extent::default(), 0);
            }
            _ => {}
        }
        if self.open.len() + self.open.last().map_or(0, |open| open.extent.depth) > MAX_DEPTH {
            report.mistake(at, format!("nested more than {MAX_DEPTH} deep; no key is"));
            return false;
        }
        true
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: Node, extent: Extent, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, Closed { node: node.clone(), extent });
        }
        match self.open.last_mut() {
            Some(parent) => {
                parent.extent.depth = parent.extent.depth.max(extent.depth);
                parent.extent.nodes += extent.nodes + 1;
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
    if merged.is_empty() {
        return Value::Map(entries.into());
    }
    let mut present: HashSet<_> = entries.iter().filter_map(|(key, _)| key_text(key).cloned()).collect();
    for source in merged {
        let Value::Map(source_entries) = &source.value else {
            report.mistake(
                source.at,
                format!("what `<<` merges is {}; it takes a mapping", source.value.kind()),
            );
            continue;
        };
        let first = entries.len();
        let is_new = |key: &Node| key_text(key).is_some_and(|text| !present.contains(&**text));
        entries.extend(source_entries.iter().filter(|(key, _)| is_new(key)).cloned());
        present.extend(entries[first..].iter().filter_map(|(key, _)| key_text(key).cloned()));
    }
    Value::Map(entries.into())
}

fn key_text(key: &Node) -> Option<&Rc<str>> {
    match &key.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}
