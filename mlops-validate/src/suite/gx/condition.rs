//! Row conditions in our SQL.
//!
//! The three languages of Great Expectations (pandas' `query`, Spark's SQL, its own `col("x") > 5`)
//! share their simple part: comparisons of columns with values, joined by and, or, not. That part is
//! read by one parser. The non-obvious decision is about missing values: pandas takes `x != 1` for true
//! where x is missing, and so its `not (x == 1)`; SQL knows neither. The SQL written here says it as
//! pandas means it.

use mlops_core::validation::Literal;
use serde_json::Value;

use super::Reason;

/// Levels of parentheses.
const DEPTH: usize = 50;

/// A column's name in SQL.
pub(super) fn column(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A number in SQL.
pub(super) fn number(value: &Value) -> Option<String> {
    value.as_number().map(ToString::to_string)
}

/// A literal in SQL.
pub(super) fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Bool(true) => "TRUE".to_owned(),
        Literal::Bool(false) => "FALSE".to_owned(),
        Literal::Text(value) => text(value),
        number => number.to_string(),
    }
}

/// The condition in SQL.
pub(super) fn to_sql(condition: &str, parser: Option<&str>) -> Result<String, Reason> {
    let pandas = match parser {
        Some("pandas") => true,
        Some("spark" | "great_expectations" | "great_expectations__experimental__") => false,
        Some(other) => {
            return Err(format!("unknown `condition_parser` \"{}\"", other.escape_debug()));
        }
        None => return Err("a `row_condition` without its `condition_parser`".to_owned()),
    };
    let fail = |problem: &str| {
        let shown = condition.escape_debug();
        format!("the row condition \"{shown}\" is more than comparisons: {problem}")
    };
    let tokens = tokens(condition).map_err(|problem| fail(&problem))?;
    let mut parser = Parser { tokens: &tokens, at: 0, pandas, depth: 0 };
    let sql = parser.or(false).map_err(|problem| fail(&problem))?;
    match parser.peek() {
        None => Ok(sql),
        Some(token) => Err(fail(&format!("{} at its end", token.shown()))),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A word, in the case it was written.
    Word(String),
    /// A column in backticks.
    Quoted(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Word(text) | Self::Quoted(text) | Self::Text(text) | Self::Number(text) => {
                format!("\"{}\"", text.escape_debug())
            }
            Self::Sign(sign) => format!("`{sign}`"),
        }
    }
}

/// The longer ones first.
const SIGNS: [&str; 20] = [
    "==", "!=", "<>", "<=", ">=", "&&", "||", "=", "<", ">", "&", "|", "~", "!", "(", ")", "[",
    "]", ",", ".",
];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length;
        match first {
            '\'' | '"' | '`' => {
                let end = rest[1..].find(first).ok_or("a quote without its end")?;
                let inside = rest[1..=end].to_owned();
                if inside.contains('\\') {
                    return Err("a `\\` in quotes".to_owned());
                }
                length = end + 2;
                tokens.push(if first == '`' { Token::Quoted(inside) } else { Token::Text(inside) });
            }
            '-' | '0'..='9' => {
                let end = rest[1..]
                    .find(|c: char| !(c.is_ascii_digit() || c == '.'))
                    .map_or(rest.len(), |end| end + 1);
                let digits = &rest[..end];
                if digits.parse::<f64>().is_err() || digits.ends_with('.') {
                    return Err(format!("\"{}\"", digits.escape_debug()));
                }
                length = end;
                tokens.push(Token::Number(digits.to_owned()));
            }
            c if c.is_alphabetic() || c == '_' => {
                length =
                    rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..length].to_owned()));
            }
            other => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| format!("`{other}`"))?;
                length = sign.len();
                tokens.push(Token::Sign(sign));
            }
        }
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    pandas: bool,
    depth: usize,
}

/// One side of a comparison.
struct Operand {
    sql: String,
    is_column: bool,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn sign(&mut self, signs: &[&str]) -> Option<&'static str> {
        match self.peek() {
            Some(Token::Sign(sign)) if signs.contains(sign) => {
                let sign = *sign;
                self.at += 1;
                Some(sign)
            }
            _ => None,
        }
    }

    fn word(&mut self, words: &[&str]) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word))
            if words.iter().any(|known| word.eq_ignore_ascii_case(known)));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        match self.sign(&[sign]) {
            Some(_) => Ok(()),
            None => Err(format!("no `{sign}`")),
        }
    }

    /// `negated`: whether it stands below a `not`, where unknown is not as good as false.
    fn or(&mut self, negated: bool) -> Result<String, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("too many parentheses".to_owned());
        }
        let mut terms = vec![self.and(negated)?];
        while self.sign(&["|", "||"]).is_some() || self.word(&["or"]) {
            terms.push(self.and(negated)?);
        }
        self.depth -= 1;
        Ok(terms.join(" OR "))
    }

    fn and(&mut self, negated: bool) -> Result<String, String> {
        let mut terms = vec![self.not(negated)?];
        while self.sign(&["&", "&&"]).is_some() || self.word(&["and"]) {
            terms.push(self.not(negated)?);
        }
        Ok(terms.join(" AND "))
    }

    fn not(&mut self, negated: bool) -> Result<String, String> {
        let mut nots = 0;
        while self.sign(&["~", "!"]).is_some() || self.word(&["not"]) {
            nots += 1;
        }
        let inner = self.term(negated || nots > 0)?;
        Ok(if nots % 2 == 1 { format!("NOT ({inner})") } else { inner })
    }

    fn term(&mut self, negated: bool) -> Result<String, String> {
        if self.sign(&["("]).is_some() {
            let inner = self.or(negated)?;
            self.expect(")")?;
            return Ok(format!("({inner})"));
        }
        let left = self.operand()?;
        if let Some(sign) = self.sign(&["==", "=", "!=", "<>", "<=", ">=", "<", ">"]) {
            let right = self.operand()?;
            return Ok(self.comparison(&left, sign, &right, negated));
        }
        if self.word(&["is"]) {
            let not = if self.word(&["not"]) { " NOT" } else { "" };
            if self.word(&["null"]) {
                return Ok(format!("{} IS{not} NULL", left.sql));
            }
            return Err("`is` without NULL".to_owned());
        }
        if self.sign(&["."]).is_some() {
            let not = if self.word(&["isnull", "isna"]) {
                ""
            } else if self.word(&["notnull", "notna", "isnotnull"]) {
                " NOT"
            } else {
                return Err("a method".to_owned());
            };
            self.expect("(")?;
            self.expect(")")?;
            return Ok(format!("{} IS{not} NULL", left.sql));
        }
        let outside = self.word(&["not"]);
        if self.word(&["in"]) {
            let list = self.list()?;
            let word = if outside { "NOT IN" } else { "IN" };
            return Ok(self.known(format!("{} {word} ({list})", left.sql), outside, negated));
        }
        if outside || !left.is_column {
            return Err("no comparison".to_owned());
        }
        Ok(self.known(left.sql, false, negated))
    }

    /// What pandas makes of a missing value, where SQL would not know.
    fn known(&self, sql: String, missing: bool, negated: bool) -> String {
        match (self.pandas, missing) {
            (true, true) => format!("COALESCE({sql}, TRUE)"),
            (true, false) if negated => format!("COALESCE({sql}, FALSE)"),
            _ => sql,
        }
    }

    fn comparison(&self, left: &Operand, sign: &str, right: &Operand, negated: bool) -> String {
        let sign = match sign {
            "==" => "=",
            "!=" => "<>",
            same => same,
        };
        if self.pandas && sign == "<>" && left.is_column != right.is_column {
            return format!("{} IS DISTINCT FROM {}", left.sql, right.sql);
        }
        self.known(format!("{} {sign} {}", left.sql, right.sql), sign == "<>", negated)
    }

    fn list(&mut self) -> Result<String, String> {
        let open = self.sign(&["[", "("]).ok_or("`in` without a list")?;
        let close = if open == "[" { "]" } else { ")" };
        let mut items = Vec::new();
        loop {
            let item = self.operand()?;
            if item.is_column {
                return Err("a column in a list".to_owned());
            }
            items.push(item.sql);
            if self.sign(&[","]).is_none() {
                break;
            }
        }
        self.expect(close)?;
        Ok(items.join(", "))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        let token = self.peek().cloned().ok_or("it ends in the middle")?;
        self.at += 1;
        let value = |sql: &str| Operand { sql: sql.to_owned(), is_column: false };
        let named = |name: &str| Operand { sql: column(name), is_column: true };
        Ok(match token {
            Token::Text(content) => value(&text(&content)),
            Token::Number(digits) => value(&digits),
            Token::Quoted(name) => named(&name),
            Token::Sign(sign) => return Err(format!("`{sign}`")),
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "true" => value("TRUE"),
                "false" => value("FALSE"),
                "none" | "null" => return Err("a comparison with null".to_owned()),
                "and" | "or" | "not" | "in" | "is" => return Err(format!("\"{word}\"")),
                "col" if self.peek() == Some(&Token::Sign("(")) => {
                    self.at += 1;
                    let Some(Token::Text(name)) = self.peek().cloned() else {
                        return Err("`col` without a name".to_owned());
                    };
                    self.at += 1;
                    self.expect(")")?;
                    named(&name)
                }
                _ if self.peek() == Some(&Token::Sign("(")) => {
                    return Err(format!("the function {word}"));
                }
                _ => named(&word),
            },
        })
    }
}
