//! Every command that prints data: JSON has the fields of its golden file, YAML says the same, the table has the same
//! rows.

use serde_json::Value;

use crate::lab::Sim;
use crate::ran::Ran;
use crate::{ran, shape};

/// A small text that is on every Debian and Ubuntu.
const TEXT: &str = "/usr/share/common-licenses/BSD";

/// What the three formats of a command have in common.
#[derive(Clone, Copy, PartialEq)]
enum Same {
    /// Fields and types: values change from call to call.
    Shape,
    /// Every value.
    Values,
    /// It cannot be called twice.
    Once,
}

use Same::{Once, Shape, Values};

/// Name of the golden file; arguments; what is the same; the list whose elements are the table's rows, and the field
/// that each row begins with.
type Case = (&'static str, &'static [&'static str], Same, Option<(&'static str, &'static str)>);

const CASES: &[Case] = &[
    ("kv_set", &["kv", "set", "one", "1"], Shape, None),
    ("kv_get", &["kv", "get", "one"], Values, None),
    ("kv_cas", &["kv", "cas", "one", "--expect", "1", "1"], Shape, None),
    ("kv_list", &["kv", "list"], Values, Some(("items", "key"))),
    ("kv_del", &["kv", "del", "one"], Shape, None),
    ("task_cancel", &["task", "cancel", "2"], Once, None),
    ("task_submit", &["task", "submit", "command", r#"{"argv": ["true"]}"#, "--wait"], Shape, None),
    ("task_get", &["task", "get", "1"], Values, None),
    ("task_list", &["task", "list"], Values, Some(("tasks", "id"))),
    ("job_run", &["job", "run", "wordcount", "--input", TEXT, "--reducers", "2"], Once, None),
    ("job_run_detach", &["job", "run", "wordcount", "--input", TEXT, "--detach"], Once, None),
    ("job_get", &["job", "get", "1"], Values, None),
    ("job_list", &["job", "list"], Shape, Some(("jobs", "id"))),
    ("worker_list", &["worker", "list"], Shape, Some(("workers", "name"))),
    ("status", &["status"], Shape, Some(("nodes", "name"))),
    ("rollout_plan", &["rollout", "plan"], Shape, Some(("steps", "step"))),
    ("sim_status", &["sim", "status"], Shape, Some(("hosts", "name"))),
    ("sim_check", &["sim", "check"], Shape, Some(("pairs", "from"))),
    ("sim_list", &["sim", "list"], Values, None),
    ("storage_list", &["storage", "list"], Shape, None),
    ("storage_check", &["storage", "check"], Shape, None),
    ("config_show", &["config", "show"], Values, None),
    ("config_keys", &["config", "keys"], Values, Some(("keys", "key"))),
];

/// Runs every case, in order: later ones see what earlier ones did.
pub(crate) fn all(sim: &Sim) {
    for (key, value) in [("two", "2"), ("three", "3")] {
        ran(sim, &["kv", "set", key, value]).ok();
    }
    ran(sim, &["task", "submit", "command", r#"{"argv": ["uname"]}"#, "--wait"]).code(0);
    ran(sim, &["task", "submit", "command", r#"{"argv": ["sleep", "600"]}"#]).ok();
    for case in CASES {
        check(sim, case);
    }
}

fn check(sim: &Sim, (name, args, same, list): &Case) {
    // Who waits is told for what, aside.
    let done = |ran: Ran| if args.contains(&"--wait") { ran.code(0) } else { ran.ok() };
    let json = done(ran(sim, &[args, &["-o", "json"][..]].concat())).json();
    shape::check(name, &json);
    if *same == Once {
        return;
    }
    let yaml = done(ran(sim, &[args, &["-o", "yaml"][..]].concat())).yaml();
    assert_eq!(shape::of(&yaml), shape::of(&json), "{name}: YAML has other fields than JSON");
    if *same == Values {
        assert_eq!(yaml, json, "{name}: YAML says something else than JSON");
    }
    let table = done(ran(sim, args)).text();
    if let Some((list, field)) = list {
        check_rows(name, &table, json[*list].as_array().unwrap(), field);
    }
}

/// A heading, and below it one line for each element, in the same order.
fn check_rows(name: &str, table: &str, items: &[Value], field: &str) {
    let heading = |line: &&str| line.chars().any(char::is_uppercase) && *line == line.to_uppercase();
    let from = table.lines().position(|line| heading(&line)).unwrap_or_else(|| panic!("{name}: {table}"));
    let rows = table.lines().skip(from + 1).take_while(|line| !line.is_empty());
    let firsts: Vec<&str> = rows.map(|row| row.split_whitespace().next().unwrap()).collect();
    let expected: Vec<String> = items.iter().map(|item| plain(&item[field])).collect();
    assert!(!expected.is_empty(), "{name}: nothing to compare");
    assert_eq!(firsts, expected, "{name}: the table has other rows than JSON:\n{table}");
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
