//! Whether the local simulation can run here, and what it would take.

use farquorum_netem::lab::{DeviceKind, probe};

use super::report::{Check, Group};

/// Looks. The probe makes a small lab in a child process and takes it down again.
pub(super) fn look(checks: &mut Vec<Check>) {
    let mut group = Group::new("lab", checks);
    match probe() {
        Ok(privilege) => {
            let by =
                if privilege.needs_user_namespace() { "a user namespace" } else { "this user's own rights" };
            group.ok(format!("network namespaces can be made, by {by}"));
        }
        Err(error) => {
            let text = error.to_string();
            let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
            let ways = rest.lines().map(str::trim).collect::<Vec<_>>().join("\n             ");
            group.failed(first.to_owned(), ways);
        }
    }
    let (kind, why) = DeviceKind::choose();
    match kind {
        DeviceKind::Tun => group.ok(why),
        DeviceKind::Packet => group.warning(
            format!("{why}: the simulation uses veth pairs and packet sockets"),
            "modprobe tun, or --device /dev/net/tun for a container",
        ),
    }
}
