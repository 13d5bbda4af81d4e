//! The byte classes of an expression, broken into the ranges that a block is searched for.
//!
//! Reading the text is dear and putting masks together is cheap. So the classes of an expression are
//! cut at each other's borders, each piece is searched for once, and a class is the union of its
//! pieces: `[a-z]`, `[0-9]` and `[a-z0-9.]` need three searches, not five. A class that is nearly
//! everything is searched for as what it is not.

use super::scan::ByteRange;

/// More ranges than this cost as much as an automaton does.
const MAX_RANGES: usize = 24;

/// Characters of a class: those of ASCII, and whether there are others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set {
    ascii: u128,
    pub(super) beyond_ascii: bool,
}

impl Set {
    pub(super) fn byte(byte: u8) -> Self {
        Self::of_ranges([(u32::from(byte), u32::from(byte))].into_iter())
    }

    /// What `\w` is in ASCII.
    pub(super) fn word() -> Self {
        Self::of_ranges([(48, 57), (65, 90), (95, 95), (97, 122)].into_iter())
    }

    /// Of ranges of code points, both ends inclusive.
    pub(super) fn of_ranges(ranges: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut set = Self { ascii: 0, beyond_ascii: false };
        for (low, high) in ranges {
            set.beyond_ascii |= high > 127;
            if low <= 127 {
                set.ascii |= (u128::MAX << low) & (u128::MAX >> (127 - high.min(127)));
            }
        }
        set
    }
}

/// Several ranges as one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Union {
    /// Which of the plan's ranges.
    pub(super) ranges: Vec<usize>,
    /// Whether the class is the rest of ASCII.
    pub(super) negated: bool,
}

/// What is searched for.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) ranges: Vec<ByteRange>,
    pub(super) unions: Vec<Union>,
    /// For each class, in the order in which they came: a range, or behind them a union.
    pub(super) indices: Vec<usize>,
}

/// The distinct classes met so far.
#[derive(Debug, Default)]
pub(super) struct Classes(Vec<u128>);

impl Classes {
    /// The number of a class; the same for the same bytes.
    pub(super) fn index(&mut self, set: Set) -> usize {
        self.0.iter().position(|known| *known == set.ascii).unwrap_or_else(|| {
            self.0.push(set.ascii);
            self.0.len() - 1
        })
    }

    /// How to find all of them, if that is not too much.
    pub(super) fn plan(&self) -> Option<Plan> {
        // What is searched for instead of each class.
        let wanted = || {
            self.0.iter().map(|&set| {
                let negated = pieces(!set).len() < pieces(set).len();
                (if negated { !set } else { set }, negated)
            })
        };
        // Bit i: something begins or ended at byte i.
        let cuts = wanted().fold(0, |cuts, (set, _)| cuts | (set ^ set << 1));
        let used = wanted().fold(0, |used, (set, _)| used | set);
        let ranges: Vec<ByteRange> = pieces_cut(used, cuts);
        if ranges.len() > MAX_RANGES {
            return None;
        }
        let mut unions = Vec::new();
        let indices = wanted()
            .map(|(set, negated)| {
                let of_set: Vec<usize> =
                    (0..ranges.len()).filter(|&i| set >> ranges[i].low & 1 == 1).collect();
                if let ([one], false) = (&of_set[..], negated) {
                    return *one;
                }
                unions.push(Union { ranges: of_set, negated });
                ranges.len() + unions.len() - 1
            })
            .collect();
        Some(Plan { ranges, unions, indices })
    }
}

fn pieces(set: u128) -> Vec<ByteRange> {
    pieces_cut(set, 0)
}

/// The runs of a set, cut before each byte of `cuts`.
fn pieces_cut(set: u128, cuts: u128) -> Vec<ByteRange> {
    let mut pieces: Vec<ByteRange> = Vec::new();
    for byte in (0..128_u8).filter(|byte| set >> byte & 1 == 1) {
        match pieces.last_mut() {
            Some(last) if last.high + 1 == byte && cuts >> byte & 1 == 0 => last.high = byte,
            _ => pieces.push(ByteRange { low: byte, high: byte }),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(sets: &[Set]) -> (Vec<(char, char)>, Plan) {
        let mut classes = Classes::default();
        for set in sets {
            classes.index(*set);
        }
        let plan = classes.plan().unwrap();
        let ranges = plan.ranges.iter().map(|r| (char::from(r.low), char::from(r.high))).collect();
        (ranges, plan)
    }

    fn set(ranges: &[(char, char)]) -> Set {
        Set::of_ranges(ranges.iter().map(|&(low, high)| (u32::from(low), u32::from(high))))
    }

    #[test]
    fn classes_share_the_ranges_that_they_have_in_common() {
        let (ranges, plan) = plan(&[
            set(&[('0', '9')]),
            set(&[('a', 'z'), ('0', '9'), ('.', '.')]),
            set(&[('.', '.')]),
            set(&[('a', 'z')]),
        ]);
        assert_eq!(ranges, [('.', '.'), ('0', '9'), ('a', 'z')]);
        assert_eq!(plan.indices, [1, 3, 0, 2]);
        assert_eq!(plan.unions, [Union { ranges: vec![0, 1, 2], negated: false }]);
    }

    #[test]
    fn a_class_of_nearly_everything_is_searched_for_as_what_it_is_not() {
        let (ranges, plan) = plan(&[set(&[('\0', '+'), ('-', '\u{10ffff}')])]);
        assert_eq!(ranges, [(',', ',')]);
        assert_eq!(plan.unions, [Union { ranges: vec![0], negated: true }]);
    }

    #[test]
    fn ranges_that_overlap_are_cut_where_they_do() {
        let (ranges, plan) = plan(&[set(&[('a', 'm')]), set(&[('f', 'z')])]);
        assert_eq!(ranges, [('a', 'e'), ('f', 'm'), ('n', 'z')]);
        assert_eq!(plan.indices, [3, 4]);
    }

    #[test]
    fn all_and_nothing_are_classes_too() {
        let (ranges, plan) = plan(&[set(&[('\0', '\u{7f}')]), set(&[])]);
        assert_eq!(ranges, []);
        assert_eq!(
            plan.unions,
            [Union { ranges: vec![], negated: true }, Union { ranges: vec![], negated: false }]
        );
    }
}
