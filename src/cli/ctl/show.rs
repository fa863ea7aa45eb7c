//! Values as people read them: names and values in columns, lists of objects as tables.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A value as text.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Object(members) => object(members),
        Value::Array(rows) if rows.iter().any(Value::is_object) => table(rows),
        value => format!("{}\n", cell(value)),
    }
}

fn object(members: &Map<String, Value>) -> String {
    let (mut lines, mut tables) = (Vec::new(), String::new());
    for (name, value) in members {
        match value {
            Value::Array(rows) if rows.iter().any(Value::is_object) => {
                let _ = write!(tables, "\n{name}\n{}", table(rows));
            }
            Value::Object(inner) if inner.values().any(Value::is_object) => {
                let rows: Vec<_> = inner.iter().map(|(name, value)| named(name, value)).collect();
                let _ = write!(tables, "\n{name}\n{}", table(&rows));
            }
            value => lines.push((name, cell(value))),
        }
    }
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines: String = lines.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect();
    lines + &tables
}

fn named(name: &str, value: &Value) -> Value {
    let mut row = value.as_object().cloned().unwrap_or_default();
    row.insert(String::new(), name.into());
    Value::Object(row)
}

/// A table, whose columns are the members of its first row.
pub(super) fn table(rows: &[Value]) -> String {
    let Some(Value::Object(first)) = rows.first() else { return String::new() };
    let columns: Vec<&String> = first.keys().collect();
    let head: Vec<String> = columns.iter().map(|name| name.to_uppercase()).collect();
    let body = rows.iter().map(|row| columns.iter().map(|name| cell(&row[name.as_str()])).collect::<Vec<_>>());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(body).collect();
    let widths: Vec<usize> =
        (0..columns.len()).map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for line in &lines {
        let padded: Vec<_> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(out, "{}", padded.join("  ").trim_end());
    }
    out
}

/// A value in one line.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        // What comes from elsewhere cannot move the cursor.
        Value::String(text) => text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => format!("{number:.6}").trim_end_matches('0').trim_end_matches('.').to_owned(),
            None => number.to_string(),
        },
        Value::Array(values) if values.is_empty() => "-".into(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(members) if members.is_empty() => "-".into(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| format!("{name} {}", cell(value))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// What is wrong with a configuration, a line for each fault.
pub(super) fn diagnostics(refusal: &Value) -> String {
    let mut out = String::new();
    for fault in refusal["diagnostics"].as_array().into_iter().flatten() {
        let place = format!("{}:{}:{}", cell(&fault["file"]), cell(&fault["line"]), cell(&fault["column"]));
        let _ = write!(out, "{place}: {}: {}", cell(&fault["severity"]), cell(&fault["message"]));
        for (name, before) in [("expected", "expected"), ("nearest", "did you mean"), ("allowed_from", "allowed from")]
        {
            if let Some(text) = fault[name].as_str() {
                let _ = write!(out, "; {before} {text}");
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_names_and_values_and_its_lists_are_tables() {
        let value = json!({
            "total": 2,
            "ready": true,
            "reasons": [],
            "sessions": {"buyer": 1, "staff": 1},
            "connections": [{"id": "ann", "queued": 0}, {"id": "mei\u{1b}[2J", "queued": 12}],
        });

        let text = text(&value);

        assert_eq!(
            text,
            "ready     yes\nreasons   -\nsessions  buyer 1, staff 1\ntotal     2\n\nconnections\nID       QUEUED\n\
             ann      0\nmei\u{fffd}[2J  12\n"
        );
    }

    #[test]
    fn objects_in_objects_are_a_table_of_their_names() {
        let value = json!({"phases": {"parse": {"count": 3, "p99_s": 0.000_004}, "slot": {"count": 3, "p99_s": null}}});

        assert_eq!(text(&value), "\nphases\n       COUNT  P99_S\nparse  3      0.000004\nslot   3      -\n");
    }

    #[test]
    fn a_fault_has_its_place_and_what_was_expected() {
        let refusal = json!({"diagnostics": [
            {"file": "a.toml", "line": 3, "column": 7, "severity": "error", "message": "no such group", "nearest": "presale"}
        ]});

        assert_eq!(diagnostics(&refusal), "a.toml:3:7: error: no such group; did you mean presale\n");
    }
}
