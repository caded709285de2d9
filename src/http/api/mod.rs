//! The resources of each system: what its fields are and which command each method is.

mod library;
mod procurement;
mod station;
mod stay;
mod store;

pub use library::library;
pub use procurement::procurement;
pub use station::station;
pub use stay::stay;
pub use store::store;

/// What a declaration shows of a representation: key, fields, and nothing that it forgot.
#[cfg(test)]
fn as_shown(key: super::Field, declared: &[super::Field], representation: &impl serde::Serialize) -> String {
    let fields = super::shown(representation);
    let known = |name: &str| name == key.name || declared.iter().any(|field| field.name == name);
    assert!(fields.iter().all(|(name, _)| known(name)), "undeclared: {fields:?}");
    let value = |name: &str| fields.get(name).expect("every declared field");
    let values = std::iter::once(&key).chain(declared).map(|field| format!("{}={}", field.name, value(field.name)));
    values.collect::<Vec<_>>().join(" ")
}
