//! The edges of lineage in SQLite. Nodes are interned: a graph repeats them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use mlops_core::lineage::{Direction, Edge, Node, Relation};
use mlops_core::registry::events;
use rusqlite::{Connection, OptionalExtension, params};

use super::Writer;
use super::fail::{Fail, Outcome};

pub(super) fn link(writer: &Writer<'_>, edges: &[Edge]) -> Outcome<()> {
    let new = add(writer.sql, edges)?;
    let (Some(first), false) = (edges.first(), new.is_empty()) else { return Ok(()) };
    writer.journal(events::LINEAGE_LINK, &first.to, &events::lineage_link(&new))?;
    Ok(())
}

/// Adds edges, and returns those that were not there.
pub(super) fn add(sql: &Connection, edges: &[Edge]) -> Outcome<Vec<Edge>> {
    let mut new = Vec::new();
    // The edges of one change share most of their ends.
    let mut known: BTreeMap<&Node, i64> = BTreeMap::new();
    let mut intern = |node| match known.entry(node) {
        Entry::Occupied(known) => Ok(*known.get()),
        Entry::Vacant(place) => intern(sql, node).map(|id| *place.insert(id)),
    };
    for edge in edges {
        let (source, target) = (intern(&edge.from)?, intern(&edge.to)?);
        let added = sql
            .prepare_cached(
                "INSERT OR IGNORE INTO edges (source, target, relation) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![source, target, edge.relation.as_str()])?;
        if added > 0 {
            new.push(edge.clone());
        }
    }
    Ok(new)
}

/// Takes edges away.
pub(super) fn remove(sql: &Connection, edges: &[Edge]) -> Outcome<()> {
    for edge in edges {
        let (Some(source), Some(target)) = (find(sql, &edge.from)?, find(sql, &edge.to)?) else {
            continue;
        };
        sql.prepare_cached(
            "DELETE FROM edges WHERE source = ?1 AND target = ?2 AND relation = ?3",
        )?
        .execute(params![source, target, edge.relation.as_str()])?;
    }
    Ok(())
}

/// Takes all edges of a node away.
pub(super) fn forget(sql: &Connection, node: &Node) -> Outcome<()> {
    let Some(id) = find(sql, node)? else { return Ok(()) };
    sql.prepare_cached("DELETE FROM edges WHERE source = ?1 OR target = ?1")?.execute([id])?;
    Ok(())
}

pub(super) fn edges(sql: &Connection, nodes: &[Node], direction: Direction) -> Outcome<Vec<Edge>> {
    let mut statement = sql.prepare_cached(match direction {
        Direction::Downstream => {
            "SELECT n.node, e.relation FROM edges e JOIN nodes n ON n.id = e.target
             WHERE e.source = ?1"
        }
        Direction::Upstream => {
            "SELECT n.node, e.relation FROM edges e JOIN nodes n ON n.id = e.source
             WHERE e.target = ?1"
        }
    })?;
    let mut out = BTreeSet::new();
    for node in nodes {
        let Some(id) = find(sql, node)? else { continue };
        let mut rows = statement.query([id])?;
        while let Some(row) = rows.next()? {
            let text = |i| row.get_ref(i).and_then(|value| value.as_str().map_err(Into::into));
            let other: Node = text(0)?.parse().map_err(|_| Fail::Stored { what: "nodes.node" })?;
            let relation: Relation =
                text(1)?.parse().map_err(|_| Fail::Stored { what: "edges.relation" })?;
            out.insert(match direction {
                Direction::Downstream => Edge::new(node.clone(), other, relation),
                Direction::Upstream => Edge::new(other, node.clone(), relation),
            });
        }
    }
    Ok(out.into_iter().collect())
}

fn find(sql: &Connection, node: &Node) -> Outcome<Option<i64>> {
    Ok(sql
        .prepare_cached("SELECT id FROM nodes WHERE node = ?1")?
        .query_row([node.to_string()], |row| row.get(0))
        .optional()?)
}

fn intern(sql: &Connection, node: &Node) -> Outcome<i64> {
    if let Some(id) = find(sql, node)? {
        return Ok(id);
    }
    sql.prepare_cached("INSERT INTO nodes (node) VALUES (?1)")?.execute([node.to_string()])?;
    Ok(sql.last_insert_rowid())
}
