//! DEP-4: one cluster of two versions. The binary under test is the older one; this test program is the newer one when
//! its first argument is `node`, so that both are there without a second build (see `next` and Cargo.toml: the test has
//! no harness but this `main`). Other arguments: names of tests, or parts of them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

#[path = "../lab/mod.rs"]
mod lab;
mod members;
mod next;
mod rolling;

use std::process::ExitCode;

use lab::ran;

const TESTS: [(&str, fn()); 1] =
    [("nodes_are_updated_and_set_back_one_by_one", rolling::nodes_are_updated_and_set_back_one_by_one)];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "node") {
        return next::run(&args);
    }
    let list = args.iter().any(|arg| arg == "--list");
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let mut failed = 0;
    for (name, test) in TESTS {
        if !names.is_empty() && !names.iter().any(|wanted| name.contains(wanted.as_str())) {
            continue;
        }
        if list {
            println!("{name}: test");
            continue;
        }
        let passed = std::panic::catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += usize::from(!passed);
    }
    if !list {
        println!("test result: {}. {failed} failed", if failed == 0 { "ok" } else { "FAILED" });
    }
    ExitCode::from(u8::from(failed > 0))
}
