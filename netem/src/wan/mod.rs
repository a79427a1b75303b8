//! The user-space WAN: one thread that reads packets from every host's device, asks the link model for their fate,
//! and writes them to their destination when they are due.
//!
//! The thread owns all state; the rest of the program talks to it through [`WanControl`]. An own thread and not a
//! task of a runtime: a runtime's timers are a millisecond coarse, a tenth of our tolerance is 30 us.
//!
//! A packet's way inside: `engine` (the loop) -> `traffic` -> `routes` (who may send, who receives, hops) -> `links`
//! (the link model, cuts) -> `flight` (until it is due) -> the destination's device. What `routes` refuses is answered
//! by `icmp`, from the gateway of the sender's cloud.
//!
//! Limits: one thread, so one core bounds the packet rate. Every device has the lab's MTU, and so has every link: a
//! packet is only ever too big when a host raised the MTU of its own device. Then IPv6, and IPv4 that must not be
//! fragmented, are answered with the right size; other IPv4 packets are dropped, since nothing here fragments. A
//! gateway is one hop and answers no echo. Multicast reaches nobody.

mod control;
mod counters;
mod cuts;
mod damage;
mod engine;
mod flight;
mod icmp;
mod lateness;
mod links;
mod pace;
mod packet;
mod ports;
mod priority;
mod routes;
mod strays;
mod traffic;

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

pub(crate) use control::{Changed, Command, Names};
pub use control::{WanControl, WanError};
pub use counters::{Counters, LinkReport};
pub(crate) use cuts::Cuts;
pub(crate) use engine::wait_for;
pub(crate) use lateness::LatenessLog;
pub use lateness::{Lateness, LatenessMark};
pub(crate) use pace::Pace;
pub(crate) use ports::Ports;
pub(crate) use priority::raise as raise_priority;
pub use strays::Strays;

use crate::error::{Doing, LabError};
use crate::lab::{Inlet, LabSpec};
use engine::Engine;

/// Commands that wait for the WAN: callers wait for the reply, so more would only be more waiting threads.
pub(crate) const COMMANDS_MAX: usize = 64;

/// A running backend, whichever it is: a thread that obeys what its control is asked.
#[derive(Debug)]
pub(crate) struct Wan {
    pub(crate) control: WanControl,
    pub(crate) thread: JoinHandle<()>,
    /// What else there is to say of it, for people: how the thread is scheduled.
    pub(crate) words: String,
}

impl Wan {
    /// Starts the user-space WAN's thread. Every link is shaped before the first packet. `inlets` are those of `ports`.
    pub(crate) fn start(spec: &LabSpec, ports: Ports, inlets: Vec<Inlet>) -> Result<Wan, LabError> {
        let (bell, ear) = UnixStream::pair().doing(|| "make a socket pair".to_string())?;
        for end in [&bell, &ear] {
            end.set_nonblocking(true)
                .doing(|| format!("make descriptor {} non-blocking", end.as_raw_fd()))?;
        }
        let (sender, commands) = mpsc::sync_channel::<Command>(COMMANDS_MAX);
        let (tell_priority, priority) = mpsc::channel();
        let engine = Engine::new(spec, ports, commands, ear)?;
        let body = move || {
            // Nobody listens any more only when the start has failed.
            let _ = tell_priority.send(priority::raise());
            engine.run();
        };
        let thread = Builder::new()
            .name("wan".to_string())
            .spawn(body)
            .doing(|| "start the WAN's thread".to_string())?;
        let priority = priority.recv().unwrap_or_default();
        let control = WanControl::new(sender, Some(bell), Names::of(spec), inlets);
        Ok(Wan { control, thread, words: priority })
    }

    pub(crate) fn control(&self) -> WanControl {
        self.control.clone()
    }

    /// What else there is to say of it, for people.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }

    /// Stops the thread; packets in flight are gone.
    pub(crate) fn stop(self) {
        if self.control.stop().is_ok() && self.thread.join().is_err() {
            tracing::error!("the WAN's thread panicked while it stopped");
        }
    }
}
