//! What a message says about a name that is not known: the one that was probably meant, and all that there are. Keys of
//! the file, clouds and hosts are all suggested by the same rule.

/// The candidate that is nearest to `word`, when one is near enough to be meant: as many letters as a third of the word,
/// or two, may be wrong, missing, too many or swapped with their neighbour.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowance = (word.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowance && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// The rest of a message about an unknown name: the nearest known one and all of them, in the order that they come in.
///
/// ```
/// use farquorum_config::known;
/// assert_eq!(known("awz", ["aws", "gcp"]), "did you mean aws? Known: aws, gcp");
/// assert_eq!(known("elsewhere", ["aws", "gcp"]), "known: aws, gcp");
/// ```
pub fn known<N: AsRef<str>>(word: &str, names: impl IntoIterator<Item = N>) -> String {
    let names: Vec<N> = names.into_iter().collect();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let list = names.join(", ");
    match nearest(word, names.iter().copied()) {
        Some(near) => format!("did you mean {near}? Known: {list}"),
        None if names.is_empty() => "none is known".to_owned(),
        None => format!("known: {list}"),
    }
}
