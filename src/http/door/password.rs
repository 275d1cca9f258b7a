//! Who may come in: names and passwords, checked once and remembered for a while.
//!
//! A check takes the same work whatever was sent: that of the dearest hash, for a cheaper one and for a
//! name that nobody has as well, so that its time tells nothing. What is remembered is not the password,
//! but a code of it under a key that ends with the process.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hint::black_box;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use hyper::header::HeaderValue;
use rustls::crypto::aws_lc_rs;
use sha2::Sha256;
use tokio::time::Instant;

use crate::config::PasswordHash;

/// How long somebody is remembered who does not come back: longer than the intervals between scrapes.
const MEMORY: Duration = Duration::from_secs(600);

/// How many are remembered: each user once, and room for those who come through many proxies.
const REMEMBERED: usize = 64;

/// Base64 as it comes: some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A name and a password, as a request brings them along. They never show themselves.
pub(super) struct Credentials {
    name: Vec<u8>,
    password: Vec<u8>,
}

impl Credentials {
    /// Those of an `Authorization` header; `None` if it has none of HTTP's Basic scheme.
    ///
    /// Source: RFC 7617, section 2.
    pub(super) fn of(header: &HeaderValue) -> Option<Self> {
        let (scheme, rest) = header.as_bytes().split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let both = BASE64.decode(rest.trim_ascii()).ok()?;
        let colon = both.iter().position(|byte| *byte == b':')?;
        Some(Self { name: both[..colon].to_vec(), password: both[colon + 1..].to_vec() })
    }
}

/// What is remembered of a name and a password.
type Code = [u8; 32];

/// Those who may come in.
pub(super) struct Users {
    hashes: BTreeMap<String, PasswordHash>,
    /// The cost of the dearest hash.
    dearest: u32,
    key: Hmac<Sha256>,
    /// Who was let in, and when last. A lock that is held for a few instructions.
    remembered: Mutex<HashMap<Code, Instant>>,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("hashes", &self.hashes).finish_non_exhaustive()
    }
}

impl Default for Users {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl Users {
    pub(super) fn new(hashes: BTreeMap<String, PasswordHash>) -> Self {
        let mut key = [0; 32];
        aws_lc_rs::default_provider().secure_random.fill(&mut key).expect("the system has random numbers");
        Self {
            dearest: hashes.values().map(PasswordHash::cost).max().unwrap_or_default(),
            hashes,
            key: Hmac::new_from_slice(&key).expect("any length will do"),
            remembered: Mutex::default(),
        }
    }

    /// Whether there is nobody, so that anybody may come in.
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether they are the same, with the same passwords.
    pub(super) fn are(&self, other: &Self) -> bool {
        self.hashes == other.hashes
    }

    /// Whether these were right not long ago. Whoever keeps coming is not forgotten.
    pub(super) fn know(&self, credentials: &Credentials, now: Instant) -> bool {
        let code = self.code(credentials);
        match self.remembered().get_mut(&code) {
            Some(last) if now.duration_since(*last) < MEMORY => {
                *last = now;
                true
            }
            _ => false,
        }
    }

    /// Whether these are right; if so they are remembered. It takes as long as the dearest hash.
    pub(super) fn check(&self, credentials: &Credentials, now: Instant) -> bool {
        let hash = str::from_utf8(&credentials.name).ok().and_then(|name| self.hashes.get(name));
        let is_right = hash.is_some_and(|hash| hash.is_of(&credentials.password));
        fillers(hash.map(PasswordHash::cost), self.dearest).for_each(spend);
        if is_right {
            let code = self.code(credentials);
            let mut remembered = self.remembered();
            if remembered.len() >= REMEMBERED {
                let oldest = remembered.iter().min_by_key(|(_, last)| **last).map(|(code, _)| *code);
                oldest.map(|oldest| remembered.remove(&oldest));
            }
            remembered.insert(code, now);
        }
        is_right
    }

    fn code(&self, Credentials { name, password }: &Credentials) -> Code {
        // The name has no colon: it ended at the first.
        let mut code = self.key.clone();
        [&name[..], b":", &password[..]].iter().for_each(|part| code.update(part));
        code.finalize().into_bytes().into()
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<Code, Instant>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The costs of what is done beside a check of some cost, or of none, to make it the work of the dearest. A
/// check of cost n is the work 2ⁿ, and 2ⁿ + 2ⁿ + 2ⁿ⁺¹ + … + 2ᵐ⁻¹ = 2ᵐ.
fn fillers(checked: Option<u32>, dearest: u32) -> Range<u32> {
    checked.map_or(dearest..dearest + 1, |cost| cost..dearest)
}

/// Does the work of checking a password of some cost: it depends on nothing else.
fn spend(cost: u32) {
    black_box(bcrypt::bcrypt(cost, [0; 16], b"nobody's"));
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::config::Web;

    /// Users with passwords like their names, each of a cost.
    fn users(costs: &[(&str, u32)]) -> Users {
        let hash = |name: &str, cost| bcrypt::hash(name, cost).unwrap();
        let lines: Vec<_> =
            costs.iter().map(|(name, cost)| format!("{name}: {}", hash(name, *cost))).collect();
        let text = format!("basic_auth_users: {{{}}}", lines.join(", "));
        Users::new(Web::parse("web.yaml", &text).unwrap().0.users)
    }

    fn credentials(name: &str, password: &str) -> Credentials {
        let both = STANDARD.encode(format!("{name}:{password}"));
        Credentials::of(&format!("Basic {both}").parse().unwrap()).unwrap()
    }

    #[test]
    fn a_check_takes_the_same_work_whoever_is_named() {
        for dearest in 4..=31 {
            let work = |checked: Option<u32>| {
                let filled: u64 = fillers(checked, dearest).map(|cost| 1 << cost).sum();
                checked.map_or(0, |cost| 1 << cost) + filled
            };
            assert!((4..=dearest).map(Some).chain([None]).all(|checked| work(checked) == 1 << dearest));
        }
    }

    #[test]
    fn what_is_right_does_not_depend_on_the_costs() {
        let users = users(&[("cheap", 4), ("dear", 6)]);
        for (name, password) in
            [("dear", "dear"), ("dear", "x"), ("cheap", "cheap"), ("cheap", "x"), ("nobody", "nobody")]
        {
            let is_right = users.check(&credentials(name, password), Instant::now());
            assert_eq!(is_right, name == password && name != "nobody", "{name} {password}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_right_is_known_while_they_keep_coming() {
        let users = users(&[("scraper", 4)]);
        let (right, wrong) = (credentials("scraper", "scraper"), credentials("scraper", "x"));
        assert!(!users.know(&right, Instant::now()));
        assert!(users.check(&right, Instant::now()) && !users.check(&wrong, Instant::now()));
        for _ in 0..10 {
            tokio::time::advance(MEMORY / 2).await;
            assert!(users.know(&right, Instant::now()) && !users.know(&wrong, Instant::now()));
        }
        tokio::time::advance(MEMORY).await;
        assert!(!users.know(&right, Instant::now()));
    }

    #[test]
    fn few_are_remembered_and_the_first_of_them_is_forgotten() {
        let names: Vec<_> = (0..=REMEMBERED).map(|number| format!("user-{number}")).collect();
        let users = users(&names.iter().map(|name| (name.as_str(), 4)).collect::<Vec<_>>());
        let start = Instant::now();
        for (name, second) in names.iter().zip(0..) {
            assert!(users.check(&credentials(name, name), start + Duration::from_secs(second)));
        }
        let known = |name: &String| users.know(&credentials(name, name), start);
        assert_eq!(names.iter().position(known), Some(1));
        assert_eq!(users.remembered().len(), REMEMBERED);
    }

    #[test]
    fn a_password_counts_as_far_as_bcrypt_looks() {
        let long = "x".repeat(72);
        let hash = bcrypt::hash(&long, 4).unwrap();
        let web = Web::parse("web.yaml", &format!("basic_auth_users: {{a: {hash}}}")).unwrap().0;
        let users = Users::new(web.users);
        let now = Instant::now();
        assert!(users.check(&credentials("a", &long), now));
        assert!(users.check(&credentials("a", &format!("{long}y")), now));
        assert!(!users.check(&credentials("a", &long[1..]), now));
    }

    #[test]
    fn credentials_are_those_of_the_basic_scheme() {
        let of = |text: &str| {
            let found = Credentials::of(&text.parse().unwrap())?;
            Some([found.name, found.password].map(|part| String::from_utf8(part).unwrap()))
        };
        let pair = |name: &str, password: &str| Some([name.to_owned(), password.to_owned()]);
        assert_eq!(of("basic   YTpiOmM="), pair("a", "b:c"));
        assert_eq!(of("BASIC YTpiOmM"), pair("a", "b:c"));
        assert_eq!(of("Basic Og=="), pair("", ""));
        for none in ["", "Basic", "Basic YQ==", "Basic ?", "Bearer YTpiOmM="] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
