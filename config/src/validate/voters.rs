//! How many voters there are, and what that means for the cluster.

use crate::finding::Report;
use crate::raw::Raw;
use crate::types::Node;

/// At least one voter; one alone needs `cluster.allow_single_node`; two and even numbers warn.
pub(super) fn check(raw: &Raw, nodes: &[Node], report: &mut Report) {
    if raw.nodes.is_empty() {
        if !report.has_error("nodes") {
            report.error("nodes", None, "missing; at least one node is needed, better three, as [[nodes]]");
        }
        return;
    }
    // RAFT_PEERS with a mistake says nothing about how many voters are meant.
    if report.has_error_at("nodes") {
        return;
    }
    let voters = nodes.iter().filter(|node| node.voter).count();
    let survives = |voters: usize| voters.saturating_sub(1) / 2;
    let value = Some(format!("{voters} voters"));
    match voters {
        0 => report.error(
            "nodes",
            value,
            "at least one node must be a voter; remove `voter = false`, better from three",
        ),
        1 if raw.cluster.allow_single_node == Some(true) => {
            report.warn(
                "nodes",
                Some("1 voter".to_owned()),
                "nothing survives its loss; for development only",
            );
        }
        1 => {
            let message = "a single voter survives no loss; add two nodes, or set cluster.allow_single_node = true \
                           for development";
            report.error("nodes", Some("1 voter".to_owned()), message);
        }
        2 => {
            let message = "both must be up for every write, so two are less available than one; use three";
            report.warn("nodes", value, message);
        }
        even if even % 2 == 0 => {
            let message = format!(
                "an even number survives the loss of {}, no more than {} would, and when it is split into equal \
                 halves neither can write; use {} or {}",
                survives(even),
                even - 1,
                even - 1,
                even + 1
            );
            report.warn("nodes", value, message);
        }
        _ => {}
    }
}
