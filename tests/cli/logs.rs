//! What the daemon logs: at no level a secret, a token or what people write.

use std::io::Read;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::run::{Place, shipped};

const SECRET: &str = "a-secret-of-at-least-32-bytes-length";
const WORDS: &str = "words-that-nobody-else-may-read";
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn no_level_shows_a_secret_a_token_or_what_people_write() {
    let place = Place::new();
    let routing = shipped().display().to_string();
    let variables = [
        ("FENLIU__ROUTING__PATH", routing.as_str()),
        ("FENLIU__SERVER__LISTEN", "127.0.0.1:0"),
        ("FENLIU__SERVER__ADMIN_LISTEN", "unix:admin.sock"),
        ("FENLIU__AUTH__HS256_SECRET", SECRET),
        ("FENLIU_LOG", "trace,tungstenite=trace,hyper=trace"),
        ("FENLIU_LOG_FORMAT", "json"),
    ];
    let token = |role, sub| {
        let ran = place.run_with(&["token", "--role", role, "--sub", sub], &variables, "");
        ran.out.trim().to_owned()
    };
    let tokens = [token("staff", "mei"), token("buyer", "ann")];
    let mut child = place.command(&["serve"], &variables).spawn().unwrap();
    let mut log = child.stderr.take().unwrap();
    let (address, mut text) = listens_on(&mut log);
    let reading = std::thread::spawn(move || {
        log.read_to_string(&mut text).unwrap();
        text
    });

    tokio::time::timeout(PATIENCE, talk(&address, &tokens)).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let text = reading.join().unwrap();

    let events: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(!events.is_empty(), "{text}");
    for hidden in [SECRET, WORDS, tokens[0].as_str(), tokens[1].as_str()] {
        assert!(!text.contains(hidden), "{hidden} is in the log: {text}");
    }
}

/// The address that the daemon says it listens on, and all that it has said so far.
fn listens_on(log: &mut impl Read) -> (String, String) {
    let (mut text, mut byte) = (String::new(), [0]);
    loop {
        assert_eq!(log.read(&mut byte).unwrap(), 1, "{text}");
        text.push(char::from(byte[0]));
        let line = text.split("fenliu listens on ").nth(1).filter(|line| line.ends_with('\n'));
        if let Some(address) = line.and_then(|line| line.split(' ').next()) {
            return (address.to_owned(), text);
        }
    }
}

/// An agent and a buyer talk; somebody sends what is no call at all.
async fn talk(address: &str, [staff, buyer]: &[String; 2]) {
    let url = format!("ws://{address}/ws");
    let body = json!({ "type": "text", "text": WORDS });
    let calls = |token: &String, call: Value| {
        [json!({ "method": "session.open", "params": { "token": token, } }), call].map(|mut call| {
            call["jsonrpc"] = json!("2.0");
            call["id"] = json!(1);
            call.to_string()
        })
    };
    let presence = json!({ "method": "presence.set", "params": { "status": "online" } });
    let message = json!({ "client_id": "m", "body": body });
    let start = json!({ "method": "conversation.start", "params": { "seller": "tea", "message": message } });
    for frames in [calls(staff, presence), calls(buyer, start)] {
        let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
        for frame in frames {
            socket.send(Message::text(frame)).await.unwrap();
            socket.next().await.unwrap().unwrap();
        }
        socket.send(Message::text(format!("{{ {WORDS}"))).await.unwrap();
        socket.next().await.unwrap().unwrap();
    }
}
