//! How often one client may ask: `q` requests within `w`, all at once or one every `w/q` (the generic cell rate algorithm).
//!
//! An account is one number, the time at which it would be full again; one that is full is not kept. The number of accounts
//! is bounded: who finds no room shares an account with all others who do not.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::{RateConfig, Timestamp, http::Problem};

/// Accounts are in so many tables, each with a lock of its own.
const TABLES: usize = 16;
/// Between two looks for accounts that are full again, when there is no room: a look is at all of them.
const SWEEP: u64 = NANOS / 10;
const NANOS: u64 = 1_000_000_000;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Whose requests are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Address(IpAddr),
    Subject(Arc<str>),
}

/// The accounts of all clients, and what they may spend.
#[derive(Debug)]
pub(crate) struct Rates {
    config: RwLock<RateConfig>,
    tables: [Mutex<Table>; TABLES],
    hasher: RandomState,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            config: RwLock::default(),
            tables: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        }
    }
}

#[derive(Debug, Default)]
struct Table {
    /// When each is full again, in nanoseconds.
    accounts: HashMap<Client, u64>,
    /// The account of those for whom there is no room.
    others: u64,
    swept: u64,
}

/// What a request left on its account, and the policy of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    name: &'static str,
    quota: u32,
    within: Duration,
    remaining: u64,
    /// Until the account is full again, or, after a refusal, until the next request has a chance.
    reset: Duration,
}

impl Rates {
    /// From now on these hold. Whether they are others than before; then every account begins anew, since what was left on
    /// it was counted by other rules.
    pub(crate) fn replace(&self, config: RateConfig) -> bool {
        let mut held = self.config.write().unwrap_or_else(PoisonError::into_inner);
        let differs = *held != config;
        if differs {
            *held = config;
            for table in &self.tables {
                *table.lock().unwrap_or_else(PoisonError::into_inner) = Table::default();
            }
        }
        differs
    }

    /// Takes a request off a client's account; `None` when nobody counts.
    ///
    /// # Errors
    /// 429: there is nothing left on it.
    pub(crate) fn spend(&self, client: Client, now: Timestamp) -> Result<Option<Spent>, (Problem, Spent)> {
        let (name, quota, within, most) = {
            let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
            let (name, quota) = match client {
                Client::Address(_) => ("address", config.per_address),
                Client::Subject(_) => ("subject", config.per_subject),
            };
            (name, quota, config.within, config.clients)
        };
        if quota == 0 {
            return Ok(None);
        }
        let now = now.as_millis().saturating_mul(1_000_000);
        let whole = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        let each = (whole / u64::from(quota)).max(1);
        let most = usize::try_from(most).unwrap_or(usize::MAX).div_ceil(TABLES);
        let at = usize::try_from(self.hasher.hash_one(&client)).unwrap_or_default() % TABLES;
        let mut table = self.tables.get(at).expect("within").lock().unwrap_or_else(PoisonError::into_inner);
        let account = table.account(client, now, most);
        // A clock that was set back must not keep anybody out for longer than a window.
        let full_at = (*account).clamp(now, now.saturating_add(whole)).saturating_add(each);
        let left = whole.saturating_sub(full_at - now);
        if full_at - now > whole {
            let wait = Duration::from_nanos(full_at - now - whole);
            let spent = Spent { name, quota, within, remaining: 0, reset: wait };
            let message = format!("more than {quota} requests within {within:?} by one {name}");
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message).coming_back(Some(wait));
            return Err((problem.with("outcome", "not done".into()), spent));
        }
        *account = full_at;
        Ok(Some(Spent { name, quota, within, remaining: left / each, reset: Duration::from_nanos(full_at - now) }))
    }
}

impl Table {
    fn account(&mut self, client: Client, now: u64, most: usize) -> &mut u64 {
        if self.accounts.len() >= most && !self.accounts.contains_key(&client) {
            if self.swept.saturating_add(SWEEP) <= now || self.swept > now {
                self.swept = now;
                self.accounts.retain(|_, full_at| *full_at > now);
            }
            if self.accounts.len() >= most {
                return &mut self.others;
            }
        }
        self.accounts.entry(client).or_insert(now)
    }
}

impl Spent {
    /// Tells the client, as draft-ietf-httpapi-ratelimit-headers has it.
    pub(crate) fn write(all: &[Self], headers: &mut HeaderMap) {
        if all.is_empty() {
            return;
        }
        let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let policies = all.iter().map(|it| format!("\"{}\";q={};w={}", it.name, it.quota, seconds(it.within)));
        let limits = all.iter().map(|it| format!("\"{}\";r={};t={}", it.name, it.remaining, seconds(it.reset)));
        for (name, text) in
            [(RATE_LIMIT_POLICY, policies.collect::<Vec<_>>()), (RATE_LIMIT, limits.collect::<Vec<_>>())]
        {
            let text = HeaderValue::from_str(&text.join(", ")).expect("names and numbers are visible ASCII");
            headers.insert(name, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(per_address: u32, per_subject: u32, clients: u32) -> Rates {
        let rates = Rates::default();
        rates.replace(RateConfig { per_address, per_subject, within: Duration::from_secs(10), clients });
        rates
    }

    fn address(last: u32) -> Client {
        Client::Address(IpAddr::V4(last.into()))
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn a_quota_may_be_spent_at_once_and_comes_back_evenly() {
        let rates = rates(5, 0, 100);
        for left in (0..5).rev() {
            assert_eq!(rates.spend(address(1), at(0)).unwrap().unwrap().remaining, left);
        }
        let (problem, spent) = rates.spend(address(1), at(0)).unwrap_err();
        assert_eq!((problem.status().as_u16(), spent.reset), (429, Duration::from_secs(2)));
        assert!(rates.spend(address(1), at(1999)).is_err(), "a refusal costs nothing and gains nothing");
        assert!(rates.spend(address(1), at(2000)).is_ok());
        assert!(rates.spend(address(1), at(2000)).is_err());
        assert!(rates.spend(address(2), at(0)).is_ok(), "another client has his own");
        assert_eq!(rates.spend(address(1), at(60_000)).unwrap().unwrap().remaining, 4);
    }

    #[test]
    fn subjects_and_addresses_are_counted_by_themselves_and_only_where_it_is_asked() {
        let rates = rates(0, 1, 100);
        let subject = Client::Subject("anna".into());
        assert!(matches!(rates.spend(address(1), at(0)), Ok(None)));
        assert!(rates.spend(subject.clone(), at(0)).is_ok());
        assert!(rates.spend(subject.clone(), at(0)).is_err());
        assert!(rates.replace(RateConfig::default()));
        assert!(matches!(rates.spend(subject, at(0)), Ok(None)), "a reload holds at once");
        assert!(!rates.replace(RateConfig::default()));
        let more = RateConfig { per_subject: 2, ..RateConfig::default() };
        assert!(rates.replace(more.clone()) && !rates.replace(more));
        let anna = || Client::Subject("anna".into());
        assert!(rates.spend(anna(), at(0)).is_ok(), "what was spent before was counted by other rules");
    }

    #[test]
    fn the_table_is_bounded_and_who_finds_no_room_shares_an_account() {
        let clients = 64;
        let rates = rates(2, 0, clients);
        for number in 0..10_000 {
            // most of them are refused: they share accounts
            drop(rates.spend(address(number), at(0)));
        }
        let kept =
            |rates: &Rates| -> usize { rates.tables.iter().map(|table| table.lock().unwrap().accounts.len()).sum() };
        assert_eq!(kept(&rates), clients as usize);
        let refused = (10_000..10_100).filter(|number| rates.spend(address(*number), at(1)).is_err()).count();
        assert_eq!(refused, 100, "nobody goes uncounted");
        // when the accounts are full again, there is room: for each of a few, in whichever table
        let served = (20_000..20_004).filter(|number| rates.spend(address(*number), at(20_000)).is_ok()).count();
        assert_eq!(served, 4);
        assert!(kept(&rates) <= clients as usize);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out_for_longer_than_a_window() {
        let rates = rates(1, 0, 100);
        assert!(rates.spend(address(1), at(3_600_000)).is_ok());
        let (_, spent) = rates.spend(address(1), at(0)).unwrap_err();
        assert!(spent.reset <= Duration::from_secs(10), "{spent:?}");
        assert!(rates.spend(address(1), at(3_600_000 - 1)).is_err());
    }

    #[test]
    fn the_headers_are_those_of_the_draft() {
        let spent = |name, remaining| Spent {
            name,
            quota: 100,
            within: Duration::from_mins(1),
            remaining,
            reset: Duration::from_millis(1500),
        };
        let mut headers = HeaderMap::new();
        Spent::write(&[spent("address", 99), spent("subject", 7)], &mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"address\";q=100;w=60, \"subject\";q=100;w=60");
        assert_eq!(headers["ratelimit"], "\"address\";r=99;t=2, \"subject\";r=7;t=2");
        let mut silent = HeaderMap::new();
        Spent::write(&[], &mut silent);
        assert!(silent.is_empty());
    }
}
