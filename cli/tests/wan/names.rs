//! A host or cloud that is not there: every verb names the one that was probably meant, and all that there are.

use crate::lab::ran::run;
use crate::lab::{Sim, file};

/// What is asked, and what is then said on standard error.
const MISTYPED: &[(&[&str], &str)] = &[
    (
        &["cut", "awz", "gcp"],
        "no cloud or host `awz` in the lab; did you mean aws? Known: aws, azure, gcp, cp-aws-1",
    ),
    (&["cut", "cp-aws-1", "cp-aws-1"], "cp-aws-1 to itself cannot be cut: that never crosses the network"),
    (&["link", "aws", "gcp", "--delay-ms", "-5"], "delay_ms = -5.0: must be"),
    (&["cut", "aws", "cp-gcp1"], "no cloud or host `cp-gcp1` in the lab; did you mean cp-gcp-1? Known: "),
    (&["heal", "gpc"], "no cloud or host `gpc` in the lab; did you mean gcp? Known: "),
    (&["heal", "aws", "gpc"], "no cloud or host `gpc` in the lab; did you mean gcp? Known: "),
    (&["isolate", "azur"], "no cloud or host `azur` in the lab; did you mean azure? Known: "),
    (
        &["link", "awz", "gcp", "--delay-ms", "9"],
        "no cloud `awz` in the lab; did you mean aws? Known: aws, azure, gcp",
    ),
    (&["link", "gcp", "cp-aws-1", "--loss", "0"], "no cloud `cp-aws-1` in the lab; known: aws, azure, gcp"),
    (&["kill", "cp-asw-1"], "nothing runs on a host \"cp-asw-1\"; did you mean cp-aws-1? Known: "),
    (&["pause", "laeder"], "nothing runs on a host \"laeder\"; did you mean leader? Known: "),
    (&["resume", "nowhere"], "nothing runs on a host \"nowhere\"; known: "),
    (
        &["restart", "worker-gcp1"],
        "nothing runs on a host \"worker-gcp1\"; did you mean worker-gcp-1? Known: ",
    ),
    (
        &["exec", "operater", "--", "true"],
        "no host `operater` in the lab; did you mean operator? Known: cp-aws-1",
    ),
    (&["logs", "supervisr"], "did you mean supervisor? Known: cp-aws-1, cp-azure-1, cp-gcp-1, "),
];

#[test]
fn a_mistyped_name_gets_the_nearest_one() {
    let Some(sim) = Sim::up(&[]) else { return };
    let verb = |args: &[&str]| run(sim.command(&[&["sim"], args].concat()));
    for (args, said) in MISTYPED {
        verb(args).code(2).says(&[said]);
    }
    let trace = file(&sim.lab, "trace.csv", "0,50\n1,50\n");
    verb(&["trace", "aws", "gpc", &trace])
        .code(2)
        .says(&["no cloud `gpc` in the lab; did you mean gcp? Known: "]);
    let script = file(&sim.lab, "typo.yaml", "name: typo\nsteps:\n- {at_s: 0, kill: cp-asw-1}\n");
    verb(&["play", &script]).code(2).says(&["\"cp-asw-1\"; did you mean cp-aws-1? Known: "]);
}
