//! Which limit keeps another session out: its value where it can be known, and how to raise it.

use std::fs;
use std::io;

use tokio_tungstenite::tungstenite::Error;

use super::process;
use super::wire::WireError;

/// As many files as this fall short of the most that a process may have, it is as good as full.
const FILES_LEFT: usize = 8;
const PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// A limit that keeps sessions out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// The open files of this process.
    #[error("this process may have {0} open files: raise `ulimit -n`, or share the sessions among several processes")]
    OwnFiles(usize),
    /// The open files of the daemon.
    #[error("the daemon may have {0} open files: raise LimitNOFILE of its unit, or `ulimit -n` where it is started")]
    DaemonFiles(usize),
    /// The daemon's connections.
    #[error("the daemon takes no more connections: raise its limits.connections")]
    Connections,
    /// The daemon's connections from one address.
    #[error("the daemon takes no more connections from one address: raise its limits.connections_per_ip")]
    ConnectionsPerIp,
    /// Ports to connect from.
    #[error("no port is left to connect from, of those from {0}: widen net.ipv4.ip_local_port_range")]
    Ports(String),
}

/// What limits a run may meet, looked up while there is a file left to read them from.
pub(super) struct Limits {
    own_files: usize,
    ports: String,
    daemon: Option<u32>,
}

impl Limits {
    /// Those of this process, of this machine, and of the daemon if its process is known.
    pub(super) fn look(daemon: Option<u32>) -> Self {
        let ports = fs::read_to_string(PORTS).unwrap_or_default();
        let ports = ports.split_whitespace().collect::<Vec<_>>().join(" to ");
        Self { own_files: process::files_max(std::process::id()).unwrap_or(0), ports, daemon }
    }

    /// The one that has kept somebody out, if it was a limit.
    pub(super) fn behind(&self, error: &WireError) -> Option<Limit> {
        match error {
            WireError::Unreachable(error) => self.behind_system(error),
            WireError::NotUpgraded(error) => match &**error {
                Error::Http(answer) => match answer.status().as_u16() {
                    503 => Some(Limit::Connections),
                    429 => Some(Limit::ConnectionsPerIp),
                    _ => None,
                },
                _ => self.daemon_files(),
            },
            WireError::Slow(_) | WireError::Broken => self.daemon_files(),
            WireError::Refused(_) | WireError::Closed(_) => None,
        }
    }

    fn behind_system(&self, error: &io::Error) -> Option<Limit> {
        const TOO_MANY_FILES: i32 = 24;
        match (error.raw_os_error(), error.kind()) {
            (Some(TOO_MANY_FILES), _) => Some(Limit::OwnFiles(self.own_files)),
            (_, io::ErrorKind::AddrNotAvailable) => Some(Limit::Ports(self.ports.clone())),
            _ => self.daemon_files(),
        }
    }

    /// A daemon without a file left accepts nobody, and says nothing.
    fn daemon_files(&self) -> Option<Limit> {
        let daemon = self.daemon?;
        let most = process::files_max(daemon)?;
        let open = fs::read_dir(format!("/proc/{daemon}/fd")).ok()?.count();
        (open + FILES_LEFT >= most).then_some(Limit::DaemonFiles(most))
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::http::Response;

    use super::*;

    fn limits() -> Limits {
        Limits { own_files: 1024, ports: "32768 to 60999".into(), daemon: Some(std::process::id()) }
    }

    #[test]
    fn each_limit_is_named_with_its_value_and_how_to_raise_it() {
        let system = |code| WireError::Unreachable(io::Error::from_raw_os_error(code));
        let http = |status| {
            let answer = Response::builder().status(status).body(None).unwrap();
            WireError::NotUpgraded(Box::new(Error::Http(Box::new(answer))))
        };
        for (error, said) in [
            (system(24), "this process may have 1024 open files: raise `ulimit -n`"),
            (system(99), "of those from 32768 to 60999: widen net.ipv4.ip_local_port_range"),
            (http(503), "raise its limits.connections"),
            (http(429), "raise its limits.connections_per_ip"),
        ] {
            let limit = limits().behind(&error).unwrap().to_string();
            assert!(limit.contains(said), "{limit}");
        }
    }

    #[test]
    fn what_is_no_limit_is_called_none() {
        let refused = WireError::Unreachable(io::Error::from(io::ErrorKind::ConnectionRefused));

        assert_eq!(limits().behind(&refused), None, "this process has files left");
        assert_eq!(limits().behind(&WireError::Closed(4401)), None);
    }
}
