use std::sync::Arc;

/// The role that may do everything, in every system.
pub(crate) const OPERATOR: &str = "operator";

/// Who sends a request, as a token or key proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    subject: Arc<str>,
    roles: Arc<[String]>,
}

impl Caller {
    pub(crate) fn new(subject: &str, roles: Vec<String>) -> Self {
        Self { subject: subject.into(), roles: roles.into() }
    }

    pub(crate) fn subject(&self) -> &Arc<str> {
        &self.subject
    }

    /// Whether any role of his counts in `system`.
    pub(crate) fn has_any_in(&self, system: &str) -> bool {
        self.roles.iter().any(|own| own.split_once('/').is_none_or(|(of, _)| of == system))
    }

    /// Whether one of `roles` of `system` is his. A role of his counts in every system, or in one: `store/owner`.
    pub(crate) fn has_any(&self, system: &str, roles: &[&str]) -> bool {
        self.roles.iter().any(|own| {
            let (of, own) = own.split_once('/').map_or((None, own.as_str()), |(of, own)| (Some(of), own));
            of.is_none_or(|of| of == system) && (own == OPERATOR || roles.contains(&own))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_counts_in_every_system_or_in_one() {
        let caller = Caller::new("anna", vec!["owner".into(), "stay/host".into()]);
        for (system, roles, expected) in [
            ("store", &["owner"][..], true),
            ("store", &["hq", "owner"], true),
            ("store", &["host"], false),
            ("stay", &["host"], true),
            ("stay", &["guest"], false),
            ("store", &[], false),
        ] {
            assert_eq!(caller.has_any(system, roles), expected, "{system} {roles:?}");
        }
        assert!(Caller::new("root", vec!["operator".into()]).has_any("store", &[]));
        let of_stay = Caller::new("root", vec!["stay/operator".into()]);
        assert_eq!((of_stay.has_any("stay", &[]), of_stay.has_any("store", &[])), (true, false));
    }
}
