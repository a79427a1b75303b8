//! What a plan shows, and when there is none.

use farquorum_config::BUILT_IN;

use crate::lab::ran::run;
use crate::lab::{Sim, file};
use crate::rollout;

#[test]
fn a_plan_names_the_order_and_the_commands_and_refuses_a_cluster_that_is_not_fit() {
    let Some(sim) = Sim::up(&[]) else { return };
    shows_what_would_be_done(&sim);
    takes_commands_from_the_configuration(&sim);
    refuses_what_makes_no_sense(&sim);
    refuses_with_a_node_down(&sim);
}

fn shows_what_would_be_done(sim: &Sim) {
    let json = run(rollout(sim, &["plan", "-o", "json"])).ok().json();
    let yaml = run(rollout(sim, &["plan", "-o", "yaml"])).ok().yaml();
    assert_eq!(json, yaml);
    let steps = json["steps"].as_array().unwrap();
    let last = steps.last().unwrap();
    assert_eq!((steps.len(), &last["host"]), (3, &json["leader"]), "{json}");
    assert_eq!((&last["hands_over"], &steps[0]["hands_over"]), (&true.into(), &false.into()), "{json}");
    for step in steps {
        let words = step["update"].as_array().unwrap();
        assert_eq!(words[words.len() - 2..], ["restart".into(), step["host"].clone()], "{step}");
        assert_eq!(step["version"], env!("CARGO_PKG_VERSION"), "{step}");
        assert_eq!(step["update"], step["rollback"], "{step}");
    }
    let leader = json["leader"].as_str().unwrap();
    let table = run(rollout(sim, &["plan", "--workers"])).ok();
    table.prints(&[
        &format!("3     {leader}"),
        "leads: last of the nodes",
        "follows: a majority serves",
        "7     worker-",
    ]);
}

/// A cluster that is no simulation, as far as its context says.
fn takes_commands_from_the_configuration(sim: &Sim) {
    let text = std::fs::read_to_string(sim.context_file()).unwrap();
    let elsewhere = sim.folder().join("elsewhere.toml");
    let without: String = text.split("[sim]").next().unwrap().to_owned();
    std::fs::write(&elsewhere, without).unwrap();
    let plan = |text: &str, extra: &[&str]| {
        let config = file(&sim.lab, "rollout.toml", text);
        let mut command = sim.lab.command();
        command.arg("--context").arg(&elsewhere).args(["--config", &config, "rollout", "plan"]).args(extra);
        run(command)
    };
    let with = |update: &str| format!("{BUILT_IN}\n[rollout]\nupdate = {update}\n");
    plan(BUILT_IN, &[])
        .code(2)
        .says(&["neither --update nor rollout.update is set", "try: farquorum config explain"]);
    let ssh = with(r#"["ssh", "root@{address}", "switch {cloud}"]"#);
    plan(&ssh, &[]).code(2).says(&["neither --rollback nor rollout.rollback is set", "--no-rollback"]);
    plan(&ssh, &["--no-rollback"])
        .ok()
        .prints(&["cp-gcp-1    ssh root@10.20.0.11 'switch gcp'", "note: no rollback"]);
    let other = ssh.replace("name = \"farquorum\"", "name = \"other\"");
    plan(&other, &["--no-rollback"])
        .code(2)
        .says(&["rollout.update is of cluster \"other\", and the context leads to cluster \"farquorum\""]);
    plan(&with(r#"["ssh", "{adress}"]"#), &[])
        .code(2)
        .says(&["rollout.update[1] = \"{adress}\"", "did you mean {address}?"]);
}

fn refuses_what_makes_no_sense(sim: &Sim) {
    let cases: &[(&[&str], &str)] = &[
        (
            &["--update", "restart"],
            "--update \"restart\": must say which host it is for: {name} or {address}",
        ),
        (&["--update", "restart '{name}"], "a quote is not closed"),
        (&["--rollback", "restart {nam}"], "did you mean {name}?"),
        (&["cp-gcp-2"], "no node and no worker is called \"cp-gcp-2\"; did you mean cp-gcp-1?"),
        (&["cp-gcp-1", "cp-gcp-1"], "cp-gcp-1 is named twice"),
        (&["--wait", "0"], "0.001 to 3600"),
    ];
    for (args, message) in cases {
        run(rollout(sim, &[&["apply"], *args].concat())).code(2).says(&[message]);
    }
}

fn refuses_with_a_node_down(sim: &Sim) {
    sim.verb(&["kill", "cp-gcp-1"]);
    for verb in ["plan", "apply"] {
        let ran = run(rollout(sim, &[verb])).code(3);
        assert!(!ran.err.contains(": update: "), "{ran}");
        ran.says(&[
            "the cluster cannot do without any node now",
            "cp-gcp-1 does not answer",
            "try: farquorum status",
        ]);
    }
    sim.verb(&["restart", "cp-gcp-1"]);
}

/// One voter: refused with the reason, and taken only by leave.
#[test]
fn one_node_alone_is_taken_only_by_leave() {
    let Some(lab) = crate::lab::Lab::enter() else { return };
    let text = BUILT_IN.replace("[cluster]", "[cluster]\nallow_single_node = true");
    let two = text.find("[[nodes]]\nid = 2").unwrap();
    let workers = text.find("[[workers]]").unwrap();
    let config = file(&lab, "one.toml", format!("{}{}", &text[..two], &text[workers..]));
    let sim = lab.up(&["--config", &config]);
    run(rollout(&sim, &["apply"])).code(4).says(&[
        "one voter alone",
        "try: add voters",
        "--allow-unavailable",
    ]);
    run(rollout(&sim, &["plan", "--allow-unavailable"]))
        .ok()
        .prints(&["leads, and nobody else can", "note: 1 of 1"]);
    let ran = run(rollout(&sim, &["apply", "--allow-unavailable"])).code(0);
    ran.prints(&["cp-aws-1  updated"]);
}
