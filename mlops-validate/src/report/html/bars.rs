//! Bars, as SVG: their widths are attributes, so the page needs no styles of single elements.

use std::fmt;

use super::Xml;

/// A part of a stacked bar.
pub(super) struct Part {
    /// Its colour.
    pub(super) class: &'static str,
    /// How much of the whole.
    pub(super) size: u64,
    /// What it is, with its number: the bar alone says nothing to who cannot see it.
    pub(super) label: String,
    /// The section of the page that tells more.
    pub(super) link: Option<&'static str>,
}

/// A title, a bar of some parts, and what they are.
pub(super) fn stacked(f: &mut fmt::Formatter<'_>, title: &str, parts: &[Part]) -> fmt::Result {
    writeln!(f, "<figure>\n<figcaption>{}</figcaption>", Xml(title))?;
    let widths = widths(parts);
    f.write_str("<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">")?;
    let mut x = 0;
    for (part, width) in parts.iter().zip(widths) {
        if width > 0 {
            let class = part.class;
            write!(f, "<rect class=\"{class}\" x=\"{x}\" width=\"{width}\" height=\"10\"/>")?;
            x += width;
        }
    }
    f.write_str("</svg>\n<ul>\n")?;
    for part in parts.iter().filter(|part| part.size > 0) {
        let (class, label) = (part.class, Xml(&part.label));
        match part.link {
            Some(id) => writeln!(f, "<li class=\"{class}\"><a href=\"#{id}\">{label}</a></li>")?,
            None => writeln!(f, "<li class=\"{class}\">{label}</li>")?,
        }
    }
    f.write_str("</ul>\n</figure>\n")
}

/// Widths in thousandths: every part that is not nothing can be seen, and the sum is the whole.
fn widths(parts: &[Part]) -> Vec<u64> {
    const LEAST: u64 = 6;
    let whole: u128 = parts.iter().map(|part| u128::from(part.size)).sum();
    let mut widths: Vec<u64> = parts
        .iter()
        .map(|part| match part.size {
            0 => 0,
            size => ((u128::from(size) * 1000 / whole) as u64).max(LEAST),
        })
        .collect();
    // The largest gives or takes what rounding left.
    let sum: u64 = widths.iter().sum();
    if let Some(largest) = widths.iter_mut().max() {
        *largest = (*largest + 1000).saturating_sub(sum);
    }
    if whole == 0 { vec![0; parts.len()] } else { widths }
}

/// A thin bar of the share that failed.
pub(super) fn share(f: &mut fmt::Formatter<'_>, part: u64, whole: u64) -> fmt::Result {
    let width =
        (u128::from(part) * 1000).checked_div(u128::from(whole)).unwrap_or(0).clamp(4, 1000);
    writeln!(
        f,
        "<svg class=\"bar share\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" \
         aria-hidden=\"true\"><rect class=\"part\" width=\"{width}\" height=\"10\"/></svg>"
    )
}
