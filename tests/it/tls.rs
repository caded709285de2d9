//! The public listeners behind a certificate, with a client that checks it.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};

use crate::common::{AT_ONCE, SOON, Server, Setup, Watch, eventually};

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A certificate of its own for localhost, written where the server looks for it.
struct Made {
    der: CertificateDer<'static>,
    pem: String,
    key: String,
}

fn made() -> Made {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Made { der: made.cert.der().clone(), pem: made.cert.pem(), key: made.signing_key.serialize_pem() }
}

impl Made {
    fn write(&self, directory: &Path) {
        fs::write(directory.join("tls.key"), &self.key).unwrap();
        fs::write(directory.join("tls.crt"), &self.pem).unwrap();
    }
}

fn server(certificate: &Made) -> Server {
    let config = "[server]\nheader_deadline = \"500ms\"\ntls = { cert_file = \"tls.crt\", key_file = \"tls.key\" }\n";
    let mut server = Setup::default().config(config).prepare();
    certificate.write(server.directory());
    server.start();
    server
}

/// A connection of a client that believes in this certificate only.
fn connect(server: &Server, trusted: &Made, protocols: &[&str]) -> io::Result<Tls> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let socket = TcpStream::connect(server.listen())?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

/// The head and what has come of the body with it.
fn get(stream: &mut Tls, path: &str) -> io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains("\r\n\r\n") || !text.ends_with('}') {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    Ok(text)
}

#[test]
fn both_protocols_are_spoken_and_links_are_secure() {
    let certificate = made();
    let server = server(&certificate);
    let mut stream = connect(&server, &certificate, &["http/1.1"]).unwrap();
    let text = get(&mut stream, "/products").unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("https://localhost/products"), "{text}");
    for (offered, spoken) in
        [(&["h2", "http/1.1"][..], Some(&b"h2"[..])), (&["http/1.1"], Some(b"http/1.1")), (&[], None)]
    {
        let stream = connect(&server, &certificate, offered).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), spoken, "{offered:?}");
    }
    let mut http2 = connect(&server, &certificate, &["h2"]).unwrap();
    http2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut head = [0; 9];
    http2.read_exact(&mut head).unwrap();
    assert_eq!(head[3], 4, "the server's SETTINGS");
    assert!(connect(&server, &made(), &[]).is_err(), "another certificate is not believed");
}

#[test]
fn who_does_not_finish_the_handshake_is_closed_and_nobody_else_waits() {
    let certificate = made();
    let server = server(&certificate);
    let plain = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    for beginning in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01", plain] {
        let watch = Watch::start();
        let mut bad = TcpStream::connect(server.listen()).unwrap();
        bad.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        bad.write_all(beginning).unwrap();
        get(&mut connect(&server, &certificate, &[]).unwrap(), "/products").unwrap();
        let mut rest = Vec::new();
        let _closed = bad.read_to_end(&mut rest);
        assert!(watch.passed() < AT_ONCE, "{beginning:?}: {:?}", watch.passed());
        assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1"), "{rest:?}");
    }
}

#[test]
fn a_certificate_is_replaced_without_a_closed_connection_and_a_wrong_one_is_not() {
    let (first, second) = (made(), made());
    let server = server(&first);
    let admin = server.admin();
    // Wrong: a key of another certificate, and no certificate at all.
    fs::write(server.directory().join("tls.crt"), &second.pem).unwrap();
    let refused = admin.post("/admin/reload").is(409).json();
    assert!(refused["message"].as_str().unwrap().contains("tls.key: it is not the key of tls.crt"), "{refused}");
    fs::write(server.directory().join("tls.crt"), "nothing").unwrap();
    admin.post("/admin/reload").is(409);
    get(&mut connect(&server, &first, &[]).unwrap(), "/products").unwrap();

    second.write(server.directory());
    admin.post("/admin/reload").is(200);
    assert!(connect(&server, &first, &[]).is_err(), "the old one is not shown any more");
    let mut kept = connect(&server, &second, &[]).unwrap();
    get(&mut kept, "/products").unwrap();
    // Nobody has to say so; who is connected notices nothing.
    first.write(server.directory());
    let mut renewed = eventually(SOON, "the new certificate is shown", || connect(&server, &first, &[]).ok());
    get(&mut renewed, "/products").unwrap();
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_before_anything_starts() {
    let config = "[server]\ntls = { cert_file = \"tls.crt\", key_file = \"tls.key\" }\n";
    let mut server = Setup::default().config(config).prepare();
    let absent = server.run();
    assert_eq!(absent.status.code(), Some(2), "{}", absent.stderr);
    assert!(absent.stderr.contains("cannot use tls.crt: No such file"), "{}", absent.stderr);
}
