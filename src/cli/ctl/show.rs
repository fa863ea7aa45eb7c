//! Values as people read them: names and values in columns, lists of objects as tables, numbers to the right.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// What comes first, in this order; the rest follows by name.
const FIRST: [&str; 43] = [
    "",
    "number",
    "at",
    "by",
    "action",
    "session",
    "kind",
    "what",
    "conversation",
    "seller",
    "sub_account",
    "role",
    "id",
    "detail",
    "name",
    "version",
    "ready",
    "reasons",
    "listen",
    "store",
    "journal",
    "generation",
    "sellers",
    "sub_accounts",
    "total",
    "buyer",
    "staff",
    "operator",
    "sessions",
    "conversations",
    "queued",
    "offered",
    "active",
    "waiting",
    "longest_wait_s",
    "left_message",
    "agents",
    "online",
    "away",
    "offline",
    "slots",
    "status",
    "held",
];

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
    for (name, value) in ordered(members) {
        match value {
            Value::Array(rows) if rows.iter().any(Value::is_object) => {
                let _ = write!(tables, "\n{name}\n{}", table(rows));
            }
            Value::Object(inner) if inner.values().any(Value::is_object) => {
                let rows: Vec<_> = ordered(inner).map(|(name, value)| named(name, value)).collect();
                let _ = write!(tables, "\n{name}\n{}", table(&rows));
            }
            // What is not so needs no line.
            Value::Null => {}
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
    let columns: Vec<&String> = ordered(first).map(|(name, _)| name).collect();
    let heads: Vec<String> = columns.iter().map(|name| name.to_uppercase()).collect();
    let body = rows.iter().map(|row| columns.iter().map(|name| cell(&row[name.as_str()])).collect());
    aligned(heads, body.collect())
}

/// Lines under their heads; a column of numbers is aligned to the right.
pub(super) fn aligned(heads: Vec<String>, body: Vec<Vec<String>>) -> String {
    let is_number =
        |cell: &String| cell == "-" || cell.split(' ').next().is_some_and(|word| word.parse::<f64>().is_ok());
    let right: Vec<bool> =
        (0..heads.len()).map(|at| body.iter().all(|line| line.get(at).is_some_and(is_number))).collect();
    let lines: Vec<Vec<String>> = std::iter::once(heads).chain(body).collect();
    let width = |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..right.len()).map(|at| width(at).unwrap_or(0)).collect();
    let mut out = String::new();
    for line in &lines {
        let padded = line.iter().zip(&widths).zip(&right).map(|((cell, width), right)| match right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:width$}"),
        });
        let _ = writeln!(out, "{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    }
    out
}

/// The members of an object in the order in which people look for them.
fn ordered(members: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| rank(name));
    members.into_iter()
}

/// What a reload has changed, or would.
pub(super) fn reload(value: &Value) -> String {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (affected, changes, warnings) = (&value["affected"], list(&value["changes"]), list(&value["warnings"]));
    let applied = if value["applied"] == true { "yes" } else { "no, this was a rehearsal" };
    let count = affected["conversation_count"].as_u64().unwrap_or(0);
    let agents = list(&affected["agents"]);
    let whom = match (count, agents.len()) {
        (0, 0) => "nobody".to_owned(),
        (count, 0) => counted(count, "conversation"),
        (0, _) => format!("agents {}", cell(&affected["agents"])),
        (count, _) => format!("{}; agents {}", counted(count, "conversation"), cell(&affected["agents"])),
    };
    let mut out = format!("applied     {applied}\ngeneration  {}\naffected    {whom}\n", cell(&value["generation"]));
    if changes.is_empty() {
        out.push_str("changes     none\n");
    } else {
        let _ = write!(out, "\nchanges\n{}", table(&changes));
    }
    let conversations = list(&affected["conversations"]);
    if !conversations.is_empty() {
        let heads = ["CONVERSATION", "SELLER", "FROM", "TO"].map(str::to_owned).to_vec();
        let row = |one: &Value| ["conversation", "seller", "from", "to"].iter().map(|name| cell(&one[name])).collect();
        let _ = write!(out, "\nconversations\n{}", aligned(heads, conversations.iter().map(row).collect()));
        if count > conversations.len() as u64 {
            let _ = writeln!(out, "… and {} more", count - conversations.len() as u64);
        }
    }
    if !warnings.is_empty() {
        let _ = write!(out, "\nwarnings\n{}", faults(&warnings));
    }
    out
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
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
        // A change.
        Value::Object(members) if ["kind", "what", "id"].iter().all(|name| members.contains_key(*name)) => {
            format!("{} {} {}", cell(&value["kind"]), cell(&value["what"]), cell(&value["id"]))
        }
        // A program.
        Value::Object(members) if members.keys().eq(["name", "version"]) => {
            format!("{} {}", cell(&value["name"]), cell(&value["version"]))
        }
        Value::Object(members) => {
            let there = ordered(members).filter(|(_, value)| !value.is_null());
            there.map(|(name, value)| format!("{name} {}", cell(value))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// What is wrong with a configuration, a line for each fault.
pub(super) fn diagnostics(refusal: &Value) -> String {
    faults(refusal["diagnostics"].as_array().map_or(&[][..], Vec::as_slice))
}

fn faults(faults: &[Value]) -> String {
    let mut out = String::new();
    for fault in faults {
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
            "next": null,
            "journal": {"failure": null, "pending": 0},
            "sessions": {"buyer": 1, "staff": 1},
            "connections": [
                {"id": "ann", "queued": 0, "client": {"name": "shop", "version": "1"}},
                {"id": "mei\u{1b}[2J", "queued": 12, "client": null},
            ],
        });

        let text = text(&value);

        assert_eq!(
            text,
            "ready     yes\nreasons   -\njournal   pending 0\ntotal     2\nsessions  buyer 1, staff 1\n\nconnections\n\
             ID       QUEUED  CLIENT\nann           0  shop 1\nmei\u{fffd}[2J      12  -\n"
        );
    }

    #[test]
    fn objects_in_objects_are_a_table_of_their_names() {
        let value = json!({"phases": {"parse": {"count": 3, "p99_s": 0.000_004}, "slot": {"count": 3, "p99_s": null}}});

        assert_eq!(text(&value), "\nphases\n       COUNT     P99_S\nparse      3  0.000004\nslot       3         -\n");
    }

    #[test]
    fn a_reload_says_what_changes_and_whom_it_moves() {
        let moved = json!({"conversation": "01a2", "seller": "tea", "from": "mei", "to": "bo"});
        let warning =
            json!({"file": "a.toml", "line": 3, "column": 7, "severity": "warning", "message": "nobody is in it"});
        let value = json!({
            "generation": 2, "applied": false,
            "changes": [{"kind": "removed", "what": "authorization", "id": "tea/mei", "detail": "agent"}],
            "affected": {"conversation_count": 3, "conversations": [moved], "agents": ["mei", "bo"]},
            "warnings": [warning],
        });
        let nothing = json!({"generation": 1, "applied": true, "changes": [], "affected": {"conversation_count": 0, "agents": []}});

        assert_eq!(
            reload(&value),
            "applied     no, this was a rehearsal\ngeneration  2\naffected    3 conversations; agents mei, bo\n\n\
             changes\nKIND     WHAT           ID       DETAIL\nremoved  authorization  tea/mei  agent\n\n\
             conversations\nCONVERSATION  SELLER  FROM  TO\n01a2          tea     mei   bo\n… and 2 more\n\n\
             warnings\na.toml:3:7: warning: nobody is in it\n"
        );
        assert_eq!(reload(&nothing), "applied     yes\ngeneration  1\naffected    nobody\nchanges     none\n");
    }

    #[test]
    fn an_entry_of_the_audit_log_names_the_changes_in_one_line() {
        let change = json!({"kind": "removed", "what": "authorization", "id": "tea/xia", "detail": ""});
        let entries =
            json!([{"at": "now", "number": 3, "by": "ops", "detail": {"changes": [change], "generation": 2}}]);

        assert_eq!(
            text(&entries),
            "NUMBER  AT   BY   DETAIL\n     3  now  ops  generation 2, changes removed authorization tea/xia\n"
        );
    }

    #[test]
    fn a_fault_has_its_place_and_what_was_expected() {
        let refusal = json!({"diagnostics": [
            {"file": "a.toml", "line": 3, "column": 7, "severity": "error", "message": "no such group", "nearest": "presale"}
        ]});

        assert_eq!(diagnostics(&refusal), "a.toml:3:7: error: no such group; did you mean presale\n");
    }
}
