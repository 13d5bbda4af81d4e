//! The tree that a text is parsed into: what was written, before any schema is known.
//!
//! Chains of AND and OR are one node with many terms, so that a rule of a thousand terms is not a
//! thousand levels deep; with that, depth has a small bound and recursion over a tree is safe.

use std::sync::Arc;

/// An expression and where it stands in the text.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The byte at which its operator or its first word begins.
    pub(crate) at: usize,
    /// The levels of its tree; 1 for a leaf.
    pub(crate) height: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Literal(Literal),
    /// `a` or `a.b.c`.
    Column(Vec<String>),
    Parameter(String),
    Negate(Box<Node>),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Binary(Binary, Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    /// `x IS [NOT] NULL` and its sisters; true: not.
    Is(Box<Node>, Is, bool),
    Between(Box<Node>, Box<Node>, Box<Node>, bool),
    In(Box<Node>, Vec<Node>, bool),
    Like(Box<Like>),
    /// Operand, WHEN and THEN, ELSE.
    Case(Option<Box<Node>>, Vec<(Node, Node)>, Option<Box<Node>>),
    Cast(Box<Node>, CastType, bool),
    Extract(String, Box<Node>),
    Call(String, Vec<Node>),
}

#[derive(Debug, Clone)]
pub(crate) struct Like {
    pub(crate) value: Node,
    pub(crate) pattern: Node,
    pub(crate) style: LikeStyle,
    pub(crate) escape: Option<char>,
    pub(crate) negated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LikeStyle {
    Like,
    ILike,
    /// `~`
    Regex,
    /// `~*`
    IRegex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Is {
    Null,
    True,
    False,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Concat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Distinct,
    NotDistinct,
}

/// A literal, and the values of a bound expression that are known before any row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    /// `value / 10^scale`; fewer than 39 digits.
    Exact(i128, u8),
    Float(f64),
    Text(Arc<str>),
    Date(i32),
    /// Nanoseconds since 1970, and whether an offset was given.
    Timestamp(i128, bool),
    Interval(Interval),
}

/// A time span in its three parts, which do not convert into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interval {
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) nanos: i64,
}

/// What a CAST names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CastType {
    Bool,
    /// Bits of a signed integer.
    Int(u8),
    Decimal(u8, i8),
    Float32,
    Float64,
    Text,
    Date,
    /// Digits after the second (0, 3, 6, 9), and whether it is an instant in UTC.
    Timestamp(u8, bool),
}

impl Binary {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Concat => "||",
        }
    }
}

impl Comparison {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Distinct => "IS DISTINCT FROM",
            Self::NotDistinct => "IS NOT DISTINCT FROM",
        }
    }

    /// The comparison that holds when the operands are exchanged.
    pub(crate) fn flipped(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }
}

impl Is {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::True => "TRUE",
            Self::False => "FALSE",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl LikeStyle {
    pub(crate) fn sign(self, negated: bool) -> &'static str {
        match (self, negated) {
            (Self::Like, false) => "LIKE",
            (Self::Like, true) => "NOT LIKE",
            (Self::ILike, false) => "ILIKE",
            (Self::ILike, true) => "NOT ILIKE",
            (Self::Regex, false) => "~",
            (Self::Regex, true) => "!~",
            (Self::IRegex, false) => "~*",
            (Self::IRegex, true) => "!~*",
        }
    }
}

impl Node {
    pub(crate) fn new(at: usize, kind: Kind) -> Self {
        let mut node = Self { at, height: 0, kind };
        let mut below = 0;
        node.children(&mut |child| below = below.max(child.height));
        node.height = below + 1;
        node
    }

    /// Calls `visit` for this node and all below it, in the order in which they were written.
    pub(crate) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        visit(self);
        self.children(&mut |child| child.walk(visit));
    }

    fn children<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        match &self.kind {
            Kind::Literal(_) | Kind::Column(_) | Kind::Parameter(_) => {}
            Kind::Negate(a)
            | Kind::Not(a)
            | Kind::Is(a, ..)
            | Kind::Cast(a, ..)
            | Kind::Extract(_, a) => visit(a),
            Kind::And(all) | Kind::Or(all) | Kind::Call(_, all) => all.iter().for_each(visit),
            Kind::Binary(_, a, b) | Kind::Compare(_, a, b) => {
                visit(a);
                visit(b);
            }
            Kind::Between(a, b, c, _) => {
                visit(a);
                visit(b);
                visit(c);
            }
            Kind::In(a, list, _) => {
                visit(a);
                list.iter().for_each(visit);
            }
            Kind::Like(like) => {
                visit(&like.value);
                visit(&like.pattern);
            }
            Kind::Case(operand, arms, last) => {
                if let Some(operand) = operand {
                    visit(operand);
                }
                for (when, then) in arms {
                    visit(when);
                    visit(then);
                }
                if let Some(last) = last {
                    visit(last);
                }
            }
        }
    }
}
