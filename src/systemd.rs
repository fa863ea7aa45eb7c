//! What systemd is told: ready, reloading, stopping, alive. Where nobody listens, nothing is told.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The socket on which systemd listens, if it does.
#[derive(Debug, Default)]
pub struct Systemd {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub fn from_environment() -> Self {
        let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| ours).map(Duration::from_micros);
        Self::new(std::env::var_os("NOTIFY_SOCKET").as_deref(), watchdog)
    }

    /// With this socket: a path, or a name that begins with `@`. `watchdog`: how long systemd waits for a sign of life.
    pub fn new(socket: Option<&OsStr>, watchdog: Option<Duration>) -> Self {
        let socket = socket.filter(|name| !name.is_empty()).and_then(|name| {
            connect(name).map_err(|error| tracing::warn!(%error, "systemd cannot be told anything")).ok()
        });
        Self { socket, watchdog: watchdog.filter(|watchdog| !watchdog.is_zero()) }
    }

    /// Everything is in place.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// A line for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.tell(&format!("STATUS={status}"));
    }

    /// Gives signs of life for ever, if systemd waits for them.
    pub async fn stay_alive(&self) {
        let (Some(watchdog), Some(_)) = (self.watchdog, &self.socket) else { return std::future::pending().await };
        let mut alive = tokio::time::interval(watchdog / 2);
        loop {
            alive.tick().await;
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, text: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(text.as_bytes()) {
            tracing::debug!(%error, "systemd does not listen");
        }
    }
}

fn connect(name: &OsStr) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        None => socket.connect(name)?,
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(listener: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let length = listener.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[tokio::test]
    async fn systemd_hears_of_the_start_the_end_and_life() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let systemd = Systemd::new(Some(path.as_os_str()), Some(Duration::from_millis(2)));

        systemd.ready();
        let hearing = tokio::task::spawn_blocking(move || [(); 3].map(|()| heard(&listener)));
        let told = tokio::select! {
            told = hearing => told.unwrap(),
            () = systemd.stay_alive() => unreachable!("it lives for ever"),
        };

        assert_eq!(told, ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    }

    #[test]
    fn an_abstract_name_is_a_socket_too() {
        let name = format!("fenliu-test-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();

        Systemd::new(Some(OsStr::new(&format!("@{name}"))), None).status("ready");

        assert_eq!(heard(&listener), "STATUS=ready");
    }

    #[test]
    fn where_nobody_listens_nothing_is_told() {
        Systemd::new(None, None).ready();
        Systemd::new(Some(OsStr::new("/nowhere/at/all")), None).ready();
    }
}
