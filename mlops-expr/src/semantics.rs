//! What expressions mean. This page is the rule; the tests hold the code to it.
//!
//! # Text
//! Keywords in any case; `--` and `/* */` are comments. A name without quotes is taken as it is
//! written: `State` and `state` are two columns, because Arrow's names are. Names with other
//! characters, and the few reserved words, stand in "double quotes"; `a.b` is field `b` of struct `a`.
//! Precedence is PostgreSQL's: OR, AND, NOT, IS, comparisons (which do not chain), BETWEEN IN LIKE
//! ILIKE ~, ||, + -, * / %, sign, ::.
//!
//! ```text
//! 1  1.50  1e6  'text'  TRUE  FALSE  NULL  DATE '…'  TIMESTAMP '…'  INTERVAL '3 days'  :parameter
//! + - * / %  ||  = <> < <= > >=  IS [NOT] DISTINCT FROM  IS [NOT] NULL|TRUE|FALSE|UNKNOWN
//! AND OR NOT  [NOT] BETWEEN  [NOT] IN (…)  [NOT] LIKE|ILIKE … [ESCAPE]  ~ ~* !~ !~*
//! CASE [x] WHEN … THEN … ELSE … END   CAST(x AS type)  TRY_CAST(x AS type)  x::type
//! coalesce nullif greatest least
//! abs sign floor ceil trunc round sqrt exp ln log10 power mod is_nan is_finite
//! length octet_length lower upper trim ltrim rtrim substring concat replace
//! starts_with ends_with contains strpos position regexp_like
//! EXTRACT(part FROM x) date_part date_trunc year quarter month week day hour minute second dow isodow doy
//! ```
//!
//! # Never an error about a row
//! Binding finds every error of names and types. After that what has no answer is null: an overflow,
//! a division of whole numbers or decimals by zero, a CAST of a value that has no counterpart, a text
//! that grows beyond 1 MiB. So `CAST` and `TRY_CAST` do the same; one bad row must not take a
//! validation down. To find such rows: `x IS NOT NULL AND CAST(x AS INT) IS NULL`.
//!
//! # Null
//! Three-valued logic. A comparison or function of null is null; `IN` with a null in its list is
//! never false; `concat` takes null for an empty text (`||` does not); `greatest` and `least` leave
//! nulls out; a CASE without an arm that is true is its ELSE, or null.
//!
//! # Numbers
//! * Whole numbers calculate in 64 bits with a sign; `/` cuts toward zero, `%` has the sign of the
//!   left side. `uint64` compares by value and calculates as `int64`, null beyond it.
//! * A number with a dot is a decimal. + − % have the larger scale; * the sum of both; / the larger of
//!   both and 6, rounded. Precision is at most 38, beyond it the value is null.
//! * With a float on either side, a calculation is IEEE 754 in 64 bits; there infinities and NaN are
//!   values. `exp`, `ln`, `log10`, `power` are those of the platform.
//! * Rounding is half away from zero, in `round`, CAST and decimal division alike. Where a float is
//!   rounded to digits (`round(x, n)`, CAST to a decimal), its exact value decides, and only an exact
//!   tie goes to the even digit.
//! * Comparisons are exact between all kinds: 9007199254740993 is above the float 9007199254740992.
//!   −0.0 equals 0.0. NaN equals NaN and is above all other values, as in PostgreSQL.
//!
//! # Literals
//! A literal, and a parameter alike, takes the type of what it meets. A decimal that meets a float is
//! the nearest float (of 32 bits, if the other is); a float that meets decimals or whole numbers is
//! the shortest decimal that means it, so 0.1 from YAML equals the decimal 0.10. A text that meets a
//! date, time or timestamp is read as one, or refused. There is no other way between texts and
//! numbers than CAST.
//!
//! # Text values
//! Compared byte by byte, which is the order of Unicode scalar values; these are what lengths and
//! positions count. `trim` takes blanks, or the characters given. LIKE is about the whole text, `_` is
//! one scalar value, `\` escapes if nothing else is named. `~` searches; its syntax is that of Rust's
//! `regex`, without look-around and back-references. Patterns are known before any row, at most 1 MiB
//! when compiled, and matched in time linear in the text.
//!
//! # Time
//! Timestamps with a zone are instants, and compare as such across zones and units; those without are
//! not compared with them: CAST reads one side as UTC. Parts and truncation follow the zone, if it is
//! UTC or a fixed offset; for others CAST to a timestamp without zone. Differences are durations, of
//! dates whole days. An interval's months move along the calendar and stop at a month's last day.
//! `second` is whole; `millisecond` and `microsecond` count from the minute; `week` is ISO 8601's.
//!
//! # Encodings
//! Dictionaries, runs, views and large texts are their values; a key that no valid row uses does not
//! count. Binary, lists, maps, unions, intervals as columns and decimals of more than 38 digits may be
//! asked `IS NULL` and nothing else.
//!
//! # Bounds
//! [`MAX_BYTES`](crate::MAX_BYTES) of text, [`MAX_DEPTH`](crate::MAX_DEPTH) levels,
//! [`MAX_NODES`](crate::MAX_NODES) parts. Parsing takes linear time, and so does a row.
//! The answer for a row depends on that row alone: not on the batch, the encoding or the rows beside it.
