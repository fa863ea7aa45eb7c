//! The same figures in the older text format, which tools ask for that do not know OpenMetrics.

use std::fmt::Write as _;

/// OpenMetrics as the text format of version 0.0.4: counters by the names of their samples, no units, no end.
pub(super) fn classic(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        let (word, name, rest) = (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
        if !matches!(word, "HELP" | "TYPE") {
            continue;
        }
        let kind = kind_of(text, name);
        let (name, rest) = match (kind, word) {
            ("counter", _) => (format!("{name}_total"), rest),
            ("info", "TYPE") => (format!("{name}_info"), "gauge"),
            ("info", _) => (format!("{name}_info"), rest),
            ("unknown", "TYPE") => (name.to_owned(), "untyped"),
            _ => (name.to_owned(), rest),
        };
        let _ = writeln!(out, "# {word} {name} {rest}");
    }
    out
}

fn kind_of<'a>(text: &'a str, name: &str) -> &'a str {
    let of_name = |line: &'a str| line.strip_prefix("# TYPE ")?.strip_prefix(name)?.strip_prefix(' ');
    text.lines().find_map(of_name).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_called_as_their_samples_and_the_end_is_left_out() {
        let open = "# HELP a_b Seen.\n# TYPE a_b counter\na_b_total{x=\"1\"} 2\n# HELP c_seconds Took.\n\
                    # TYPE c_seconds gauge\n# UNIT c_seconds seconds\nc_seconds 3\n# TYPE d info\nd_info{v=\"1\"} 1\n# EOF\n";

        let text = classic(open);

        assert_eq!(
            text,
            "# HELP a_b_total Seen.\n# TYPE a_b_total counter\na_b_total{x=\"1\"} 2\n# HELP c_seconds Took.\n\
             # TYPE c_seconds gauge\nc_seconds 3\n# TYPE d_info gauge\nd_info{v=\"1\"} 1\n"
        );
    }
}
