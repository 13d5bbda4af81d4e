//! What a misspelt name was meant to be.

/// The known name that `word` is a misspelling of: at most two edits, and not half of the word.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().take(100).collect();
    known
        .map(|name| (edits(&word, name), name))
        .filter(|(edits, _)| *edits <= 2 && edits * 2 < word.len().max(3))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// What to say of a name that is not there: the nearest one, or some of those that are.
pub(crate) fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    const SHOWN: usize = 12;
    if let Some(near) = nearest(word, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let shown: Vec<&str> = known.clone().take(SHOWN).collect();
    match shown.len() {
        0 => "there is none".to_owned(),
        SHOWN => format!("there are {}, …", shown.join(", ")),
        1 => format!("there is {}", shown[0]),
        _ => format!("there are {}", shown.join(", ")),
    }
}

/// Levenshtein's distance, without regard to case.
fn edits(word: &[char], name: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (i, wanted) in name.to_lowercase().chars().take(100).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, c) in word.iter().enumerate() {
            let cost = (diagonal + usize::from(*c != wanted)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[word.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_keys_finds_the_name_and_another_word_does_not() {
        let known = ["wind", "rain", "visibility"];
        assert_eq!(nearest("wnid", known.into_iter()), None, "half of the word is wrong");
        assert_eq!(nearest("Wimd", known.into_iter()), Some("wind"));
        assert_eq!(nearest("visibilty", known.into_iter()), Some("visibility"));
        assert_eq!(hint("snow", known.into_iter()), "there are wind, rain, visibility");
        assert_eq!(hint("snow", [].into_iter()), "there is none");
    }
}
