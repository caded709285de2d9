//! What a caller may do with the resources of a system. Where nobody is asked who he is, everybody may do everything.

use http::{StatusCode, header};

use super::Caller;
use crate::http::Problem;

/// Whether `caller` may see what there is of `system`: whoever has any role in it.
///
/// # Errors
/// 403.
pub(crate) fn may_read(caller: Option<&Caller>, system: &str) -> Result<(), Problem> {
    match caller {
        Some(caller) if !caller.has_any_in(system) => Err(forbidden(caller, format_args!("a role in {system}"))),
        _ => Ok(()),
    }
}

/// Whether `caller` may change something of a resource of `system` that `roles` and operators command.
///
/// # Errors
/// 403, with the roles that may.
pub(crate) fn may_command(caller: Option<&Caller>, system: &str, roles: &[&str]) -> Result<(), Problem> {
    match caller {
        Some(caller) if !caller.has_any(system, roles) => {
            let needed = if roles.is_empty() { "operator".to_owned() } else { roles.join(" or ") };
            Err(forbidden(caller, format_args!("the role {needed} of {system}")).with("roles", roles.into()))
        }
        _ => Ok(()),
    }
}

fn forbidden(caller: &Caller, needed: std::fmt::Arguments<'_>) -> Problem {
    const INSUFFICIENT: &str = r#"Bearer realm="steadfast", error="insufficient_scope""#;
    let message = format!("this takes {needed}, which {} does not have", caller.subject());
    Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", message)
        .with_header(header::WWW_AUTHENTICATE, INSUFFICIENT)
        .with("outcome", "not done".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_say_who_may_do_what() {
        let clerk = Caller::new("anna", vec!["station/clerk".into()]);
        let anna = Some(&clerk);
        assert!(may_read(anna, "station").is_ok() && may_read(anna, "store").is_err());
        assert!(may_command(anna, "station", &["clerk"]).is_ok());
        let refused = may_command(anna, "station", &["hq"]).unwrap_err();
        assert_eq!(refused.status(), 403);
        assert!(may_command(anna, "station", &[]).is_err());
        assert!(may_command(None, "station", &[]).is_ok() && may_read(None, "store").is_ok(), "nobody is asked");
        let nobody = Caller::new("eve", vec![]);
        assert!(may_read(Some(&nobody), "store").is_err());
    }
}
