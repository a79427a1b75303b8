//! The kernel backend where it can be tried: on a kernel without netem it is refused in words that help, and never
//! replaced by another. With netem, everything it does is compared with user space in a virtual machine (`ci/vm.sh`).

use farquorum_config::LabBackend;
use farquorum_netem::lab::{Lab, LabSpec};
use farquorum_netem::selftest;

use crate::harness::spec;

/// SIM-4: tried, not guessed; and there is no lab that is not shaped.
pub(crate) fn works_or_says_why_not() {
    match Lab::start(LabSpec { backend: LabBackend::Kernel, ..spec() }) {
        Ok(lab) => {
            println!("    {}", lab.backend());
            assert!(lab.backend().starts_with("WAN in the kernel"), "{}", lab.backend());
            let report = selftest::run(&lab).expect("a self-test");
            assert!(report.passed(), "{:?}", report.problems());
            lab.stop();
        }
        Err(error) => {
            let text = error.to_string();
            println!("    {}", text.replace('\n', "\n    "));
            for part in ["add a netem", "modprobe sch_netem", "lab.backend = \"user\""] {
                assert!(text.contains(part), "`{part}` is not in:\n{text}");
            }
        }
    }
}
