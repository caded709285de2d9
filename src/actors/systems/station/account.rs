//! A credit account (service Station). Kept by hand and linked to nothing: the accounts' bookkeeping was never built.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::values::{InvalidValue, Milli};
use crate::actors::{
    entity::{
        Command, CommandContext, Decision, DomainEvent, Effects, Entity, Listed, Number, NumberedId, Presence, persist,
    },
    systems::{Refusal, RefusalClass},
};

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    phase: Phase,
    contents: AccountContents,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Open,
    Closed,
}

/// What an account says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AccountContents {
    /// Whose it is.
    pub account_name: Option<String>,
    /// What is on it.
    pub amount: Option<Milli>,
}

/// What happens to an account. All of it is internal: the topic has no such events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AccountEvent {
    /// It is there.
    AccountOpened(AccountContents),
    /// It says something else.
    AccountRewritten(AccountContents),
    /// It is gone.
    AccountClosed,
}

impl DomainEvent for AccountEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        match self {
            Self::AccountOpened(_) => "AccountOpened",
            Self::AccountRewritten(_) => "AccountRewritten",
            Self::AccountClosed => "AccountClosed",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

/// Why an account does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum AccountRejection {
    /// The request has a value that no account can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The account was closed, or there never was one.
    #[error("there is no such account (any more)")]
    Gone,
    /// The same account was opened before.
    #[error("the account exists already")]
    AlreadyOpen,
}

impl Refusal for AccountRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_ACCOUNT",
            Self::AlreadyOpen => "ALREADY_OPEN",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::AlreadyOpen => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone | Self::AlreadyOpen => None,
        }
    }
}

impl Entity for Account {
    const KIND: &'static str = "station.account";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = AccountEvent;
    type Rejection = AccountRejection;
    const COMMANDS: &'static [&'static str] = &[OpenAccount::NAME, RewriteAccount::NAME, CloseAccount::NAME];

    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::AccountOpened(contents) | AccountEvent::AccountRewritten(contents) => {
                *self = Self { phase: Phase::Open, contents: contents.clone() };
            }
            AccountEvent::AccountClosed => *self = Self { phase: Phase::Closed, ..Self::default() },
        }
    }
}

impl Listed for Account {
    const LIST: &'static str = "station.accounts";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New => Presence::Hidden,
            Phase::Open => Presence::Listed,
            Phase::Closed => Presence::Removed,
        }
    }
}

/// An account as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountItem {
    /// The account's number.
    pub account_id: u64,
    /// Whose it is.
    pub account_name: Option<String>,
    /// What is on it.
    pub amount: Option<f64>,
}

impl AccountContents {
    fn item(&self, number: Number) -> AccountItem {
        let Self { account_name, amount } = self.clone();
        AccountItem { account_id: number.get(), account_name, amount: amount.map(Milli::as_f64) }
    }
}

impl Account {
    /// The account as clients see it; `None` when there is none (any more).
    pub fn item(&self, number: Number) -> Option<AccountItem> {
        (self.phase == Phase::Open).then(|| self.contents.item(number))
    }
}

/// Opens an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenAccount {
    /// What it says.
    pub contents: AccountContents,
}

impl Command<Account> for OpenAccount {
    const NAME: &'static str = "open-account";
    type Reply = AccountItem;
    fn decide(self, account: &Account, ctx: &CommandContext) -> Decision<Account, AccountItem> {
        if account.phase != Phase::New {
            return Err(AccountRejection::AlreadyOpen);
        }
        let item = self.contents.item(ctx.number);
        Ok(persist([AccountEvent::AccountOpened(self.contents)]).reply(item))
    }
}

/// Lets an account say something else. Writes nothing when it says that already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewriteAccount {
    /// Whose it is; the outer `None` keeps it, here and below.
    pub account_name: Option<Option<String>>,
    /// What is on it.
    pub amount: Option<Option<Milli>>,
}

impl Command<Account> for RewriteAccount {
    const NAME: &'static str = "rewrite-account";
    type Reply = AccountItem;
    fn decide(self, account: &Account, ctx: &CommandContext) -> Decision<Account, AccountItem> {
        if account.phase != Phase::Open {
            return Err(AccountRejection::Gone);
        }
        let now = account.contents.clone();
        let contents = AccountContents {
            account_name: self.account_name.unwrap_or(now.account_name),
            amount: self.amount.unwrap_or(now.amount),
        };
        let item = contents.item(ctx.number);
        if contents == account.contents {
            return Ok(Effects::reply(item));
        }
        Ok(persist([AccountEvent::AccountRewritten(contents)]).reply(item))
    }
}

/// Closes an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloseAccount;

impl Command<Account> for CloseAccount {
    const NAME: &'static str = "close-account";
    type Reply = ();
    fn decide(self, account: &Account, _: &CommandContext) -> Decision<Account, ()> {
        match account.phase {
            Phase::Open => Ok(persist([AccountEvent::AccountClosed]).reply(())),
            Phase::New | Phase::Closed => Err(AccountRejection::Gone),
        }
    }
}
