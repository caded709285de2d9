use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use http::header;

use super::{done, ok};
use crate::{
    EventQuery, EventsError, System,
    http::{
        Problem,
        request::{Response, percent_encode, set},
        table::Vars,
    },
};

/// Events of a page when no limit is given, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;
/// Longest wait for quiet: a request is no subscription.
const MAX_WITHIN: Duration = Duration::from_mins(1);

/// A page of business events, an array; `Link: <...>; rel="next"` leads to what comes after it.
pub(super) fn page(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let text = |name| vars.query(name).map(str::to_owned);
        let limit = match vars.query("limit").map(str::parse) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
            Some(_) => return Err(Problem::field("limit", format!("must be 1 to {MAX_LIMIT}"))),
        };
        let query = EventQuery {
            system: text("system"),
            kind: text("kind"),
            correlation: text("correlation"),
            after: text("after"),
            limit,
        };
        let filters: String = ["system", "kind", "correlation"]
            .iter()
            .filter_map(|name| vars.query(name).map(|value| format!("{name}={}&", percent_encode(value))))
            .collect();
        let page = system.events(query).await.map_err(|error| problem(&error))?;
        let mut response = ok(&page.events);
        let next = percent_encode(&page.next);
        set(&mut response, header::LINK, &format!("</admin/events?{filters}after={next}&limit={limit}>; rel=\"next\""));
        Ok(response)
    }
    .boxed()
}

fn problem(error: &EventsError) -> Problem {
    let message = error.to_string();
    match error {
        EventsError::NoCursor(_) | EventsError::Deleted { .. } => Problem::field("after", message),
        EventsError::Store(_) => Problem::unavailable("UNAVAILABLE", message, Duration::from_secs(1)),
    }
}

/// 200 when nothing is under way any more, 503 with what still is.
pub(super) fn quiesce(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let within = vars.query("within").map_or(Some(Duration::from_secs(5)), duration);
        let within = within.filter(|within| *within <= MAX_WITHIN);
        let within =
            within.ok_or_else(|| Problem::field("within", "must be a duration like 500ms or 5s, at most 60s"))?;
        match system.quiesce(within).await {
            Ok(()) => Ok(done("quiet")),
            Err(lags) => {
                let problem =
                    Problem::unavailable("NOT_QUIET", format!("not quiet within {within:?}"), Duration::from_secs(1));

                Err(problem.with("lagging", lags.into()))
            }
        }
    }
    .boxed()
}

/// `500ms`, `5s`.
fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("5s"), Some(Duration::from_secs(5)));
        for bad in ["", "5", "s", "-1s", "5m", "1.5s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
