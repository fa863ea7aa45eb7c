//! The listeners: their limits, and whom they refuse.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

use fenliu::auth::Role;
use fenliu::network::Address;
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{self, pki_types::pem::PemObject};

use crate::host::{Host, Peer, exchange};

const UPGRADE: &str = "GET /ws\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_told_so_and_a_place_that_is_free_again_is_given() {
    let host = Host::with(|settings, _| settings.limits.connections = 1).await;
    let mut ann = host.open(Role::Buyer, "ann").await;

    let refused = host.public("GET /livez\r\nHost: a");
    assert_eq!(refused.status, 503);
    assert!(refused.headers.contains("retry-after"), "{refused:?}");

    ann.call("session.close", json!({})).await;
    assert_eq!(ann.close_code().await, 1000);
    drop(ann);
    until(|| host.public("GET /livez\r\nHost: a").status == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_connections_and_behind_a_proxy_everybody_has_its_own() {
    let host = Host::with(|settings, _| {
        settings.limits.connections_per_ip = 1;
        settings.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let from = |ip: &str| format!("{UPGRADE}\r\nX-Forwarded-For: 6.6.6.6, {ip}");
    let mut request = tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(format!(
        "ws://{}/ws",
        host.address
    ))
    .unwrap();
    request.headers_mut().insert("x-forwarded-for", "203.0.113.4:7000".parse().unwrap());
    let (_held, _) = tokio_tungstenite::connect_async(request).await.unwrap();

    assert_eq!(host.public(&from("203.0.113.4")).status, 429);
    assert_eq!(host.public(&from("junk")).status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_proxy_an_address_is_counted_where_it_connects() {
    let host = Host::with(|settings, _| settings.limits.connections_per_ip = 1).await;
    let _held = Peer::connect(host.address).await;

    assert_eq!(host.public("GET /livez\r\nHost: a\r\nX-Forwarded-For: 203.0.113.4").status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_over_the_limit_are_refused() {
    let host = Host::with(|settings, _| settings.limits.headers = 1000).await;
    let with = |bytes: usize| host.public(&format!("GET /livez\r\nHost: a\r\nX-Long: {}", "x".repeat(bytes))).status;

    assert_eq!(with(500), 200);
    assert_eq!(with(1000), 431);
    assert_eq!(with(100_000), 431);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_is_given_up() {
    let host = Host::with(|settings, _| {
        settings.limits.handshake_timeout = std::time::Duration::from_millis(20);
    })
    .await;

    let mut stream = std::net::TcpStream::connect(host.address).unwrap();
    std::io::Write::write_all(&mut stream, b"GET /livez HTTP/1.1\r\nHo").unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stream, &mut rest).unwrap();

    assert!(!rest.contains("200"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_socket_may_be_asked_for_in_pieces_with_something_behind_it_and_after_a_page() {
    use std::io::{Read, Write};
    let host = Host::start().await;
    let ask = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // A ping of no bytes under a mask of zeros, which is answered.
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    let is_told = |pieces: &[&[u8]]| {
        let mut stream = std::net::TcpStream::connect(host.address).unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in pieces {
            stream.write_all(piece).unwrap();
        }
        let mut heard = Vec::new();
        while !heard.ends_with(&[0x8a, 0]) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            heard.push(byte[0]);
        }
        String::from_utf8_lossy(&heard).into_owned()
    };
    let whole = [ask.as_bytes(), &ping].concat();

    for told in [
        is_told(&[&whole]),
        is_told(&whole.chunks(1).collect::<Vec<_>>()),
        is_told(&[b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", &whole]),
    ] {
        let told = told.to_ascii_lowercase();
        assert!(told.contains("http/1.1 101 switching protocols\r\n"), "{told}");
        assert!(told.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_listed_origins_connect_and_so_do_the_daemons_own() {
    let host = Host::with(|settings, _| settings.server.allowed_origins = vec!["https://shop.example".into()]).await;
    let from = |origin: &str| host.public(&format!("GET /ws\r\nHost: chat.example\r\nOrigin: {origin}")).status;

    assert_eq!(from("https://shop.example"), 400);
    assert_eq!(from("http://chat.example"), 400);
    assert_eq!(from("https://evil.example"), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_web_page_reaches_the_admin_listener() {
    let host = Host::start().await;

    assert_eq!(host.admin("GET /readyz").json(), json!({"ready": true, "reasons": []}));
    for head in [
        "GET /readyz\r\nOrigin: http://localhost",
        "GET /readyz\r\nSec-Fetch-Site: same-origin",
        "POST /drain\r\nOrigin: null",
    ] {
        assert_eq!(host.admin(head).status, 403, "{head}");
    }
    let admin = host.admin.unwrap();
    assert_eq!(crate::host::http(admin, "GET /readyz").status, 403);
    assert_eq!(crate::host::http(admin, "GET /readyz\r\nHost: evil.example").status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_on_a_socket_is_the_daemons_users_alone_and_replaces_one_that_is_left() {
    let mut path = std::path::PathBuf::new();
    let host = Host::with(|settings, folder| {
        path = folder.join("admin.sock");
        drop(UnixListener::bind(&path).unwrap());
        settings.server.admin_listen = Address::Unix(path.clone());
    })
    .await;

    let answer = exchange(UnixStream::connect(&path).unwrap(), "GET /readyz\r\nHost: localhost", "");

    assert_eq!(answer.status, 200);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fenliu::server::AdminListener::bind(&Address::Unix(path)).is_err());
    drop(host);
}

async fn until(true_: impl Fn() -> bool) {
    let waiting = async {
        while !true_() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::host::PATIENCE, waiting).await.expect("what is waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_sessions_are_the_same_and_a_new_certificate_is_shown_after_a_reload() {
    let host = Host::with(|settings, folder| {
        certificate(folder, 2099);
        let (cert, key) = (folder.join("tls.pem"), folder.join("tls.key"));
        settings.server.tls = Some(fenliu::config::settings::Tls { cert, key });
    })
    .await;
    let folder = host.folder.path();
    let old = std::fs::read(folder.join("tls.pem")).unwrap();

    let stream = over_tls(&host, &old).await.unwrap();
    let url = format!("wss://localhost:{}/ws", host.address.port());
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let open = json!({"jsonrpc": "2.0", "id": 1, "method": "session.open", "params": {"token": host.token(Role::Buyer, "ann")}});
    socket.send(open.to_string().into()).await.unwrap();
    let reply = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(reply.contains("\"session\""), "{reply}");

    std::fs::write(folder.join("tls.pem"), "no certificate").unwrap();
    for reload in ["POST /reload?dry_run=1", "POST /reload"] {
        let reloaded = host.admin(reload).json();
        let said = reloaded["warnings"][0]["message"].as_str().unwrap().to_owned();
        assert!(said.ends_with("tls.pem has no certificate in PEM; the certificate from before stays"), "{said}");
    }
    assert!(over_tls(&host, &old).await.is_ok());
    assert_eq!(expires(&host), "2099-05-31", "what is measured is what is shown");

    let new = certificate(folder, 2088);
    assert_eq!(host.admin("POST /reload?dry_run=1").status, 200);
    assert_eq!(expires(&host), "2099-05-31");
    assert_eq!(host.admin("POST /reload").status, 200);
    assert_eq!(expires(&host), "2088-05-31");
    assert!(over_tls(&host, new.as_bytes()).await.is_ok());
    assert!(over_tls(&host, &old).await.is_err());
}

/// A certificate that expires at the end of May.
fn certificate(folder: &std::path::Path, year: i32) -> String {
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_after = rcgen::date_time_ymd(year, 5, 31);
    let key = rcgen::KeyPair::generate().unwrap();
    let made = parameters.self_signed(&key).unwrap();
    std::fs::write(folder.join("tls.pem"), made.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    made.pem()
}

/// The day on which the certificate expires, as it is measured.
fn expires(host: &Host) -> String {
    let text = host.admin("GET /metrics").body;
    let name = "fenliu_tls_certificate_expires_timestamp_seconds{listener=\"public\"} ";
    let seconds: f64 = text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap();
    jiff::Timestamp::from_second(seconds as i64).unwrap().strftime("%F").to_string()
}

/// A connection to somebody who shows this certificate.
async fn over_tls(host: &Host, certificate: &[u8]) -> std::io::Result<TlsStream<tokio::net::TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(certificate).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(host.address).await?;
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await
}
