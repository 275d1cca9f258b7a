//! The calls of AWS Organizations that tell who belongs to one.
//!
//! Each gives one page. Replies are read strictly: an account without an id or a state is no account, and a
//! page without its list is no empty one.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_organizations::types::{Account, AccountState, Tag};

use super::{Aws, Session, classify, sdk_region, timeouts};
use crate::model::{AccountId, Failure, FailureReason, Region};

/// Where Organizations is; with an endpoint override the SDK would sign for the client's own.
const REGION: &str = "us-east-1";

/// A page takes some hundred milliseconds; a call that takes longer will not come.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How many items a page has: the most that AWS gives. Tags come as they are.
const PAGE: i32 = 20;

/// One page of a list, and the token of the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it; there may be nothing on a page that another follows.
    pub items: Vec<T>,
    /// What to ask for the next page with; `None` at the end.
    pub next: Option<String>,
}

/// An account as Organizations lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAccount {
    /// Its id.
    pub id: AccountId,
    /// What the organization calls it; the id where it has no name.
    pub name: Arc<str>,
    /// Whether it can be watched.
    pub standing: Standing,
    /// The id of its organization.
    pub organization: Option<Box<str>>,
}

/// Whether an account can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is active.
    Active,
    /// It is not: not yet, or no more.
    Inactive,
    /// AWS says a word that this release does not know.
    Unclear,
}

/// A root of an organization, or an organizational unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its id.
    pub id: Arc<str>,
    /// Its name.
    pub name: Box<str>,
}

/// What is listed, and from where on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// `ListAccounts`: every account of the organization.
    Accounts,
    /// `ListRoots`.
    Roots,
    /// `ListOrganizationalUnitsForParent`: what is right below a root or a unit.
    Units(Arc<str>),
    /// `ListAccountsForParent`: the accounts right below a root or a unit.
    AccountsOf(Arc<str>),
    /// `ListTagsForResource`: the tags of an account.
    Tags(AccountId),
}

/// A page of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Of [`List::Accounts`] and [`List::AccountsOf`].
    Accounts(Page<ListedAccount>),
    /// Of [`List::Roots`] and [`List::Units`].
    Units(Page<Unit>),
    /// Of [`List::Tags`].
    Tags(Page<(String, String)>),
}

impl Aws {
    /// One page of a list.
    ///
    /// # Errors
    /// Why there is none. The session may be to blame, with reason `credentials`.
    pub async fn list(
        &self,
        session: Session,
        list: &List,
        token: Option<String>,
    ) -> Result<Listed, Failure> {
        let overrides = aws_sdk_organizations::Config::builder()
            .region(sdk_region(&Region::new(REGION)))
            .credentials_provider(session.credentials)
            .timeout_config(timeouts(CALL_TIMEOUT));
        let client = &self.organizations;
        // Each call has a type of its own for everything.
        macro_rules! call {
            ($call:expr) => {{
                let call = $call.set_next_token(token).customize().config_override(overrides);
                call.send().await.map_err(|error| classify(&error, |_| None))?
            }};
        }
        match list {
            List::Accounts => {
                let reply = call!(client.list_accounts().max_results(PAGE));
                page(reply.accounts.as_deref(), reply.next_token(), account).map(Listed::Accounts)
            }
            List::AccountsOf(parent) => {
                let reply = call!(client.list_accounts_for_parent().max_results(PAGE).parent_id(&**parent));
                page(reply.accounts.as_deref(), reply.next_token(), account).map(Listed::Accounts)
            }
            List::Roots => {
                let reply = call!(client.list_roots().max_results(PAGE));
                page(reply.roots.as_deref(), reply.next_token(), |root| unit(root.id(), root.name()))
                    .map(Listed::Units)
            }
            List::Units(parent) => {
                let units = client.list_organizational_units_for_parent().max_results(PAGE);
                let reply = call!(units.parent_id(&**parent));
                page(reply.organizational_units.as_deref(), reply.next_token(), |ou| unit(ou.id(), ou.name()))
                    .map(Listed::Units)
            }
            List::Tags(account) => {
                let reply = call!(client.list_tags_for_resource().resource_id(account.to_string()));
                page(reply.tags.as_deref(), reply.next_token(), tag).map(Listed::Tags)
            }
        }
    }
}

fn page<S, T>(
    items: Option<&[S]>,
    next: Option<&str>,
    read: impl Fn(&S) -> Result<T, Failure>,
) -> Result<Page<T>, Failure> {
    let items = items.ok_or_else(|| malformed("a page has no list"))?;
    let items = items.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Page { items, next: next.filter(|token| !token.is_empty()).map(str::to_owned) })
}

fn account(account: &Account) -> Result<ListedAccount, Failure> {
    let id = account.id().and_then(|id| id.parse::<AccountId>().ok());
    let id = id.ok_or_else(|| malformed("an account has no id"))?;
    let name = account.name().filter(|name| !name.trim().is_empty());
    // arn:aws:organizations::<management account>:account/<organization>/<account>
    let organization = account.arn().and_then(|arn| arn.split('/').nth(1)).map(Box::from);
    let standing = match account.state() {
        Some(AccountState::Active) => Standing::Active,
        Some(
            AccountState::PendingActivation
            | AccountState::Suspended
            | AccountState::PendingClosure
            | AccountState::Closed,
        ) => Standing::Inactive,
        Some(_) => Standing::Unclear,
        None => return Err(malformed("an account has no State")),
    };
    Ok(ListedAccount {
        id,
        name: name.map_or_else(|| id.to_string().into(), Arc::from),
        standing,
        organization,
    })
}

fn unit(id: Option<&str>, name: Option<&str>) -> Result<Unit, Failure> {
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| malformed("a root or unit has no id"))?;
    Ok(Unit { id: id.into(), name: name.unwrap_or_default().into() })
}

fn tag(tag: &Tag) -> Result<(String, String), Failure> {
    // The SDK makes an empty text of a key that is missing.
    if tag.key().is_empty() {
        return Err(malformed("a tag has no key"));
    }
    Ok((tag.key().to_owned(), tag.value().to_owned()))
}

fn malformed(message: &str) -> Failure {
    Failure::new(FailureReason::MalformedReply, message)
}
