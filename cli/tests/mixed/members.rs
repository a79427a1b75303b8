//! A simulation whose nodes run one of two programs each, exchanged one by one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use crate::lab::writes::{Crowd, History};
use crate::lab::{BINARY, Lab, Sim, await_that, file};
use crate::next;

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The binary under test.
    Older,
    /// This test's own.
    Newer,
}

impl Program {
    /// As status shows it.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Older => env!("CARGO_PKG_VERSION"),
            Self::Newer => next::VERSION,
        }
    }

    fn path(self) -> PathBuf {
        match self {
            Self::Older => BINARY.into(),
            Self::Newer => std::env::current_exe().unwrap(),
        }
    }
}

/// The simulation and what runs in it.
pub(crate) struct Members {
    pub(crate) sim: Sim,
    /// A link to its program by the name of each node.
    links: PathBuf,
    now: BTreeMap<String, Program>,
    /// Replacements so far.
    replaced: u32,
}

impl Members {
    /// All of the older version.
    pub(crate) fn up(lab: &Lab, options: &[&str]) -> Self {
        let links = lab.state.path().join("programs");
        // Its arguments begin with: node run --name NAME.
        let program =
            file(lab, "programs/node", format!("#!/bin/sh\nexec {}/\"$4\" \"$@\"\n", links.display()));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let config = farquorum_config::load(&farquorum_config::Sources::default()).unwrap().config;
        let nodes = config.nodes.into_iter().map(|node| node.name);
        let now: BTreeMap<_, _> = nodes.map(|name| (name, Program::Older)).collect();
        now.iter().for_each(|(name, program)| symlink(program.path(), links.join(name)).unwrap());
        let sim = lab.up(&[&["--node-program", &program], options].concat());
        Self { sim, links, now, replaced: 0 }
    }

    /// Gives a node this program at its next start.
    pub(crate) fn give(&mut self, node: &str, program: Program) {
        let link = self.links.join(node);
        fs::remove_file(&link).unwrap();
        symlink(program.path(), link).unwrap();
        self.now.insert(node.to_owned(), program);
    }

    /// Stops a node as an update does, starts it with this program, and waits until it has caught up; clients write
    /// meanwhile. What was written is appended.
    pub(crate) async fn replace(&mut self, node: &str, program: Program, history: &mut History) {
        self.replaced += 1;
        let crowd = Crowd::start(&[self.sim.cluster(10.0)], 8, 300, &format!("replaced/{}/", self.replaced));
        self.give(node, program);
        self.sim.verb(&["restart", node]);
        let mut written = crowd.end().await;
        assert!(written.failed.is_empty(), "{node} was replaced: {:?}", written.failed);
        println!("{node} is {}: longest pause {} ms", program.version(), written.longest_gap().as_millis());
        history.done.append(&mut written.done);
        self.sim.agreed(60).await;
    }

    /// Every node's version, as the operator sees it.
    pub(crate) fn check_versions(&self) {
        let status = self.sim.json(&["status"]);
        let shown: BTreeMap<_, _> = status["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| {
                (node["name"].as_str().unwrap().to_owned(), node["version"].as_str().unwrap().to_owned())
            })
            .collect();
        let expected: BTreeMap<_, _> =
            self.now.iter().map(|(name, program)| (name.clone(), program.version().to_owned())).collect();
        assert_eq!(shown, expected);
    }

    /// Makes a node lead.
    pub(crate) async fn lead(&self, node: &str) {
        let id = self.sim.context().nodes.iter().find(|it| it.name == node).unwrap().id;
        let cluster = self.sim.cluster(10.0);
        await_that(&format!("{node} leads"), 60, || async {
            let (leader, _) = self.sim.leader().await;
            if leader.name == node {
                return Some(());
            }
            // Refused while it is behind; then again.
            let _later = cluster.cluster().transfer_leader(id).await;
            None
        })
        .await;
    }

    /// Each node leads once while clients write; then all have the same state. What was written is appended.
    pub(crate) async fn check(&self, what: &str, history: &mut History) {
        self.check_versions();
        let clients = [self.sim.cluster(10.0), self.sim.cluster(10.0)];
        let crowd = Crowd::start(&clients, 16, 300, &format!("{what}/"));
        for node in self.now.keys() {
            self.lead(node).await;
            let key = format!("{what}/by/{node}");
            assert!(history.write(&clients[0], key, node.clone()).await, "{:?}", history.failed.last());
        }
        let mut written = crowd.end().await;
        assert!(written.failed.is_empty(), "{what}: {:?}", written.failed);
        written.revisions_follow_real_time();
        history.done.append(&mut written.done);
        let (states, _) = self.sim.agreed(60).await;
        println!(
            "{what}: {} writes so far, equal state {} at {}",
            history.done.len(),
            states[0].state_hash,
            states[0].applied
        );
    }
}
