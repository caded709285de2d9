//! `steadfast tree`: who supervises whom in a running instance.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use steadfast::{NodeKind, TreeNode};
use tokio_util::task::TaskTracker;

use super::{
    Exit,
    bench::client::{Call, Client, Site},
    data::say_json,
    say, token_file,
};

#[derive(Debug, Args)]
pub(super) struct Tree {
    /// The operators' address of the instance.
    #[arg(long, default_value = "http://127.0.0.1:9900")]
    admin: String,
    /// A file with an operator's token, as [admin] `token_file` has them; the first one counts.
    #[arg(long, env = "STEADFAST_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// The tree as JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Tree {
    pub(super) fn run(self) -> Result<(), Exit> {
        let site = Site::of(&self.admin).map_err(Exit::Usage)?;
        let token = self.token_file.map(|file| token_file::read(&file)).transpose().map_err(Exit::Usage)?;
        let site = site.known_by(token);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start the async runtime").map_err(Exit::Other)?;
        let call = Call::get("/admin/tree");
        let answer = runtime.block_on(async { Client::new(&site, &TaskTracker::new()).must(&call).await });
        let tree = answer.with_context(|| format!("{site} does not tell its tree")).map_err(Exit::Other)?.json();
        if self.json {
            return say_json(&tree);
        }
        let tree: TreeNode = serde_json::from_value(tree)
            .with_context(|| format!("{site} tells something else than a tree"))
            .map_err(Exit::Other)?;
        show(&tree, 0);
        Ok(())
    }
}

fn show(node: &TreeNode, depth: usize) {
    say(&line(node, depth));
    node.children.iter().for_each(|child| show(child, depth + 1));
}

/// As it is in one line: name, strategy, state, and what went wrong.
fn line(node: &TreeNode, depth: usize) -> String {
    let word = |value: serde_json::Result<serde_json::Value>| match value {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    };
    let mut line = format!("{}{}", "  ".repeat(depth), node.name);
    if node.kind == NodeKind::Supervisor
        && let Some(strategy) = node.strategy
    {
        line = format!("{line} ({})", word(serde_json::to_value(strategy)));
    }
    line = format!("{line}: {}", word(serde_json::to_value(node.state)));
    if node.restarts > 0 {
        line = format!("{line}, {} restarts", node.restarts);
    }
    match &node.last_reason {
        Some(reason) => format!("{line}; {reason}"),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_a_line() {
        let node = |restarts: u64, reason: Option<&str>| -> TreeNode {
            serde_json::from_value(json!({"name": "store/order", "kind": "supervisor", "strategy": "one_for_all",
                "state": "running", "restarts": restarts, "since": 0, "last_reason": reason, "children": []}))
            .unwrap()
        };
        assert_eq!(line(&node(0, None), 1), "  store/order (one_for_all): running");
        assert_eq!(line(&node(2, Some("ill")), 0), "store/order (one_for_all): running, 2 restarts; ill");
    }
}
