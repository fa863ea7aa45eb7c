//! `fenliu ctl tap`: the events of a seller as they happen, a line each.

use std::fmt::Write as _;

use http_body_util::BodyExt;
use hyper::Method;
use serde_json::Value;

use super::super::client::{Client, encoded};
use super::super::output::{Format, print};
use super::show::cell;

/// The event with which the daemon says that it goes.
const GOES: &str = "session.draining";

/// Prints them until the daemon goes.
pub(super) async fn tap(client: &Client, seller: &str, format: Format) -> anyhow::Result<()> {
    let answer = client.send(Method::GET, &format!("/tap?seller={}", encoded(seller)), None).await?;
    if !answer.status().is_success() {
        client.value(answer).await?;
        return Ok(());
    }
    let (mut body, mut rest, mut goes) = (answer.into_body(), Vec::new(), false);
    while let Some(frame) = body.frame().await {
        rest.extend_from_slice(frame?.data_ref().map_or(&[][..], |data| data));
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let event: Value = serde_json::from_slice(&line).unwrap_or_default();
            goes = event["method"] == GOES;
            match format {
                Format::Json => print(&line)?,
                Format::Text => print(shown(&event).as_bytes())?,
            }
        }
    }
    anyhow::ensure!(goes, "the daemon has ended the tap: lines came faster than they were read");
    Ok(())
}

/// An event for people: what it is, about which conversation, and what of it can be said in short.
fn shown(event: &Value) -> String {
    let params = &event["params"];
    let whole = &params["conversation"];
    let about = if whole.is_object() { &whole["id"] } else { whole };
    let mut line =
        format!("{:26} {:36}", cell(&event["method"]), if about.is_null() { String::new() } else { cell(about) });
    if whole.is_object() {
        for (name, value) in [
            ("state", &whole["state"]),
            ("group", &whole["group"]),
            ("agent", &whole["agent"]["id"]),
            ("buyer", &whole["buyer"]["id"]),
        ] {
            say(&mut line, name, value);
        }
    }
    for (name, value) in params.as_object().into_iter().flatten() {
        match name.as_str() {
            "conversation" | "prev" | "client_id" | "at" => {}
            "from" => say(&mut line, name, value.get("id").unwrap_or(&value["kind"])),
            "body" => {}
            _ => say(&mut line, name, value),
        }
    }
    if let Some(body) = params.get("body") {
        say(&mut line, "body", body.get("text").unwrap_or(&body["type"]));
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

fn say(line: &mut String, name: &str, value: &Value) {
    if !value.is_null() {
        let _ = write!(line, "  {name} {}", cell(value));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_line_about_its_conversation() {
        let conversation = json!({"id": "c1", "state": "active", "group": "presale", "agent": {"id": "mei", "name": "Mei"}, "buyer": {"id": "ann"}});
        let assigned =
            json!({"method": "conversation.assigned", "params": {"cause": "start", "conversation": conversation}});
        let message = json!({"method": "message.new", "params": {
            "conversation": "c1", "seq": 2, "prev": 1, "from": {"kind": "buyer", "id": "ann"}, "body": {"type": "text", "text": "a\nb"}
        }});
        let words = |event: &Value| shown(event).split_whitespace().collect::<Vec<_>>().join(" ");

        assert_eq!(
            words(&assigned),
            "conversation.assigned c1 state active group presale agent mei buyer ann cause start"
        );
        assert_eq!(words(&message), "message.new c1 from ann seq 2 body a\u{fffd}b");
        assert_eq!(
            words(&json!({"method": "session.draining", "params": {"reconnect_after_ms": 1000}})),
            "session.draining reconnect_after_ms 1000"
        );
        assert_eq!(shown(&message).lines().count(), 1);
    }
}
