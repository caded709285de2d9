//! The systems: business rules in the vocabulary of `entity`, and nothing else.
//!
//! Pure like the vocabulary itself. One system knows nothing of another.

pub mod library;
pub mod procurement;
pub mod station;
pub mod stay;
pub mod store;

/// How a business "no" is told to a client: the same way in all systems.
pub trait Refusal: std::error::Error {
    /// A stable upper-case token that programs may compare.
    fn code(&self) -> &'static str;

    /// What kind of "no" it is.
    fn class(&self) -> RefusalClass;

    /// The field of the request that is to blame, as clients write it.
    fn field(&self) -> Option<&'static str> {
        None
    }
}

/// What a client can do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalClass {
    /// The request can never succeed as it is: mend it. 400 over HTTP.
    Invalid,
    /// What it is about does not exist (any more): forget it. 404 over HTTP.
    Gone,
    /// The present state forbids it: look again. 409 over HTTP.
    Conflict,
}
