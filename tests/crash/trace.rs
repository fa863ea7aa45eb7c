//! What the daemon asks of the system, as `strace` sees it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A `strace` that is attached to a process.
struct Strace {
    child: Child,
}

impl Strace {
    /// Nothing where there is none, or where it may not.
    fn attach(process: u32, arguments: &[&str], to: &Path) -> Option<Self> {
        let mut strace = Command::new("strace");
        strace.arg("-f").args(arguments).arg("-o").arg(to).args(["-p", &process.to_string()]);
        let mut child = strace.stderr(Stdio::piped()).spawn().ok()?;
        let mut said = BufReader::new(child.stderr.take()?).lines().map_while(Result::ok);
        let is_attached = said.any(|line| line.contains("attached"));
        std::thread::spawn(move || said.for_each(drop));
        is_attached.then_some(Self { child })
    }

    fn end(&mut self) {
        let status = Command::new("kill").args(["-s", "INT", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap();
    }
}

/// A trace of a process under way.
pub struct Trace {
    strace: Strace,
    lines: PathBuf,
    _folder: tempfile::TempDir,
}

impl Trace {
    /// Begins to trace a process; nothing where there is no `strace`, or where it may not.
    pub fn begin(process: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let lines = folder.path().join("trace");
        let calls = "trace=pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg";
        // A sync takes its time: whoever does not wait for it is earlier.
        let slow = "inject=fdatasync,fsync:delay_enter=20000";
        let strace = Strace::attach(process, &["-y", "-s", "9000", "-e", calls, "-e", slow], &lines)?;
        Some(Self { strace, lines, _folder: folder })
    }

    /// Ends it: every call, in order, a line each.
    pub fn end(mut self) -> Vec<String> {
        self.strace.end();
        std::fs::read_to_string(&self.lines).unwrap().lines().map(str::to_owned).collect()
    }
}

/// A fault under way: whenever a process makes one of these calls, it is answered with an error.
pub struct Fault(Strace);

impl Fault {
    /// Begins one: the names of the calls, separated by commas, and that of the error.
    pub fn begin(process: u32, calls: &str, error: &str) -> Option<Self> {
        Self::inject(process, calls, &format!("error={error}"))
    }

    /// Begins one that fails a single call of each thread: the first, the second and so on.
    pub fn once(process: u32, calls: &str, error: &str, number: u32) -> Option<Self> {
        Self::inject(process, calls, &format!("error={error}:when={number}"))
    }

    fn inject(process: u32, calls: &str, what: &str) -> Option<Self> {
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{what}"));
        Strace::attach(process, &["-e", &trace, "-e", &inject], Path::new("/dev/null")).map(Self)
    }

    /// From here on the calls do what they always did.
    pub fn end(mut self) {
        self.0.end();
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

/// Whether a line says that a call has succeeded, maybe after the delay that it was given.
fn is_done(line: &str) -> bool {
    line.trim_end_matches(" (DELAYED)").ends_with("= 0")
}

/// Where a sync of the log that begins at a line, or after it, has ended.
pub fn synced_after(lines: &[String], from: usize) -> Option<usize> {
    let begun = (from..lines.len()).find(|at| lines[*at].contains("sync(") && lines[*at].contains("-wal"))?;
    if is_done(&lines[begun]) {
        return Some(begun);
    }
    let of = thread(&lines[begun]);
    let ended = |at: &usize| thread(&lines[*at]) == of && lines[*at].contains("sync resumed") && is_done(&lines[*at]);
    (begun + 1..lines.len()).find(ended)
}
