//! `farquorum transfer`: hand leadership to another node.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::cluster::Connection;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::{self, Show};
use crate::runtime;

/// `farquorum transfer`
#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    /// Node; without it, the leader picks the one that is furthest along
    node: Option<String>,
}

/// Hands leadership over and says who leads then.
pub(crate) fn run(global: &Global, args: &TransferArgs) -> Result<ExitCode, Failure> {
    let leader = runtime::block_on(transfer(global, args))?;
    output::print(global.output, &Leads { leader })?;
    Ok(ExitCode::SUCCESS)
}

/// Who leads now.
#[derive(Serialize)]
struct Leads {
    leader: String,
}

impl Show for Leads {
    fn table(&self) -> String {
        format!("{} leads", self.leader)
    }
}

async fn transfer(global: &Global, args: &TransferArgs) -> Result<String, Failure> {
    let connection = Connection::open(global).await?;
    let nodes = &connection.context.nodes;
    let to = match &args.node {
        None => 0,
        Some(name) => nodes.iter().find(|node| node.name == *name).map(|node| node.id).ok_or_else(|| {
            let known: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
            Failure::usage(format!("there is no node {name:?}; the nodes are: {}", known.join(", ")))
        })?,
    };
    let leader = connection.cluster.cluster().transfer_leader(to).await?.leader_id;
    let name = nodes.iter().find(|node| node.id == leader).map_or("unknown", |node| node.name.as_str());
    match &args.node {
        Some(asked) if leader != to => Err(Failure::failed(format!("{name} leads, not {asked}"))
            .hint("once more: leadership may have moved by itself meanwhile")),
        _ => Ok(name.to_owned()),
    }
}
