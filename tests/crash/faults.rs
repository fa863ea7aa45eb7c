//! What a disk or the system may refuse, refused to the real binary: whoever asks is told, everybody stays, what can be
//! read is read, and when it is over everything goes on by itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use fenliu::auth::Role;
use serde_json::{Value, json};

use crate::host::{Host, Session};
use crate::load::{history, message, start};
use crate::trace::Fault;

/// Calls that fail together, and how.
const REFUSALS: [(&str, &str); 6] = [
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("pwrite64", "EROFS"),
    ("fdatasync,fsync", "EIO"),
    // The store cannot be opened again meanwhile.
    ("fdatasync,fsync,openat", "EMFILE"),
    ("pwrite64,fdatasync,fsync,ftruncate,openat", "EROFS"),
];

/// How many calls fail, one after the other: three messages make about so many.
const CALLS: u32 = 16;

/// Two people who talk.
struct Talk {
    host: Arc<Host>,
    ann: Session,
    mei: Session,
    conversation: Value,
    sent: u64,
    refused: u64,
}

impl Talk {
    async fn begin() -> Self {
        let host = Host::new();
        host.start();
        Self::on(host).await
    }

    async fn on(host: Arc<Host>) -> Self {
        let mei = host.session(Role::Staff, "mei").await;
        let mut ann = host.session(Role::Buyer, "ann").await;
        let conversation = start(&mut ann, "tea").await.unwrap().unwrap()["conversation"]["id"].clone();
        let mut talk = Self { host, ann, mei, conversation, sent: 0, refused: 0 };
        talk.goes_on().await;
        talk
    }

    /// The next message, whatever comes of it.
    async fn say(&mut self) -> Result<Value, Value> {
        let message = message(&self.conversation, &format!("m{}", self.sent + 1));
        self.ann.call("message.send", message).await.expect("the session stays")
    }

    /// Nothing can be written: whoever asks is told, also by `/readyz`, and whoever is there stays.
    async fn is_refused(&mut self) {
        let first = self.say().await.expect_err("a refusal");
        let again = self.say().await.expect_err("a refusal");

        assert_eq!((&first["code"], &first["data"]["kind"]), (&json!(-32053), &json!("unavailable")));
        assert!(["not_done", "unknown"].contains(&first["data"]["outcome"].as_str().unwrap()), "{first}");
        assert_eq!(again["data"], json!({ "kind": "unavailable", "outcome": "not_done" }));
        assert_eq!(self.host.ready().await, (503, json!({ "ready": false, "reasons": ["journal"] })));
        for session in [&mut self.ann, &mut self.mei] {
            assert!(session.call("session.ping", json!({})).await.expect("the session stays").is_ok());
        }
    }

    /// What was said is read, as soon as nothing void is in the table any more.
    async fn is_read(&mut self) {
        let page = json!({ "conversation": self.conversation, "after": 0, "limit": 100 });
        let read = loop {
            match self.mei.call("message.history", page.clone()).await.expect("the session stays") {
                Ok(read) => break read,
                Err(refused) => assert_eq!(refused["data"]["kind"], "unavailable", "{refused}"),
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(read["messages"].as_array().unwrap().len() as u64, self.sent);
    }

    /// The same message is taken, as soon as it can be, and heard once.
    async fn goes_on(&mut self) {
        let taken = loop {
            match self.say().await {
                Ok(taken) => break taken,
                Err(refused) => assert_eq!(refused["data"]["kind"], "unavailable", "{refused}"),
            }
            self.refused += 1;
            tokio::task::yield_now().await;
        };
        self.sent += 1;

        assert_eq!((&taken["seq"], &taken["duplicate"]), (&json!(self.sent), &json!(false)));
        assert_eq!(self.host.ready().await, (200, json!({ "ready": true, "reasons": [] })));
        let heard = loop {
            let event = self.mei.event().await.expect("the session stays");
            if event["method"] == "message.new" {
                break event;
            }
        };
        assert_eq!(heard["params"]["seq"], json!(self.sent));
        self.is_read().await;
    }
}

/// Limits a process; false where that cannot be done.
fn limit(process: u32, limit: &str) -> bool {
    let done = Command::new("prlimit").args([limit, "--pid", &process.to_string()]).status();
    done.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_disk_refuses_everybody_stays_and_it_is_well_again_by_itself() {
    let mut talk = Talk::begin().await;

    for (calls, error) in REFUSALS {
        let Some(fault) = Fault::begin(talk.host.id(), calls, error) else {
            eprintln!("skipped: there is no strace, or it may not trace");
            return;
        };
        talk.is_refused().await;
        if !calls.contains("openat") {
            talk.is_read().await;
        }
        fault.end();
        talk.goes_on().await;
    }

    // Nothing of what was refused comes up again.
    talk.host.kill();
    talk.host.start();
    let mut ann = talk.host.session(Role::Buyer, "ann").await;
    assert_eq!(history(&mut ann, &talk.conversation).await.len() as u64, talk.sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_call_fails_once_nothing_acknowledged_is_lost() {
    let mut talk = Talk::begin().await;
    let mut came_about = 0;

    for number in 1..=CALLS {
        let Some(fault) = Fault::once(talk.host.id(), "pwrite64,fdatasync,fsync,ftruncate", "EIO", number) else {
            eprintln!("skipped: there is no strace, or it may not trace");
            return;
        };
        let before = talk.refused;
        for _ in 0..3 {
            talk.goes_on().await;
        }
        fault.end();
        came_about += u32::from(talk.refused > before);
    }

    assert!(came_about > CALLS / 2, "{came_about} of {CALLS} faults came about");
    talk.host.kill();
    talk.host.start();
    let mut ann = talk.host.session(Role::Buyer, "ann").await;
    let kept = history(&mut ann, &talk.conversation).await;
    assert_eq!(
        kept.iter().map(|kept| kept["seq"].as_u64().unwrap()).collect::<Vec<_>>(),
        (1..=talk.sent).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_may_not_grow_end_nothing() {
    let mut talk = Talk::begin().await;
    if !limit(talk.host.id(), "--fsize=0:") {
        eprintln!("skipped: there is no prlimit");
        return;
    }

    talk.is_refused().await;
    talk.is_read().await;
    assert!(limit(talk.host.id(), "--fsize=unlimited:"));

    talk.goes_on().await;
}

/// A small file system in memory; gone when dropped.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "none"]).arg(at);
        mount.output().is_ok_and(|said| said.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_nothing() {
    let host = Host::new();
    let Some(_small) = Small::mount(&host.store()) else {
        eprintln!("skipped: nothing may be mounted here");
        return;
    };
    host.start();
    let mut talk = Talk::on(Arc::clone(&host)).await;
    let ballast = host.store().join("ballast");
    std::fs::write(&ballast, vec![1; 4 << 20]).expect_err("a full disk");

    talk.is_refused().await;
    talk.is_read().await;
    std::fs::remove_file(&ballast).unwrap();

    talk.goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_no_file_left_to_open_whoever_is_there_goes_on_and_others_come_in_later() {
    let mut talk = Talk::begin().await;
    let readers = (0..8).map(|_| talk.host.session(Role::Staff, "mei"));
    let mut readers = futures::future::join_all(readers).await;
    let files = format!("/proc/{}/fd", talk.host.id());
    let free = (0..).find(|number| !Path::new(&files).join(number.to_string()).exists()).unwrap();
    if free == 0 || !limit(talk.host.id(), &format!("--nofile={free}:")) {
        eprintln!("skipped: there is no prlimit, or no /proc");
        return;
    }
    let host = Arc::clone(&talk.host);
    let coming = tokio::spawn(async move { host.session(Role::Buyer, "bea").await });

    for _ in 0..8 {
        let taken = talk.say().await.expect("a message");
        talk.sent += 1;
        assert_eq!(taken["seq"], json!(talk.sent));
    }
    // Side by side, on as many connections to the store as there may be.
    for _ in 0..8 {
        let reads = readers.iter_mut().map(|reader| history(reader, &talk.conversation));
        for read in futures::future::join_all(reads).await {
            assert_eq!(read.len() as u64, talk.sent);
        }
    }
    assert!(!coming.is_finished());
    assert!(limit(talk.host.id(), "--nofile=1024:"));

    let mut bea = coming.await.unwrap();
    assert!(start(&mut bea, "tea").await.unwrap().is_ok());
}
