//! Tokens to the tree, by recursive descent.
//!
//! ```text
//! filter  = [ or ]
//! or      = and { "or" and }
//! and     = not { "and" not }
//! not     = "not" not | "(" or ")" | term
//! term    = field ( "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) literal
//!         | field [ "not" ] "in" "(" literal { "," literal } ")"
//!         | field [ "not" ] "between" literal "and" literal
//!         | field [ "not" ] ( "like" | "ilike" ) string
//!         | field "is" [ "not" ] "null"
//! field   = ( "min" | "max" | "last" | "count" ) "(" field ")" | prefix "." key | attribute
//! ```
//!
//! Keywords, prefixes, attributes and aggregates may be in any case; keys are as they are. A date
//! without a time is its first instant, in UTC. Parentheses are kept as levels of the tree, so that
//! what is printed parses to the same tree; two bounds keep a hostile text from exhausting the stack:
//! 64 KiB, and 100 levels of parentheses and `not`. Chains of `and` and `or` add no level.

use std::str::FromStr;

use super::lexer::{Kind, Operator, Source, Token};
use super::{Aggregate, Comparison, Field, Filter, Literal, OrderBy, Subject};
use super::{check, names};
use crate::{Error, Result};

/// How deep parentheses and `not` may be nested.
const MAX_DEPTH: usize = 100;
/// How many literals `in (…)` may have.
const MAX_LIST: usize = 1000;

const KEYWORDS: [&str; 9] = ["and", "or", "not", "in", "between", "like", "ilike", "is", "null"];

impl Filter {
    /// The filter of runs or experiments that `text` says; an empty text matches everything.
    ///
    /// # Units
    /// Instants such as `started` are compared with an ISO 8601 string (UTC if it names no offset; a
    /// date is its first instant) or, as in MLflow, with whole milliseconds since 1970; both are
    /// stored as microseconds. `duration` is in seconds.
    ///
    /// # Errors
    /// `Invalid`, with the position in characters from 1 on, and what to write instead if known.
    ///
    /// # Example
    /// ```
    /// use mlops_core::filter::Filter;
    ///
    /// let filter = Filter::parse("metric.auc>=0.9 AND NOT tags.team IN ('a', \"b\")").unwrap();
    /// assert_eq!(filter.to_string(), "metrics.auc >= 0.9 and tags.team not in ('a', 'b')");
    ///
    /// let error = Filter::parse("metrics.auc > 0.9 and staus = 'failed'").unwrap_err();
    /// assert_eq!(error.hint(), Some("did you mean `status`?"));
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_for(Subject::Run, text)
    }

    /// The filter of such subjects that `text` says, as [`Filter::parse`].
    ///
    /// What is printed for it parses to the same filter for the same subject.
    ///
    /// # Errors
    /// As of [`Filter::parse`], and for a name that the subject does not have.
    ///
    /// # Example
    /// ```
    /// use mlops_core::filter::{Filter, Subject};
    ///
    /// let text = "model_name ILIKE '%fl%' and version_number >= 3 and stage = 'production'";
    /// let filter = Filter::parse_for(Subject::Version, text).unwrap();
    /// let printed = "name ilike '%fl%' and version >= 3 and stage = 'Production'";
    /// assert_eq!(filter.to_string(), printed);
    ///
    /// let error = Filter::parse_for(Subject::Model, "metrics.auc > 0.9").unwrap_err();
    /// assert_eq!(error.message(), "a model has no metrics at position 1: ^metrics.auc > 0.9");
    /// ```
    pub fn parse_for(subject: Subject, text: &str) -> Result<Self> {
        let mut parser = Parser::new("filter", subject, text)?;
        if parser.peek().kind == Kind::End {
            return Ok(Self::All);
        }
        let filter = parser.or()?;
        parser.end("`and`, `or` or the end")?;
        Ok(filter)
    }
}

impl OrderBy {
    /// The ordering of runs that `text` says: a field, then optionally `asc` or `desc`.
    ///
    /// # Errors
    /// `Invalid`, as of [`Filter::parse`]; a dataset's fields give no order.
    ///
    /// # Example
    /// ```
    /// use mlops_core::filter::OrderBy;
    ///
    /// let order = OrderBy::parse("metrics.auc DESC").unwrap();
    /// assert!(order.descending);
    /// assert_eq!(order.to_string(), "metrics.auc desc");
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_for(Subject::Run, text)
    }

    /// The ordering of such subjects that `text` says, as [`OrderBy::parse`].
    ///
    /// # Errors
    /// As of [`OrderBy::parse`], and for a name that the subject does not have; aliases and stages
    /// give no order.
    ///
    /// # Example
    /// ```
    /// use mlops_core::filter::{OrderBy, Subject};
    ///
    /// let order = OrderBy::parse_for(Subject::Version, "version_number DESC").unwrap();
    /// assert_eq!(order.to_string(), "version desc");
    /// ```
    pub fn parse_for(subject: Subject, text: &str) -> Result<Self> {
        let mut parser = Parser::new("order_by", subject, text)?;
        let first = parser.peek().clone();
        let field = parser.field()?;
        names::orders(parser.source, subject, &field, &first)?;
        let descending = parser.eat("desc");
        if !descending {
            parser.eat("asc");
        }
        parser.end(if descending { "the end" } else { "`asc`, `desc` or the end" })?;
        Ok(Self { field, descending })
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl FromStr for OrderBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

struct Parser<'a> {
    source: Source<'a>,
    subject: Subject,
    tokens: Vec<Token<'a>>,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(operation: &'static str, subject: Subject, text: &'a str) -> Result<Self> {
        let source = Source::new(operation, text)?;
        Ok(Self { source, subject, tokens: source.tokens()?, next: 0, depth: 0 })
    }

    fn or(&mut self) -> Result<Filter> {
        self.chain("or", Self::and, Filter::Or)
    }

    fn and(&mut self) -> Result<Filter> {
        self.chain("and", Self::not, Filter::And)
    }

    fn chain(
        &mut self,
        keyword: &str,
        operand: fn(&mut Self) -> Result<Filter>,
        join: fn(Vec<Filter>) -> Filter,
    ) -> Result<Filter> {
        let first = operand(self)?;
        if !self.peek().is(keyword) {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.eat(keyword) {
            all.push(operand(self)?);
        }
        Ok(join(all))
    }

    fn not(&mut self) -> Result<Filter> {
        let token = self.peek().clone();
        let is_not = token.is("not");
        if !is_not && token.kind != Kind::Open {
            return self.term();
        }
        self.next += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let problem = format_args!("more than {MAX_DEPTH} levels of parentheses and `not`");
            return Err(self.source.fail(token.at, problem));
        }
        let inner = if is_not {
            Filter::Not(Box::new(self.not()?))
        } else {
            let inner = self.or()?;
            self.expect(&Kind::Close, "`and`, `or` or `)`")?;
            inner
        };
        self.depth -= 1;
        Ok(inner)
    }

    fn term(&mut self) -> Result<Filter> {
        let field = self.field()?;
        let mut negated = self.eat("not");
        let token = self.take();
        let keyword = match token.kind {
            Kind::Operator(operator) if !negated => {
                let comparison = self.operator(&field, operator, &token)?;
                return Ok(Filter::Term(field, comparison));
            }
            Kind::Word(word) => word.to_ascii_lowercase(),
            _ => String::new(),
        };
        let comparison = match keyword.as_str() {
            "in" => Comparison::In(self.list(&field)?),
            "between" => {
                check::ordered(self.source, &field, &token)?;
                let low = self.literal(&field)?;
                if !self.eat("and") {
                    return Err(self.source.expected("`and` of `between`", self.peek()));
                }
                let at = self.peek().at;
                let high = self.literal(&field)?;
                self.same_type(&low, &high, at)?;
                Comparison::Between(low, high)
            }
            "like" => Comparison::Like(self.pattern(&field, &token)?),
            "ilike" => Comparison::ILike(self.pattern(&field, &token)?),
            "is" if !negated => {
                negated = self.eat("not");
                if !self.eat("null") {
                    let wanted = if negated { "`null`" } else { "`null` or `not null`" };
                    return Err(self.source.expected(wanted, self.peek()));
                }
                Comparison::IsNull
            }
            _ => {
                let wanted = if negated {
                    "`in`, `like`, `ilike` or `between`"
                } else {
                    "a comparison such as `=`, `<`, `in`, `like` or `is null`"
                };
                return Err(self.source.expected(wanted, &token));
            }
        };
        let term = Filter::Term(field, comparison);
        Ok(if negated { Filter::Not(Box::new(term)) } else { term })
    }

    fn operator(
        &mut self,
        field: &Field,
        operator: Operator,
        at: &Token<'a>,
    ) -> Result<Comparison> {
        if !matches!(operator, Operator::Eq | Operator::Ne) {
            check::ordered(self.source, field, at)?;
        }
        let literal = self.literal(field)?;
        Ok(match operator {
            Operator::Eq => Comparison::Eq(literal),
            Operator::Ne => Comparison::Ne(literal),
            Operator::Lt => Comparison::Lt(literal),
            Operator::Le => Comparison::Le(literal),
            Operator::Gt => Comparison::Gt(literal),
            Operator::Ge => Comparison::Ge(literal),
        })
    }

    fn field(&mut self) -> Result<Field> {
        let token = self.take();
        if !matches!(token.kind, Kind::Word(_)) {
            return names::field(self.source, self.subject, &token);
        }
        if KEYWORDS.iter().any(|keyword| token.is(keyword)) {
            return Err(self.source.expected("a field", &token));
        }
        if self.peek().kind != Kind::Open {
            return names::field(self.source, self.subject, &token);
        }
        let aggregate = names::aggregate(self.source, self.subject, &token)?;
        self.next += 1;
        let inner = self.take();
        match names::field(self.source, self.subject, &inner)? {
            Field::Metric(Aggregate::Last, name) => {
                self.expect(&Kind::Close, "`)`")?;
                Ok(Field::Metric(aggregate, name))
            }
            _ => Err(self
                .source
                .fail(inner.at, format_args!("{} is not a metric", inner.shown()))
                .with_hint(format!("for example `{aggregate}(metrics.loss)`"))),
        }
    }

    fn literal(&mut self, field: &Field) -> Result<Literal> {
        let token = self.take();
        check::literal(self.source, field, &token)
    }

    fn pattern(&mut self, field: &Field, like: &Token<'a>) -> Result<String> {
        let token = self.take();
        check::pattern(self.source, field, like, &token)
    }

    fn list(&mut self, field: &Field) -> Result<Vec<Literal>> {
        self.expect(&Kind::Open, "`(`")?;
        if self.peek().kind == Kind::Close {
            return Err(self.source.fail(self.peek().at, "the list of `in` is empty"));
        }
        let mut list: Vec<Literal> = Vec::new();
        loop {
            let at = self.peek().at;
            if list.len() == MAX_LIST {
                let problem = format_args!("the list of `in` has more than {MAX_LIST} literals");
                return Err(self.source.fail(at, problem));
            }
            let literal = self.literal(field)?;
            if let Some(first) = list.first() {
                self.same_type(first, &literal, at)?;
            }
            list.push(literal);
            if self.peek().kind != Kind::Comma {
                self.expect(&Kind::Close, "`,` or `)`")?;
                return Ok(list);
            }
            self.next += 1;
        }
    }

    fn same_type(&self, first: &Literal, literal: &Literal, at: usize) -> Result<()> {
        if std::mem::discriminant(first) == std::mem::discriminant(literal) {
            return Ok(());
        }
        Err(self
            .source
            .fail(at, "a string and a number are mixed")
            .with_hint("a parameter is compared either as text or as a number"))
    }

    fn peek(&self) -> &Token<'a> {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn eat(&mut self, keyword: &str) -> bool {
        let found = self.peek().is(keyword);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, kind: &Kind<'_>, wanted: &str) -> Result<()> {
        let token = self.take();
        if token.kind == *kind { Ok(()) } else { Err(self.source.expected(wanted, &token)) }
    }

    fn end(&mut self, wanted: &str) -> Result<()> {
        self.expect(&Kind::End, wanted)
    }
}
