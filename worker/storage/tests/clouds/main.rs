//! The three clouds' own stores (STO-1) as a machine there reaches them: their names over HTTPS, the identity of the
//! machine from the metadata address; and a server of one's own with HTTPS. Names and metadata are loopback ports here (detours). Amazon's part is played by the
//! lab's server, Google's by a small one in `google.rs`, Azure's by Azurite, which `ci/stores.sh` fetches; without it those
//! tests are left out, and it says so.
//!
//! The program runs itself again with `SSL_CERT_FILE`, the one way to add an authority to the system's, hence no harness
//! but this `main`. Arguments: names of tests, or parts of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

mod amazon;
mod azure;
mod certificates;
#[allow(dead_code, reason = "the other test programs use the rest")]
#[path = "../common/mod.rs"]
mod common;
mod front;
mod gate;
mod google;
mod google_keys;
mod metadata;
mod own;

use std::panic::AssertUnwindSafe;
use std::process::{Command, ExitCode};

use futures::FutureExt;
use futures::future::BoxFuture;

/// Makes RSA keys, which no crate here does.
const OPENSSL: &str = "openssl";

/// A test, and what it needs: `openssl`, or the variable that names its emulator.
type Test = (&'static str, Option<&'static str>, fn() -> BoxFuture<'static, ()>);

const TESTS: [Test; 16] = [
    ("own_server_is_trusted_by_its_authority", None, || own::own_authority().boxed()),
    ("own_server_is_trusted_by_the_system", None, || own::authority_of_the_system().boxed()),
    ("own_server_that_is_not_trusted_is_refused", None, || own::untrusted().boxed()),
    ("own_server_with_settings_that_do_not_fit", None, || own::settings_that_do_not_fit().boxed()),
    ("own_server_and_a_cloud_beside_it", None, || own::clouds_beside().boxed()),
    ("amazon_takes_the_identity_of_the_machine", None, || amazon::identity().boxed()),
    ("amazon_refuses_another_identity", None, || amazon::refused().boxed()),
    ("amazon_takes_keys_with_their_session_token", None, || amazon::session().boxed()),
    ("a_machine_without_identity_is_told_so", None, || amazon::no_identity().boxed()),
    ("google_takes_the_identity_of_the_machine", None, || google::identity().boxed()),
    ("google_refuses_another_identity", None, || google::refused().boxed()),
    ("google_takes_the_key_of_a_service_account", Some(OPENSSL), || google_keys::service_account().boxed()),
    ("google_takes_the_login_of_a_person", None, || google_keys::person().boxed()),
    ("azure_takes_the_identity_of_the_machine", Some(azure::EMULATOR), || azure::identity().boxed()),
    ("azure_takes_the_key_of_the_account", Some(azure::EMULATOR), || azure::account_key().boxed()),
    ("azure_takes_a_shared_access_signature", Some(azure::EMULATOR), || azure::shared_access().boxed()),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--list") {
        TESTS.iter().for_each(|(name, ..)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(certificates::FOLDER).is_none() {
        return again(&args);
    }
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    for (name, needs, test) in TESTS {
        if !names.is_empty() && !names.iter().any(|wanted| name.contains(wanted.as_str())) {
            continue;
        }
        if let Some(missing) = needs.and_then(missing) {
            println!("test {name} ... ignored, {missing}");
            left_out += 1;
            continue;
        }
        let ok = runtime.block_on(AssertUnwindSafe(test()).catch_unwind()).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        passed += usize::from(ok);
        failed += usize::from(!ok);
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed; {left_out} ignored");
    ExitCode::from(u8::from(failed > 0))
}

/// Why a test cannot run, when what it needs is not here.
fn missing(need: &str) -> Option<String> {
    if need == OPENSSL {
        let found = Command::new(OPENSSL).arg("version").output().is_ok();
        return (!found).then(|| "the program openssl is not installed".to_owned());
    }
    std::env::var_os(need).is_none().then(|| format!("{need} is not set: ci/stores.sh runs it"))
}

/// This program again, in a system that trusts an authority of ours and knows no other keys.
fn again(args: &[String]) -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    certificates::make(folder.path());
    let status = Command::new(std::env::current_exe().unwrap())
        .args(args)
        .env(certificates::FOLDER, folder.path())
        .env("SSL_CERT_FILE", certificates::of_the_system(folder.path()))
        .env("HOME", folder.path())
        .status()
        .unwrap();
    ExitCode::from(u8::from(!status.success()))
}
