//! What the daemon asks of the system, as `strace` sees it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A trace of a process under way.
pub struct Trace {
    child: Child,
    lines: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Trace {
    /// Begins to trace a process; nothing where there is no `strace`, or where it may not.
    pub fn begin(process: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let lines = folder.path().join("trace");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-y", "-s", "9000", "-e", "trace=pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg"]);
        strace.arg("-o").arg(&lines).args(["-p", &process.to_string()]);
        let mut child = strace.stderr(Stdio::piped()).spawn().ok()?;
        let mut said = BufReader::new(child.stderr.take()?).lines().map_while(Result::ok);
        let is_attached = said.any(|line| line.contains("attached"));
        std::thread::spawn(move || said.for_each(drop));
        is_attached.then_some(Self { child, lines, _folder: folder })
    }

    /// Ends it: every call, in order, a line each.
    pub fn end(mut self) -> Vec<String> {
        let status = Command::new("kill").args(["-s", "INT", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap();
        std::fs::read_to_string(&self.lines).unwrap().lines().map(str::to_owned).collect()
    }
}

/// Whether a line is a call that writes this text, begun.
pub fn writes(line: &str, to: &str, text: &str) -> bool {
    line.contains(to) && line.contains(text) && !line.contains("sync(")
}

/// The thread of a line.
fn thread(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// Where a sync of the log that begins at a line, or after it, has ended.
pub fn synced_after(lines: &[String], from: usize) -> Option<usize> {
    let begun = (from..lines.len()).find(|at| lines[*at].contains("sync(") && lines[*at].contains("-wal"))?;
    if lines[begun].ends_with("= 0") {
        return Some(begun);
    }
    let of = thread(&lines[begun]);
    let ended =
        |at: &usize| thread(&lines[*at]) == of && lines[*at].contains("sync resumed") && lines[*at].ends_with("= 0");
    (begun + 1..lines.len()).find(ended)
}
