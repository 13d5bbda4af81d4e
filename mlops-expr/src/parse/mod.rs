//! The parser: operator precedence over tokens, in one pass without backtracking.
//!
//! Time and memory are linear in the text. Nesting is counted on the way down and height on the way
//! up, so neither parsing nor anything that walks the tree afterwards can exhaust the stack.

mod form;
mod lexer;

use mlops_core::{Error, Result};

pub(crate) use self::form::{ONE_ROW, exact};
pub(crate) use self::lexer::is_word;
use self::lexer::{Kind as Lexeme, Token};
use crate::ast::{Binary, Comparison, Is, Kind, Like, LikeStyle, Literal, Node};
use crate::source::{Source, cut};
use crate::{MAX_DEPTH, MAX_NODES};

/// How tightly operators bind; PostgreSQL's order.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const IS: u8 = 4;
const COMPARE: u8 = 5;
const MATCH: u8 = 6;
const CONCAT: u8 = 7;
const ADD: u8 = 8;
const MULTIPLY: u8 = 9;
const UNARY: u8 = 10;

/// Words that have to be quoted to be names.
pub(crate) const RESERVED: [&str; 19] = [
    "and", "or", "not", "is", "null", "true", "false", "between", "in", "like", "ilike", "case",
    "when", "then", "else", "end", "escape", "select", "distinct",
];

pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// The tree of a text.
pub(crate) fn parse(text: &str) -> Result<Node> {
    let source = Source::new(text)?;
    let tokens = lexer::tokens(source)?;
    let mut parser = Parser { source, tokens, next: 0, nodes: 0, depth: 0 };
    let node = parser.expression(0)?;
    let token = parser.peek();
    if token.kind != Lexeme::End {
        let error = parser.expected("an operator or the end", token);
        return Err(if token.is("over") {
            error.with_hint("an expression is about one row: there are no window functions")
        } else {
            error
        });
    }
    Ok(node)
}

struct Parser<'a> {
    source: Source<'a>,
    tokens: Vec<Token<'a>>,
    next: usize,
    nodes: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token<'a> {
        &self.tokens[self.next]
    }

    fn second(&self) -> &Token<'a> {
        &self.tokens[(self.next + 1).min(self.tokens.len() - 1)]
    }

    /// The next token; the end is never passed.
    fn take(&mut self) -> Token<'a> {
        let token = self.tokens[self.next].clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn eat(&mut self, keyword: &str) -> bool {
        let found = self.peek().is(keyword);
        if found {
            self.take();
        }
        found
    }

    fn eat_sign(&mut self, sign: &str) -> bool {
        let found = self.peek().is_sign(sign);
        if found {
            self.take();
        }
        found
    }

    fn need(&mut self, keyword: &str) -> Result<()> {
        if self.eat(keyword) {
            return Ok(());
        }
        Err(self.expected(&keyword.to_ascii_uppercase(), self.peek()))
    }

    fn need_sign(&mut self, sign: &str) -> Result<()> {
        if self.eat_sign(sign) {
            return Ok(());
        }
        Err(self.expected(&format!("`{sign}`"), self.peek()))
    }

    #[cold]
    fn expected(&self, wanted: &str, found: &Token<'_>) -> Error {
        self.source.fail(found.at, format_args!("expected {wanted}, found {}", found.shown()))
    }

    fn node(&mut self, at: usize, kind: Kind) -> Result<Node> {
        let node = Node::new(at, kind);
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.source.fail(at, format_args!("more than {MAX_NODES} parts")));
        }
        if node.height > MAX_DEPTH {
            return Err(self.too_deep(at));
        }
        Ok(node)
    }

    #[cold]
    fn too_deep(&self, at: usize) -> Error {
        self.source
            .fail(at, format_args!("nested deeper than {MAX_DEPTH} levels"))
            .with_hint("AND, OR, IN, concat() and coalesce() take many terms on one level")
    }

    /// An expression whose operators bind tighter than `floor`.
    fn expression(&mut self, floor: u8) -> Result<Node> {
        self.depth += 1;
        if self.depth > 2 * MAX_DEPTH {
            return Err(self.too_deep(self.peek().at));
        }
        let mut left = self.prefix()?;
        while let Some((strength, at)) = self.infix().filter(|(strength, _)| *strength > floor) {
            left = self.operator(left, strength, at)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// How tightly the operator that comes next binds, if one does.
    fn infix(&self) -> Option<(u8, usize)> {
        let token = self.peek();
        let strength = match token.kind {
            Lexeme::Sign => match token.text {
                "=" | "==" | "<>" | "!=" | "<" | "<=" | ">" | ">=" => COMPARE,
                "~" | "~*" | "!~" | "!~*" => MATCH,
                "||" => CONCAT,
                "+" | "-" => ADD,
                "*" | "/" | "%" => MULTIPLY,
                "::" => UNARY + 1,
                _ => return None,
            },
            Lexeme::Word => {
                let token = if token.is("not") { self.second() } else { token };
                let matches = ["between", "in", "like", "ilike"].iter().any(|word| token.is(word));
                match () {
                    () if matches => MATCH,
                    () if self.peek().is("or") => OR,
                    () if self.peek().is("and") => AND,
                    () if self.peek().is("is") => IS,
                    () => return None,
                }
            }
            _ => return None,
        };
        Some((strength, token.at))
    }

    /// The operator that comes next, with `left` on its left.
    fn operator(&mut self, left: Node, strength: u8, at: usize) -> Result<Node> {
        match strength {
            OR | AND => self.chain(left, strength, at),
            IS => self.is(left, at),
            COMPARE => self.comparison(left, at),
            MATCH => self.matching(left, at),
            CONCAT | ADD | MULTIPLY => {
                let operator = match self.take().text {
                    "||" => Binary::Concat,
                    "+" => Binary::Add,
                    "-" => Binary::Subtract,
                    "*" => Binary::Multiply,
                    "/" => Binary::Divide,
                    _ => Binary::Modulo,
                };
                let right = self.expression(strength)?;
                self.node(at, Kind::Binary(operator, left.into(), right.into()))
            }
            _ => {
                self.take();
                let to = self.cast_type()?;
                self.node(at, Kind::Cast(left.into(), to, false))
            }
        }
    }

    /// `a AND b AND c`: one node.
    fn chain(&mut self, left: Node, strength: u8, at: usize) -> Result<Node> {
        let word = if strength == AND { "and" } else { "or" };
        let mut terms = vec![left];
        while self.eat(word) {
            terms.push(self.expression(strength)?);
        }
        self.node(at, if strength == AND { Kind::And(terms) } else { Kind::Or(terms) })
    }

    fn comparison(&mut self, left: Node, at: usize) -> Result<Node> {
        let operator = match self.take().text {
            "=" | "==" => Comparison::Eq,
            "<>" | "!=" => Comparison::Ne,
            "<" => Comparison::Lt,
            "<=" => Comparison::Le,
            ">" => Comparison::Gt,
            _ => Comparison::Ge,
        };
        let right = self.expression(COMPARE)?;
        if let Some((COMPARE, at)) = self.infix() {
            return Err(self
                .source
                .fail(at, "comparisons do not chain")
                .with_hint("write a < b AND b < c, or parentheses"));
        }
        self.node(at, Kind::Compare(operator, left.into(), right.into()))
    }

    /// `IS [NOT] NULL | TRUE | FALSE | UNKNOWN | DISTINCT FROM x`
    fn is(&mut self, left: Node, at: usize) -> Result<Node> {
        self.take();
        let negated = self.eat("not");
        for is in [Is::Null, Is::True, Is::False, Is::Unknown] {
            if self.eat(is.word()) {
                return self.node(at, Kind::Is(left.into(), is, negated));
            }
        }
        if !self.eat("distinct") {
            let wanted = "NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM";
            return Err(self.expected(wanted, self.peek()));
        }
        self.need("from")?;
        let right = self.expression(IS)?;
        let operator = if negated { Comparison::NotDistinct } else { Comparison::Distinct };
        self.node(at, Kind::Compare(operator, left.into(), right.into()))
    }

    /// `[NOT] BETWEEN | IN | LIKE | ILIKE`, `~` and its sisters.
    fn matching(&mut self, left: Node, at: usize) -> Result<Node> {
        let mut negated = self.eat("not");
        let token = self.take();
        if token.is("between") {
            let low = self.expression(MATCH)?;
            self.need("and")?;
            let high = self.expression(MATCH)?;
            return self.node(at, Kind::Between(left.into(), low.into(), high.into(), negated));
        }
        if token.is("in") {
            self.need_sign("(")?;
            if self.peek().is("select") {
                return Err(self.subquery());
            }
            let list = self.list()?;
            return self.node(at, Kind::In(left.into(), list, negated));
        }
        let style = match token.text {
            "~" | "!~" => LikeStyle::Regex,
            "~*" | "!~*" => LikeStyle::IRegex,
            _ if token.is("like") => LikeStyle::Like,
            _ => LikeStyle::ILike,
        };
        negated |= token.text.starts_with('!');
        let pattern = self.expression(MATCH)?;
        let escape = if self.eat("escape") { Some(self.escape()?) } else { None };
        let like = Like { value: left, pattern, style, escape, negated };
        self.node(at, Kind::Like(like.into()))
    }

    fn escape(&mut self) -> Result<char> {
        let token = self.take();
        if let Lexeme::Text(text) = &token.kind {
            let mut chars = text.chars();
            if let (Some(escape), None) = (chars.next(), chars.next()) {
                return Ok(escape);
            }
        }
        Err(self.expected("one character in single quotes", &token))
    }

    /// What an expression begins with.
    fn prefix(&mut self) -> Result<Node> {
        let token = self.peek().clone();
        let at = token.at;
        match &token.kind {
            Lexeme::Number => {
                self.take();
                let number = form::number(token.text)
                    .ok_or_else(|| self.source.fail(at, "a number out of range"))?;
                self.node(at, Kind::Literal(number))
            }
            Lexeme::Text(text) => {
                self.take();
                self.node(at, Kind::Literal(Literal::Text(text.as_ref().into())))
            }
            Lexeme::Parameter(name) => {
                self.take();
                self.node(at, Kind::Parameter((*name).to_owned()))
            }
            Lexeme::Quoted(_) => self.column(),
            Lexeme::Word => self.word(&token),
            Lexeme::Sign => self.sign(&token),
            Lexeme::End => Err(self.expected("an expression", &token)),
        }
    }

    fn sign(&mut self, token: &Token<'a>) -> Result<Node> {
        match token.text {
            "(" => {
                self.take();
                if self.peek().is("select")
                    || self.peek().is("with") && self.second().kind == Lexeme::Word
                {
                    return Err(self.subquery());
                }
                let inner = self.expression(0)?;
                self.need_sign(")")?;
                Ok(inner)
            }
            "+" => {
                self.take();
                self.expression(UNARY - 1)
            }
            "-" => {
                self.take();
                // The smallest integer has no positive twin, so its sign belongs to it.
                if self.peek().kind == Lexeme::Number {
                    let digits = self.take();
                    let number = form::number(digits.text).and_then(form::negated);
                    let number = number
                        .ok_or_else(|| self.source.fail(digits.at, "a number out of range"))?;
                    return self.node(token.at, Kind::Literal(number));
                }
                let inner = self.expression(UNARY - 1)?;
                self.node(token.at, Kind::Negate(inner.into()))
            }
            _ => Err(self.expected("an expression", token)),
        }
    }

    #[cold]
    fn subquery(&self) -> Error {
        self.source
            .fail(self.peek().at, "a subquery")
            .with_hint("an expression is about one row; references between tables are checks")
    }

    /// A name, or a call of it: `a.b`, `f(x)`.
    fn column(&mut self) -> Result<Node> {
        let at = self.peek().at;
        let mut path = Vec::new();
        loop {
            let token = self.take();
            match &token.kind {
                Lexeme::Quoted(name) => path.push(name.clone().into_owned()),
                Lexeme::Word if !path.is_empty() || !is_reserved(token.text) => {
                    path.push(token.text.to_owned());
                }
                _ => return Err(self.expected("a name", &token)),
            }
            if !self.eat_sign(".") {
                break;
            }
        }
        if path.len() > MAX_DEPTH {
            return Err(self.too_deep(at));
        }
        if self.peek().is_sign("[") {
            return Err(self
                .source
                .fail(self.peek().at, "elements of lists cannot be reached yet"));
        }
        if self.peek().is_sign("(") {
            let name = cut(&path.join("."), 40);
            return Err(self.source.fail(at, format_args!("unknown function `{name}`")));
        }
        self.node(at, Kind::Column(path))
    }
}
