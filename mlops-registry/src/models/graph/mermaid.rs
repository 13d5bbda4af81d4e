//! A graph as a Mermaid flowchart.

use std::collections::BTreeMap;
use std::fmt::Write;

use mlops_core::lineage::{Node, NodeKind};

use super::Graph;

/// More hexadecimal digits than these in a row are cut: nobody reads them.
const DIGITS: usize = 16;
/// How many are left.
const DIGITS_LEFT: usize = 12;
/// Longest label, in characters.
const LABEL_CHARS: usize = 80;

/// What a kind looks like: what opens and closes its shape, and its style.
struct Look {
    open: &'static str,
    close: &'static str,
    style: &'static str,
}

fn look(kind: NodeKind) -> Look {
    let (open, close, style) = match kind {
        NodeKind::Source => ("[/", "/]", "fill:#eceff1,stroke:#607d8b,color:#111"),
        NodeKind::Dataset => ("[(", ")]", "fill:#e3f2fd,stroke:#1565c0,color:#111"),
        NodeKind::Column => (">", "]", "fill:#e3f2fd,stroke:#90caf9,color:#111"),
        NodeKind::FeatureView | NodeKind::FeatureService => {
            ("(", ")", "fill:#e0f2f1,stroke:#00796b,color:#111")
        }
        NodeKind::Run | NodeKind::Experiment => {
            ("([", "])", "fill:#fff8e1,stroke:#f9a825,color:#111")
        }
        NodeKind::Model | NodeKind::ModelVersion => {
            ("[[", "]]", "fill:#ede7f6,stroke:#5e35b1,color:#111")
        }
        NodeKind::Stage | NodeKind::Rollout => {
            ("{{", "}}", "fill:#e8f5e9,stroke:#2e7d32,color:#111")
        }
        NodeKind::Alarm => ("((", "))", "fill:#ffebee,stroke:#c62828,color:#111"),
        _ => ("[", "]", "fill:#fafafa,stroke:#9e9e9e,color:#111"),
    };
    Look { open, close, style }
}

pub(super) fn text(graph: &Graph) -> String {
    let mut text = String::from("flowchart LR\n");
    let names: BTreeMap<&Node, usize> =
        graph.nodes.iter().enumerate().map(|(at, node)| (node, at)).collect();
    let mut styles = BTreeMap::new();
    // Writing to a String cannot fail.
    for (node, at) in &names {
        let (look, kind) = (look(node.kind), node.kind.as_str());
        let label =
            format!("{}<br/>{}", escaped(&kind.replace('_', " ")), escaped(&short(&node.id)));
        let _ = writeln!(text, "  n{at}{}\"{label}\"{}:::{kind}", look.open, look.close);
        styles.insert(kind, look.style);
    }
    for edge in &graph.edges {
        if let (Some(from), Some(to)) = (names.get(&edge.from), names.get(&edge.to)) {
            let label = edge.relation.as_str().replace('_', " ");
            let _ = writeln!(text, "  n{from} -->|{label}| n{to}");
        }
    }
    for (kind, style) in styles {
        let _ = writeln!(text, "  classDef {kind} {style}");
    }
    if graph.full {
        text.push_str("  %% There is more: the graph is full.\n");
    }
    text
}

/// The id with its long digests cut.
fn short(id: &str) -> String {
    let (mut text, mut digits) = (String::new(), String::new());
    let flush = |digits: &mut String, text: &mut String| {
        if digits.len() > DIGITS {
            digits.truncate(DIGITS_LEFT);
            digits.push('…');
        }
        text.push_str(digits);
        digits.clear();
    };
    for c in id.chars() {
        if c.is_ascii_hexdigit() {
            digits.push(c);
        } else {
            flush(&mut digits, &mut text);
            text.push(c);
        }
    }
    flush(&mut digits, &mut text);
    if text.chars().count() > LABEL_CHARS {
        text = text.chars().take(LABEL_CHARS - 1).chain(['…']).collect();
    }
    text
}

/// The text within a quoted label: whatever means something to Mermaid or to HTML becomes a character
/// code.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        if c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/' | ':' | '@' | '=' | '…')
        {
            escaped.push(c);
        } else {
            let _ = write!(escaped, "#{};", u32::from(c));
        }
        escaped
    })
}
