//! Which packets are lost: each by itself, or in bursts.

use farquorum_config::{Gilbert, Loss};

/// Losses of one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Losses {
    loss: Loss,
    /// Whether the next packet finds the bad state. Invariant: false unless losses come in bursts.
    bad: bool,
}

impl Losses {
    pub(super) fn of(loss: Loss) -> Losses {
        Losses { loss, bad: false }
    }

    /// Takes another loss; a bad time goes on when the new loss knows any.
    pub(super) fn set(&mut self, loss: Loss) {
        self.bad &= matches!(loss, Loss::Gilbert(_));
        self.loss = loss;
    }

    /// Whether the next packet is lost; two uniform draws decide this and the state that the packet after it finds.
    pub(super) fn next(&mut self, loss: f64, change: f64) -> bool {
        match self.loss {
            Loss::Independent(share) => loss < share,
            Loss::Gilbert(Gilbert { enter, leave, lost_in_bad, lost_in_good }) => {
                let (share, change_share) =
                    if self.bad { (lost_in_bad, leave) } else { (lost_in_good, enter) };
                self.bad ^= change < change_share;
                loss < share
            }
        }
    }
}
