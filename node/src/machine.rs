//! What a node can say of the machine that it runs on, for records of measurements (MEAS-2). Looked at once: none of
//! it changes while a process runs. Unknown is empty or 0, never an error.

use std::sync::LazyLock;

/// Longest text that is passed on, in characters: firmware may hold anything.
const TEXT_MAX: usize = 64;

/// A machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Release of the kernel.
    pub(crate) kernel: String,
    /// Logical processors that this process may use.
    pub(crate) processors: u32,
    /// Product name in the firmware (SMBIOS); on AWS the instance type.
    pub(crate) product: String,
}

/// The machine of this process.
pub(crate) fn this() -> &'static Machine {
    static MACHINE: LazyLock<Machine> = LazyLock::new(|| {
        let processors = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
        Machine {
            kernel: line("/proc/sys/kernel/osrelease"),
            processors: u32::try_from(processors).unwrap_or(u32::MAX),
            product: line("/sys/class/dmi/id/product_name"),
        }
    });
    &MACHINE
}

fn line(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_machine_has_a_kernel_and_processors() {
        let machine = super::this();
        assert!(!machine.kernel.is_empty() && machine.processors > 0, "{machine:?}");
    }
}
