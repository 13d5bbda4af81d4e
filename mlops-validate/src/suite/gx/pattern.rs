//! Regular expressions of Python.

use super::Reason;

/// The expression in our syntax, if it is one: no look-around, no back-references.
pub(super) fn of_python(pattern: &str) -> Result<String, Reason> {
    let translated = pattern.replace(r"\Z", r"\z");
    match regex_syntax::Parser::new().parse(&translated) {
        Ok(_) => Ok(translated),
        Err(error) => {
            let problem = match &error {
                regex_syntax::Error::Parse(error) => error.kind().to_string(),
                regex_syntax::Error::Translate(error) => error.kind().to_string(),
                _ => "it is none of Rust's".to_owned(),
            };
            Err(format!(
                "the pattern \"{}\" is not for this library: {problem}",
                pattern.escape_debug()
            ))
        }
    }
}

/// One expression that is found where any of these is.
pub(super) fn any_of(patterns: &[String]) -> Result<String, Reason> {
    let translated: Vec<String> =
        patterns.iter().map(|p| of_python(p)).collect::<Result<_, _>>()?;
    Ok(match translated.as_slice() {
        [one] => one.clone(),
        all => all.iter().map(|p| format!("(?:{p})")).collect::<Vec<_>>().join("|"),
    })
}
