//! Whether an SPDX expression is satisfied by a list of accepted licences.
//!
//! `AND` binds tighter than `OR`; `A WITH B` is one licence, accepted only as such; `/` is the old
//! spelling of `OR`.

/// Whether the accepted licences suffice. An expression that cannot be read does not pass.
pub(super) fn satisfied(expression: &str, accepted: &impl Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { tokens: &tokens, accepted };
    let satisfied = reader.any();
    satisfied == Some(true) && reader.tokens.is_empty()
}

struct Reader<'a, F> {
    tokens: &'a [&'a str],
    accepted: &'a F,
}

impl<'a, F: Fn(&str) -> bool> Reader<'a, F> {
    fn any(&mut self) -> Option<bool> {
        let mut satisfied = self.every()?;
        while self.take("OR") {
            satisfied |= self.every()?;
        }
        Some(satisfied)
    }

    fn every(&mut self) -> Option<bool> {
        let mut satisfied = self.one()?;
        while self.take("AND") {
            satisfied &= self.one()?;
        }
        Some(satisfied)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let satisfied = self.any()?;
            return self.take(")").then_some(satisfied);
        }
        let name = self.word()?;
        if self.take("WITH") {
            let exception = self.word()?;
            return Some((self.accepted)(&format!("{name} WITH {exception}")));
        }
        Some((self.accepted)(name))
    }

    fn word(&mut self) -> Option<&'a str> {
        let (&first, rest) = self.tokens.split_first()?;
        let keyword = ["OR", "AND", "WITH", "(", ")"].contains(&first);
        self.tokens = rest;
        (!keyword).then_some(first)
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.tokens.first() == Some(&token);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    #[test]
    fn expressions_are_read_as_spdx_says() {
        let accepted =
            |name: &str| ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].contains(&name);
        let cases = [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("Unlicense/MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("GPL-3.0-only OR MIT AND Zlib", true),
            ("(GPL-3.0-only OR MIT) AND Unicode-3.0", false),
            ("(GPL-3.0-only OR MIT) AND Zlib", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
            ("MIT AND", false),
            ("(MIT", false),
            ("MIT MIT", false),
            ("", false),
        ];
        for (expression, expected) in cases {
            assert_eq!(satisfied(expression, &accepted), expected, "{expression}");
        }
    }
}
