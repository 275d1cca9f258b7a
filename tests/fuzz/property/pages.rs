//! What the pages of AWS Organizations tell, read once more in the plainest way.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use regwatch::model::AccountId;
use serde_json::Value;

use super::pocket::Reply;

/// A call that lists something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Call {
    Accounts,
    Roots,
    Units,
    AccountsOf,
    Tags,
}

/// What inputs call them, what AWS does, and where the items are in a reply.
const CALLS: [(&str, &str, &str, Call); 5] = [
    ("accounts", "ListAccounts", "Accounts", Call::Accounts),
    ("roots", "ListRoots", "Roots", Call::Roots),
    ("units", "ListOrganizationalUnitsForParent", "OrganizationalUnits", Call::Units),
    ("within", "ListAccountsForParent", "Accounts", Call::AccountsOf),
    ("tags", "ListTagsForResource", "Tags", Call::Tags),
];

impl Call {
    /// The call that inputs call so.
    pub(super) fn called(name: &str) -> Option<Self> {
        CALLS.iter().find(|(known, ..)| *known == name).map(|(.., call)| *call)
    }

    /// What a request asks for: the call, what it is about, and the token of the page.
    pub(super) fn of(request: &HttpRequest) -> (Self, String, Option<String>) {
        let target = request.headers().get("x-amz-target").expect("a call");
        let known = CALLS.iter().find(|(_, name, ..)| target.rsplit('.').next() == Some(*name));
        let (.., call) = known.unwrap_or_else(|| panic!("nothing else is called: {target}"));
        let body: Value = serde_json::from_slice(request.body().bytes().expect("it is whole")).expect("JSON");
        let about = body["ParentId"].as_str().or(body["ResourceId"].as_str()).unwrap_or_default();
        (*call, about.to_owned(), body["NextToken"].as_str().map(str::to_owned))
    }

    fn items(self) -> &'static str {
        CALLS.iter().find(|(.., call)| *call == self).map(|(.., items, _)| *items).expect("each is there")
    }
}

/// A request and its answer.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) call: Call,
    /// The id of the unit or the account that it is about.
    pub(super) about: String,
    pub(super) token: Option<String>,
    pub(super) reply: Reply,
}

/// What all answers come to.
#[derive(Debug)]
pub(super) enum Told {
    /// Every account.
    Accounts(Vec<Listed>),
    /// Nothing that could be believed, and why.
    Nothing(&'static str),
    /// Nothing is wrong, but not all has been asked for.
    Part,
    /// One of them has a body that not everybody reads in the same way.
    Unread,
}

/// An account.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) id: AccountId,
    /// Its id where it has none.
    pub(super) name: String,
    pub(super) state: String,
    pub(super) arn: Option<String>,
    pub(super) is_in_unit: bool,
    /// `None` if they were not asked for.
    pub(super) tags: Option<BTreeMap<String, String>>,
}

/// The pages of a list so far.
#[derive(Default)]
struct List {
    items: Vec<Value>,
    next: Option<String>,
    tokens: HashSet<String>,
}

/// By the call, and what it is about.
type Lists = HashMap<(Call, String), List>;

/// Reads what was answered, of an organization whose rules name a unit if that was asked for.
pub(super) fn told(log: &[Asked], unit: &[&str]) -> Told {
    read(log, unit).map_or_else(|told| told, Told::Accounts)
}

fn read(log: &[Asked], unit: &[&str]) -> Result<Vec<Listed>, Told> {
    let lists = lists(log)?;
    let members = if lists.contains_key(&(Call::Roots, String::new())) {
        members(&lists, unit)?
    } else {
        HashSet::new()
    };
    let items = list(&lists, Call::Accounts, "")?;
    if items.is_empty() {
        return Err(Told::Nothing("not even the management account is there"));
    }
    let account = |item: &Value| {
        let id = text(item, "Id");
        let tag = |tag: &Value| (text(tag, "Key"), text(tag, "Value"));
        let tags = list(&lists, Call::Tags, &id).ok().map(|tags| tags.iter().map(tag).collect());
        let name = Some(text(item, "Name")).filter(|name| !name.trim().is_empty());
        Listed {
            id: id.parse().expect("it was looked at"),
            state: text(item, "State"),
            arn: item["Arn"].as_str().map(str::to_owned),
            is_in_unit: members.contains(&id),
            tags,
            name: name.unwrap_or(id),
        }
    };
    // What is told later holds.
    let accounts: BTreeMap<_, _> = items.iter().map(account).map(|account| (account.id, account)).collect();
    Ok(accounts.into_values().collect())
}

/// The items of each list, in the order in which its pages tell them.
fn lists(log: &[Asked]) -> Result<Lists, Told> {
    let mut lists = Lists::new();
    let is_answer = |asked: &Asked| asked.reply.status().is_some_and(|status| (200..300).contains(&status));
    for asked in log.iter().filter(|asked| is_answer(asked)) {
        let list = lists.entry((asked.call, asked.about.clone())).or_default();
        assert_eq!(asked.token, list.next, "a page is left out: {asked:?}");
        let (items, next) = page(asked)?;
        list.items.extend(items);
        if next.as_ref().is_some_and(|next| !list.tokens.insert(next.clone())) {
            return Err(Told::Nothing("a list goes in a circle"));
        }
        list.next = next;
    }
    let mut units = HashSet::new();
    let places = lists.iter().filter(|((call, _), _)| [Call::Roots, Call::Units].contains(call));
    if !places.flat_map(|(_, list)| &list.items).all(|unit| units.insert(text(unit, "Id"))) {
        return Err(Told::Nothing("a unit is in two places, or in itself"));
    }
    match log.last() {
        Some(last) if !is_answer(last) => Err(Told::Nothing("the last call failed")),
        _ => Ok(lists),
    }
}

/// The items of a page, and the token of the next.
fn page(asked: &Asked) -> Result<(Vec<Value>, Option<String>), Told> {
    let body = asked.reply.body();
    if body.trim_ascii().is_empty() {
        return Err(Told::Nothing("there is no page"));
    }
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Err(Told::Unread) };
    // Fewer of them if a key is there twice, or if a name is escaped.
    let quotes = |text: &[u8]| text.iter().filter(|byte| **byte == b'"').count();
    if quotes(body) != quotes(value.to_string().as_bytes()) {
        return Err(Told::Unread);
    }
    let Some(items) = value[asked.call.items()].as_array() else {
        return Err(Told::Nothing("a page has no list"));
    };
    if !items.iter().all(|item| is_item(asked.call, item)) {
        return Err(Told::Nothing("something on a page is not what it lists"));
    }
    let next = match &value["NextToken"] {
        Value::Null => None,
        Value::String(next) => Some(next.clone()).filter(|next| !next.is_empty()),
        _ => return Err(Told::Nothing("a token is no text")),
    };
    Ok((items.clone(), next))
}

fn is_item(call: Call, item: &Value) -> bool {
    let is_text = |key: &str| item[key].as_str().is_some_and(|text| !text.is_empty());
    let may_be_text = |key: &str| item[key].is_string() || item[key].is_null();
    match call {
        Call::Accounts | Call::AccountsOf => {
            text(item, "Id").parse::<AccountId>().is_ok() && item["State"].is_string() && may_be_text("Name")
        }
        Call::Roots | Call::Units => is_text("Id") && may_be_text("Name"),
        Call::Tags => is_text("Key") && may_be_text("Value"),
    }
}

/// The ids of the accounts in a unit, and in those below it.
fn members(lists: &Lists, unit: &[&str]) -> Result<HashSet<String>, Told> {
    let ids = |items: &[Value]| items.iter().map(|item| text(item, "Id")).collect::<Vec<_>>();
    let mut ahead = ids(list(lists, Call::Roots, "")?);
    for name in unit {
        let mut next = Vec::new();
        for above in &ahead {
            let below = list(lists, Call::Units, above)?;
            next.extend(below.iter().filter(|item| item["Name"] == *name).map(|item| text(item, "Id")));
        }
        ahead = next;
    }
    if ahead.is_empty() {
        return Err(Told::Nothing("the unit is not there"));
    }
    let mut members = HashSet::new();
    while let Some(id) = ahead.pop() {
        ahead.extend(ids(list(lists, Call::Units, &id)?));
        members.extend(ids(list(lists, Call::AccountsOf, &id)?));
    }
    Ok(members)
}

/// A list, all of it.
fn list<'l>(lists: &'l Lists, call: Call, about: &str) -> Result<&'l [Value], Told> {
    let list = lists.get(&(call, about.to_owned())).filter(|list| list.next.is_none());
    list.map(|list| &list.items[..]).ok_or(Told::Part)
}

fn text(item: &Value, key: &str) -> String {
    item[key].as_str().unwrap_or_default().to_owned()
}
