//! The `identities` section: named ways to get credentials, each on top of another or of its own.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::mistake::{Place, Report};
use super::section::{Section, named, nearest};
use super::value::{plain, shown, text, word};
use super::yaml::Node;
use super::{AssumeRole, Identity, RoleArn, Secret};

/// The keys of an identity.
pub(super) const KEYS: &[&str] = &["profile", "from", "assume_role"];

/// The keys of `assume_role`.
pub(super) const ROLE_KEYS: &[&str] = &["role_arn", "external_id", "session_name"];

/// The session name where none is given.
pub(super) const DEFAULT_SESSION_NAME: &str = "regwatch";

/// How many names are compared with unknown ones, to tell which was meant: twenty slips among a thousand
/// identities. Beyond that a file is no matter of slips, and would take long.
const COMPARISONS: usize = 20_000;

/// The identities of a file, as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct Identities {
    /// In the order of the file.
    drafts: Vec<Draft>,
    by_name: HashMap<Arc<str>, usize>,
    /// How many names have been compared with unknown ones.
    compared: Cell<usize>,
}

#[derive(Debug)]
struct Draft {
    name: Arc<str>,
    at: Place,
    /// The identity that it says it needs, and where it does.
    from: Option<(Arc<str>, Place)>,
    /// `None` where a mistake has been reported.
    identity: Option<Identity>,
}

impl Identities {
    /// Reads the section.
    pub(super) fn read(node: &Node, report: &mut Report) -> Self {
        let mut identities = Self::default();
        for (name, at, node) in named(node, "`identities`", report).unwrap_or_default() {
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)) {
                let right = "use letters, digits and any of `_.-`";
                report.mistake(at, format!("{} is no name for an identity; {right}", shown(name)));
            }
            let name: Arc<str> = name.into();
            let (identity, from) = identity(node, report);
            identities.by_name.insert(name.clone(), identities.drafts.len());
            identities.drafts.push(Draft { name, at, from, identity });
        }
        for (from, at) in identities.drafts.iter().filter_map(|draft| draft.from.as_ref()) {
            identities.resolve(from, *at, report);
        }
        identities.check_cycles(report);
        identities
    }

    /// The identity of this name, or a mistake at this place.
    pub(super) fn resolve(&self, name: &str, at: Place, report: &mut Report) -> Option<&Arc<str>> {
        if let Some(&index) = self.by_name.get(name) {
            return Some(&self.drafts[index].name);
        }
        let compared = self.compared.get() + self.drafts.len();
        self.compared.set(compared);
        let known = self.drafts.iter().filter(|_| compared <= COMPARISONS).map(|draft| &*draft.name);
        let right = match nearest(name, known) {
            Some(nearest) => format!("did you mean {}?", shown(nearest)),
            None => "define it under `identities`; `{}` there is the default credential chain".to_owned(),
        };
        report.mistake(at, format!("unknown identity {}; {right}", shown(name)));
        None
    }

    /// The identity of this name, as far as it could be read.
    pub(super) fn get(&self, name: &str) -> Option<&Identity> {
        self.by_name.get(name).and_then(|&index| self.drafts[index].identity.as_ref())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.drafts.len()
    }

    /// Warns of each identity that none of these needs, directly or through others.
    pub(super) fn warn_unused<'a>(&self, used: impl IntoIterator<Item = &'a Arc<str>>, report: &mut Report) {
        let mut needed = HashSet::new();
        for name in used {
            let mut next = self.by_name.get(name).copied();
            while let Some(index) = next {
                if !needed.insert(index) {
                    break;
                }
                next = self.follow(index);
            }
        }
        for (_, draft) in self.drafts.iter().enumerate().filter(|(index, _)| !needed.contains(index)) {
            report.warning(draft.at, format!("identity {} is used by no account", shown(&draft.name)));
        }
    }

    /// All of them by name, if each could be read.
    pub(super) fn finish(self) -> Option<BTreeMap<Arc<str>, Identity>> {
        self.drafts.into_iter().map(|draft| Some((draft.name, draft.identity?))).collect()
    }

    /// Reports each cycle once, at the `from` of its first member in the file.
    fn check_cycles(&self, report: &mut Report) {
        // Each walk along `from` leaves its own mark and ends at a mark: at its own, it has come round.
        let mut walk_of = vec![None; self.drafts.len()];
        for start in 0..self.drafts.len() {
            let mut next = Some(start);
            while let Some(index) = next.filter(|&index| walk_of[index].is_none()) {
                walk_of[index] = Some(start);
                next = self.follow(index);
            }
            if let Some(member) = next.filter(|&index| walk_of[index] == Some(start)) {
                self.report_cycle(member, report);
            }
        }
    }

    fn report_cycle(&self, member: usize, report: &mut Report) {
        let mut cycle = vec![member];
        while let Some(next) = self.follow(cycle[cycle.len() - 1]).filter(|&next| next != member) {
            cycle.push(next);
        }
        let first = (0..cycle.len()).min_by_key(|&place| cycle[place]).unwrap_or_default();
        cycle.rotate_left(first);
        let names: Vec<_> =
            cycle.iter().chain(&cycle[..1]).map(|&index| plain(&self.drafts[index].name)).collect();
        report.mistake(
            self.drafts[cycle[0]].from.as_ref().expect("a cycle goes along `from`").1,
            format!(
                "identities in a circle, {}; a chain begins with one that has no `from`",
                names.join(" from ")
            ),
        );
    }

    fn follow(&self, index: usize) -> Option<usize> {
        self.drafts[index].from.as_ref().and_then(|(from, _)| self.by_name.get(from)).copied()
    }
}

/// Reads one identity; with the one it needs and where it says so.
fn identity(node: &Node, report: &mut Report) -> (Option<Identity>, Option<(Arc<str>, Place)>) {
    let Some(section) = Section::open(node, "an identity", KEYS, report) else { return (None, None) };
    let from = section
        .get("from")
        .and_then(|node| text(node, "from", report).map(|name| (Arc::<str>::from(name), node.at)));
    let profile = section.get("profile").map(|node| word(node, "profile", report));
    let role = section
        .get("assume_role")
        .map(|node| assume_role(node, from.as_ref().map(|(name, _)| name.clone()), report));
    let identity = match (section.key("profile"), section.key("from"), section.key("assume_role")) {
        (None, None, None) => Some(Identity::DefaultChain),
        (Some(_), None, None) => profile.flatten().map(|name| Identity::Profile(name.to_owned())),
        (None, Some(_), Some(_)) => role.flatten().map(Identity::AssumeRole),
        (Some(at), ..) => {
            report.mistake(
                at,
                "`profile` stands alone; to assume a role with it, give it an identity of its own \
                 and name that in `from`",
            );
            None
        }
        (None, None, Some(_)) => {
            section.require("from", "name the identity that assumes the role", report);
            None
        }
        (None, Some(_), None) => {
            section.require("assume_role", "say which role is assumed", report);
            None
        }
    };
    (identity, from)
}

/// Reads a role to assume with the credentials of another identity.
fn assume_role(node: &Node, from: Option<Arc<str>>, report: &mut Report) -> Option<AssumeRole> {
    let section = Section::open(node, "`assume_role`", ROLE_KEYS, report)?;
    let role_arn = section
        .require("role_arn", "write arn:aws:iam::{account_id}:role/NAME", report)
        .and_then(|node| role_arn(node, report));
    let external_id = match section.get("external_id") {
        Some(node) => external_id(node, report).map(Some),
        None => Some(None),
    };
    let session_name = match section.get("session_name") {
        Some(node) => session_name(node, report),
        None => Some(DEFAULT_SESSION_NAME.to_owned()),
    };
    Some(AssumeRole {
        from: from?,
        role_arn: role_arn?,
        external_id: external_id?,
        session_name: session_name?,
    })
}

fn role_arn(node: &Node, report: &mut Report) -> Option<RoleArn> {
    let text = text(node, "role_arn", report)?;
    match text.parse() {
        Ok(arn) => Some(arn),
        Err(error) => {
            report.mistake(node.at, format!("{} is no role ARN; {error}", shown(text)));
            None
        }
    }
}

/// The lengths and characters that STS accepts for `ExternalId`; the message keeps the text to itself.
fn external_id(node: &Node, report: &mut Report) -> Option<Secret> {
    let text = text(node, "external_id", report)?;
    let accepted = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    if (2..=1224).contains(&text.len()) && text.chars().all(accepted) {
        return Some(Secret::new(text));
    }
    let right = "STS accepts 2 to 1224 letters, digits and any of `_+=,.@:/-`";
    report.mistake(node.at, format!("`external_id` is not one; {right}"));
    None
}

/// The lengths and characters that STS accepts for `RoleSessionName`.
fn session_name(node: &Node, report: &mut Report) -> Option<String> {
    let text = text(node, "session_name", report)?;
    let accepted = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (2..=64).contains(&text.len()) && text.chars().all(accepted) {
        return Some(text.to_owned());
    }
    let right = "STS accepts 2 to 64 letters, digits and any of `_+=,.@-`";
    report.mistake(node.at, format!("`session_name` is {}; {right}", shown(text)));
    None
}
