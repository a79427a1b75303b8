//! Detours: one for an address.

use crate::detours::Detours;
use crate::finding::Report;
use crate::raw::Raw;
use crate::text::quoted;

/// All detours.
pub(super) fn detours(raw: &Raw, report: &mut Report) -> Detours {
    let pairs = raw
        .detours
        .iter()
        .map(|detour| (detour.address.clone().unwrap_or_default(), detour.to.clone().unwrap_or_default()));
    let pairs: Vec<_> = pairs.collect();
    for (index, (address, _)) in pairs.iter().enumerate() {
        let earlier = pairs.iter().take(index).position(|(other, _)| other == address);
        if let Some(earlier) = earlier.filter(|_| !address.is_empty()) {
            let there = report.origins.of(&format!("detours[{earlier}].address"));
            let message = format!("is taken already ({there}); an address has one detour");
            report.error(&format!("detours[{index}].address"), Some(quoted(address)), message);
        }
    }
    pairs.into_iter().collect()
}
