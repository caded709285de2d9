//! Which figures there are. docs/observability.md says what each is for.

use super::families::{Families, Labels};
use crate::{BreakerState, JournalFigures, KindFigures, System, TreeNode};

/// What a service can be.
const SERVICE_STATES: [&str; 6] = ["running", "redeploying", "stopping", "stopped", "backoff", "failed"];

/// What a breaker can be.
const BREAKER_STATES: [&str; 3] = ["closed", "open", "half_open"];

/// All figures of a system, as the text that Prometheus reads. What cannot be read now is left out.
///
/// # Cancel safety
/// Reads only.
pub async fn metrics(system: &System) -> String {
    let mut families = Families::default();
    let tree = system.tree().await;
    whole(&mut families, system, &tree);
    services(&mut families, system);
    restarts(&mut families, &tree);
    kinds(&mut families, &system.kinds());
    journals(&mut families, &system.journals().await);
    consumers(&mut families, system).await;
    links(&mut families, system);
    bulkheads(&mut families, system);
    requests(&mut families, system);
    families.text()
}

fn whole(families: &mut Families, system: &System, root: &TreeNode) {
    families.gauge("build_info", "1; which release runs.").level(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    let started = root.since.as_millis() / 1000;
    families.gauge("start_time_seconds", "When the system was started, since 1970.").level(&[], started);
    let ready = u64::from(system.not_ready().is_empty());
    families.gauge("ready", "Whether the process serves: 1 or 0.").level(&[], ready);
    let read = system.configuration();
    let mut reloads = families.counter("config_reloads_total", "How often the configuration was read again.");
    reloads.count(&[("outcome", "taken")], read.reloads);
    reloads.count(&[("outcome", "refused")], read.refusals);
    let active = system.faults().list().iter().filter(|fault| fault.ended.is_none()).count();
    families.gauge("faults_active", "Faults that are injected on purpose now.").level(&[], active as u64);
}

fn services(families: &mut Families, system: &System) {
    let all = system.services();
    let mut states = families.gauge("service_state", "What each service does: 1 for its state, 0 for the others.");
    for service in &all {
        states.state(&[("system", &service.system), ("service", &service.service)], &SERVICE_STATES, service.state);
    }
    let mut depth = families.gauge("mailbox_depth", "Messages that wait in the mailboxes of a service.");
    for service in &all {
        depth.level(&[("system", &service.system), ("service", &service.service)], service.waiting as u64);
    }
}

/// Everything below the root, each with its path.
fn restarts(families: &mut Families, tree: &TreeNode) {
    let mut restarts =
        families.counter("restarts_total", "How often a part of the supervision tree was started again.");
    let mut nodes: Vec<(String, &str, &TreeNode)> =
        tree.children.iter().map(|child| (child.name.clone(), "", child)).collect();
    while let Some((path, service, node)) = nodes.pop() {
        let (system, name) = service.split_once('/').unwrap_or_default();
        restarts.count(&[("system", system), ("service", name), ("node", &path)], node.restarts);
        nodes.extend(node.children.iter().rev().map(|child| {
            let service = if path == "services" { child.name.as_str() } else { service };
            (format!("{path}/{}", child.name), service, child)
        }));
    }
}

fn kinds(families: &mut Families, kinds: &[KindFigures]) {
    let labels = |kind: &KindFigures| [("system", kind.system), ("service", kind.service), ("kind", kind.kind)];
    let mut commands = families.counter("commands_total", "Commands by how they ended.");
    for kind in kinds {
        for (outcome, count) in &kind.commands.outcomes {
            let labels: Vec<_> = labels(kind).into_iter().chain([("outcome", *outcome)]).collect();
            commands.count(&labels, *count);
        }
    }
    let mut seconds = families.histogram("command_seconds", "Time from asking a command to its answer.");
    for kind in kinds {
        seconds.seconds(&labels(kind), &kind.commands.seconds);
    }
    let mut refused =
        families.counter("mailbox_refused_total", "Messages refused because a mailbox or its service was full.");
    for kind in kinds {
        refused.count(&labels(kind), kind.mailbox_refused);
    }
    let mut live = families.gauge("entities_live", "Entities in memory.");
    for kind in kinds {
        live.level(&labels(kind), kind.live as u64);
    }
    let mut quarantined = families.gauge("quarantined", "Entities in quarantine.");
    for kind in kinds {
        quarantined.level(&labels(kind), kind.quarantined as u64);
    }
    let mut recoveries = families.histogram("recovery_seconds", "Time to bring an entity back into memory.");
    for kind in kinds {
        recoveries.seconds(&labels(kind), &kind.recoveries);
    }
}

fn journals(families: &mut Families, units: &[JournalFigures]) {
    let mut level = |name: &str, help: &str, of: fn(&JournalFigures) -> u64| {
        let mut family = families.gauge(name, help);
        for unit in units {
            family.level(&[("unit", &unit.unit)], of(unit));
        }
    };
    level("journal_durable_offset", "Events that are durable, of all partitions.", |unit| unit.durable);
    level("journal_bytes", "Bytes of the journal's files.", |unit| unit.disk_bytes);
    level("journal_waiting", "Appends that wait for the writer.", |unit| unit.journal.waiting);
    level("journal_writable", "Whether the journal takes writes: 1 or 0.", |unit| u64::from(unit.writable));
    let mut seconds =
        families.histogram("journal_append_seconds", "Time from the begin of a group's write to the end of its sync.");
    for unit in units {
        seconds.seconds(&[("unit", &unit.unit)], &unit.journal.group_micros);
    }
    let mut sizes = families.histogram("journal_group_size", "Appends that one sync made durable.");
    for unit in units {
        sizes.sizes(&[("unit", &unit.unit)], &unit.journal.group_sizes);
    }
    let mut refused = families.counter("journal_refused_total", "Appends that the journal refused.");
    for unit in units {
        refused.count(&[("unit", &unit.unit), ("reason", "full")], unit.journal.overloaded);
        refused.count(&[("unit", &unit.unit), ("reason", "no_space")], unit.journal.no_space);
    }
    let mut snapshots = families.counter("snapshot_total", "Snapshots by what became of them.");
    for unit in units {
        for (outcome, count) in &unit.snapshots {
            snapshots.count(&[("unit", &unit.unit), ("outcome", outcome)], *count);
        }
    }
}

async fn consumers(families: &mut Families, system: &System) {
    let mut all: Vec<(Vec<(&'static str, String)>, u64)> = Vec::new();
    // One figure for all partitions: which of them is behind, `/admin/consumers` tells.
    for lane in system.consumers().await {
        let labels = vec![("system", lane.system), ("service", lane.service), ("consumer", lane.name)];
        match all.last_mut().filter(|(known, _)| *known == labels) {
            Some((_, lag)) => *lag += lane.lag,
            None => all.push((labels, lane.lag)),
        }
    }
    let mut lag = families.gauge("consumer_lag", "Events that a policy, view or connector is behind.");
    for (labels, events) in &all {
        let labels: Vec<_> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        lag.level(&labels, *events);
    }
    let mut letters = families.gauge("dead_letters", "Deliveries that were put aside and wait for an operator.");
    match system.letter_counts().await {
        Ok(counts) => {
            for count in counts {
                let labels: Labels<'_> =
                    &[("system", count.system), ("service", count.service), ("consumer", count.policy)];
                letters.level(labels, count.waiting as u64);
            }
        }
        Err(error) => tracing::debug!(%error, "dead letters are left out of the figures"),
    }
}

fn links(families: &mut Families, system: &System) {
    let links = system.links();
    let mut states = families.gauge("breaker_state", "What the breaker of a link does: 1 for its state, 0 for others.");
    for link in &links {
        let state = match link.state {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half_open",
        };
        states.state(&[("link", &link.link)], &BREAKER_STATES, state);
    }
    let mut transitions = families.counter("breaker_transitions_total", "How often a breaker came into each state.");
    for link in &links {
        for (to, count) in [("open", link.opened), ("half_open", link.half_opened), ("closed", link.closed)] {
            transitions.count(&[("link", &link.link), ("to", to)], count);
        }
    }
    let mut seconds = families.histogram("link_seconds", "Time of a call from one service to another.");
    for link in &links {
        seconds.seconds(&[("link", &link.link)], &link.seconds);
    }
    let mut refused = families.counter("link_refused_total", "Calls that were not made.");
    for link in &links {
        refused.count(&[("link", &link.link), ("reason", "open")], link.refused_open);
        refused.count(&[("link", &link.link), ("reason", "full")], link.refused_full);
    }
}

fn bulkheads(families: &mut Families, system: &System) {
    let all = system.bulkheads();
    let mut in_flight = families.gauge("bulkhead_in_flight", "Calls that are worked on in a bulkhead.");
    for pool in &all {
        in_flight.level(&[("bulkhead", &pool.name)], pool.in_flight as u64);
    }
    let mut waiting = families.gauge("bulkhead_waiting", "Calls that wait for a place in a bulkhead.");
    for pool in &all {
        waiting.level(&[("bulkhead", &pool.name)], pool.waiting as u64);
    }
    let mut refused = families.counter("bulkhead_refused_total", "Calls that a bulkhead refused.");
    for pool in &all {
        refused.count(&[("bulkhead", &pool.name)], pool.refused);
    }
    let mut workers = families.gauge("pool_workers", "Workers of a bulkhead: those it has, and should have.");
    for pool in &all {
        workers.level(&[("bulkhead", &pool.name), ("count", "desired")], pool.desired as u64);
        workers.level(&[("bulkhead", &pool.name), ("count", "current")], pool.current as u64);
    }
}

fn requests(families: &mut Families, system: &System) {
    let (meters, routes) = (system.requests(), system.requests().figures());
    let mut answered = families.counter("http_requests_total", "Requests by route, method and status.");
    for route in &routes {
        for (method, status, count) in &route.answered {
            let labels: Labels<'_> = &[
                ("system", route.system),
                ("service", route.service),
                ("route", &route.route),
                ("method", method),
                ("status", status),
            ];
            answered.count(labels, *count);
        }
    }
    let mut seconds = families.histogram("http_request_seconds", "Time from a request's head to its answer.");
    for route in &routes {
        let labels: Labels<'_> = &[("system", route.system), ("service", route.service), ("route", &route.route)];
        seconds.seconds(labels, &route.seconds);
    }
    let (taken, dropped) = meters.lines();
    let mut lines = families.counter("access_log_lines_total", "Lines for the access log: taken, or dropped.");
    lines.count(&[("outcome", "taken")], taken);
    lines.count(&[("outcome", "dropped")], dropped);
    let shed = meters.shed();
    families.counter("http_shed_total", "Requests that were refused unseen: too many were under way.").count(&[], shed);
}
