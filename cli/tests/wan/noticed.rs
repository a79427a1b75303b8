//! What is left on purpose is noticed: the looks at the machine on which SIM-3's tests rest (remains.rs) see a namespace,
//! a socket, a file and a mount that somebody keeps, and see nothing any more once it is let go.

use std::collections::BTreeSet;
use std::fs::{File, read_link, remove_file};
use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};

use super::remains::{Home, mounts, outside, settled, state_left};
use crate::lab::held::Held;
use crate::lab::{Lab, Sim, machine};

/// What `sim` holds, as soon as it is as wanted.
fn held_when(sim: &Sim, wanted: impl Fn(&Held) -> bool) -> Held {
    let supervisor = machine::supervisor(sim.lab.state.path()).unwrap();
    settled(|| Held::by(supervisor), wanted)
}

/// What keeps a namespace of a simulation open is found, and by name: here the test itself does.
#[test]
fn a_namespace_that_somebody_keeps_is_seen() {
    let Some(lab) = Lab::enter() else { return };
    let sim = lab.up(&["--no-cluster"]);
    let supervisor = machine::supervisor(lab.state.path()).unwrap();
    let held = Held::by(supervisor);
    let kept = File::open(format!("/proc/{supervisor}/ns/net")).unwrap();
    sim.down(true);
    let (left, me) = (held.left(), std::process::id());
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].starts_with(&format!("process {me} is in net:[")), "{left:?}");
    drop(kept);
    assert_eq!(held.left(), Vec::<String>::new());
}

/// A program inside with `socket` on its standard input, until the simulation ends.
fn sleeper(sim: &Sim, socket: OwnedFd) -> Child {
    let mut command = sim.command(&["sim", "exec", "operator", "--", "sleep", "1000"]);
    command.stdin(Stdio::from(socket)).stderr(Stdio::null()).spawn().unwrap()
}

/// A listener of this machine's network that the simulation and the test have: it outlives the simulation.
#[test]
fn a_socket_that_somebody_keeps_is_seen() {
    let Some(lab) = Lab::enter() else { return };
    let sim = lab.up(&["--no-cluster"]);
    let kept = TcpListener::bind("127.0.0.1:0").unwrap();
    let link = read_link(format!("/proc/self/fd/{}", kept.as_raw_fd())).unwrap();
    let link = link.display().to_string();
    let inode = link.strip_prefix("socket:[").unwrap().strip_suffix(']').unwrap();
    let mut inside = sleeper(&sim, kept.try_clone().unwrap().into());
    let held = held_when(&sim, |held| held.sockets.contains(inode));
    assert!(held.sockets.contains(inode), "{inode}: {held:?}");
    sim.down(true);
    inside.wait().unwrap();
    assert_eq!(held.left(), [format!("socket {inode}")]);
    drop(kept);
    assert_eq!(held.left(), Vec::<String>::new());
}

/// A program inside writes beside the simulation's folder: in the home folder, and in the state folder.
#[test]
fn a_file_beside_the_folder_is_seen() {
    let Some(lab) = Lab::enter() else { return };
    let (home, sim) = (Home::new(&lab), lab.up(&["--no-cluster"]));
    let folder = sim.folder().canonicalize().unwrap();
    let script = "exec sleep 1000 >$HOME/left 2>$FARQUORUM_STATE_DIR/sim/left </dev/null";
    let mut command = sim.command(&["sim", "exec", "operator", "--", "sh", "-c", script]);
    let mut inside = command.env("HOME", home.path()).spawn().unwrap();
    let (at_home, in_state) = (home.path().join("left"), lab.state.path().join("sim/left"));
    let both = BTreeSet::from([at_home.clone(), in_state.clone()]);
    let found = |held: &Held| outside(held, &folder).into_iter().cloned().collect::<BTreeSet<PathBuf>>();
    let held = held_when(&sim, |held| found(held) == both);
    assert_eq!(found(&held), both, "open for writing outside of {}", folder.display());
    sim.down(true);
    inside.wait().unwrap();
    assert_eq!(held.left(), Vec::<String>::new(), "a file is not what the kernel holds");
    assert_eq!(home.files(), BTreeSet::from([at_home]));
    assert_eq!(state_left(&lab), std::slice::from_ref(&in_state));
    remove_file(in_state).unwrap();
    assert_eq!(state_left(&lab), Vec::<PathBuf>::new());
}

/// A simulation's namespace, mounted on a file, stays without any process. The mount is made in a mount namespace of a
/// thread's own, which the machine does not see and which ends with the thread.
#[test]
fn a_mount_that_is_left_is_seen() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: a thread can have mounts of its own only as root");
        return;
    }
    std::thread::spawn(mount_is_seen).join().unwrap();
}

fn mount_is_seen() {
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
    bind(None, Path::new("/"), MsFlags::MS_REC | MsFlags::MS_PRIVATE);
    let Some(lab) = Lab::enter() else { return };
    let before = mounts();
    let sim = lab.up(&["--no-cluster"]);
    let supervisor = machine::supervisor(lab.state.path()).unwrap();
    let held = Held::by(supervisor);
    let namespace = PathBuf::from(format!("/proc/{supervisor}/ns/net"));
    let name = read_link(&namespace).unwrap().display().to_string();
    let place = lab.state.path().join("kept");
    File::create(&place).unwrap();
    bind(Some(&namespace), &place, MsFlags::MS_BIND);
    sim.down(true);
    assert_eq!(held.left(), [format!("{name} is mounted")]);
    let place_as_text = place.display().to_string();
    assert_eq!(mounts().difference(&before).collect::<Vec<_>>(), [&place_as_text]);
    umount(&place).unwrap();
    assert_eq!(held.left(), Vec::<String>::new());
    assert_eq!(mounts(), before);
}

fn bind(source: Option<&Path>, place: &Path, flags: MsFlags) {
    mount(source, place, None::<&str>, flags, None::<&str>).unwrap();
}
