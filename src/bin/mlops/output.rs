//! Standard output: a table, lines, or one JSON document.
//!
//! Everything that is printed goes through here, buffered, with errors returned: a closed pipe ends
//! the command quietly instead of with a panic.

use std::fmt::Display;
use std::io::{self, BufWriter, Stdout, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;

use crate::failure::Failure;

/// Where a command's answer goes.
pub(crate) struct Output {
    json: bool,
    out: BufWriter<Stdout>,
}

impl Output {
    /// For a program, if `json`.
    pub(crate) fn new(json: bool) -> Self {
        Self { json, out: BufWriter::with_capacity(64 * 1024, io::stdout()) }
    }

    /// Whether a program reads it.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// One line, for people.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// A table, for people.
    pub(crate) fn table(&mut self, mut table: Table) -> Result<(), Failure> {
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Ok(writeln!(self.out, "{}", table.trim_fmt())?)
    }

    /// The JSON document.
    pub(crate) fn document(&mut self, value: &Value) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.out, value).map_err(io::Error::from)?;
        Ok(writeln!(self.out)?)
    }

    /// The JSON document, an array, item by item: so a long list needs no memory.
    pub(crate) fn array(&mut self) -> Result<Array<'_>, Failure> {
        self.out.write_all(b"[")?;
        Ok(Array { output: self, empty: true })
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.out.write_all(bytes)?)
    }

    /// A remark beside the answer, on standard error: text for people, a line of JSON for programs.
    pub(crate) fn note(&mut self, text: &str, json: Option<&Value>) -> Result<(), Failure> {
        self.out.flush()?;
        let mut remarks = io::stderr().lock();
        // A remark that nobody can read is no reason to fail.
        let _ = match (self.json, json) {
            (false, _) => writeln!(remarks, "{text}"),
            (true, Some(json)) => writeln!(remarks, "{json}"),
            (true, None) => Ok(()),
        };
        Ok(())
    }

    /// Writes out what is buffered, before something else is written elsewhere.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

/// A JSON array in the making.
pub(crate) struct Array<'a> {
    output: &'a mut Output,
    empty: bool,
}

impl Array<'_> {
    /// Adds an item, on a line of its own.
    pub(crate) fn push(&mut self, value: &Value) -> Result<(), Failure> {
        self.output.out.write_all(if self.empty { b"\n" } else { b",\n" })?;
        self.empty = false;
        serde_json::to_writer(&mut self.output.out, value).map_err(io::Error::from)?;
        Ok(())
    }

    /// Ends it.
    pub(crate) fn end(self) -> Result<(), Failure> {
        let end = if self.empty { "]\n" } else { "\n]\n" };
        Ok(self.output.out.write_all(end.as_bytes())?)
    }
}

/// A table without lines and with this header; nothing is wrapped, so that a line is a record.
pub(crate) fn table<T: Into<String>>(header: impl IntoIterator<Item = T>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.into_iter().map(Into::into));
    table
}

/// Pairs of a name and a value, without a header.
pub(crate) fn pairs() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// Sets numbers to the right.
pub(crate) fn right(table: &mut Table, columns: impl IntoIterator<Item = usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
