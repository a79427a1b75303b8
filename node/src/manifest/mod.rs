//! The leader's chores: it grants tasks to waiting workers, ends leases, marks silent workers, drops what is old.
//!
//! All of it is proposals: nothing here changes the state, and two leaders that both believe in themselves do no
//! harm, as apply refuses what does not fit. What to propose is decided by pure functions of the state and a time.

mod grants;
mod housekeeping;
mod leader;
mod liveness;
mod waiting;

pub(crate) use leader::Chores;
pub(crate) use waiting::Waiting;
