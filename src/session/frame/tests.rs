use super::*;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as a client sends it.
fn sent(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..126 => out.push(MASKED | u8::try_from(length).unwrap()),
        length @ 126..65536 => {
            out.push(MASKED | 126);
            out.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            out.push(MASKED | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    let begins = out.len();
    out.extend(payload);
    unmask(&mut out[begins..], MASK);
    out
}

/// Everything that is heard of bytes that come in pieces of this size.
fn heard(bytes: &[u8], piece: usize, bytes_max: usize) -> Result<Vec<Heard>, Fault> {
    let mut reader = Reader::new(bytes_max);
    let mut all = Vec::new();
    for piece in bytes.chunks(piece) {
        let mut next = reader.feed(&mut piece.to_vec())?;
        while let Some(heard) = next {
            all.push(heard);
            next = reader.next()?;
        }
    }
    assert!(reader.begun.is_some() || reader.input.len() == reader.at || bytes.is_empty() || piece > bytes.len());
    Ok(all)
}

fn one(bytes: &[u8]) -> Result<Vec<Heard>, Fault> {
    heard(bytes, usize::MAX, 1000)
}

#[test]
fn texts_come_out_whole_however_their_bytes_come_in() {
    let long = "长".repeat(200);
    let mut bytes = Vec::new();
    for text in ["", "a", "hello, is it there?", &long] {
        bytes.extend(sent(FINAL | TEXT, text.as_bytes()));
    }

    for piece in [1, 2, 3, 7, 64, 5000] {
        let texts: Vec<_> = heard(&bytes, piece, 1000).unwrap();
        assert_eq!(texts, ["", "a", "hello, is it there?", &long].map(|text| Heard::Text(text.to_owned())));
    }
}

#[test]
fn a_text_in_parts_is_one_and_control_frames_may_come_between() {
    let parts = "半句话".as_bytes();
    let mut bytes = sent(TEXT, &parts[..4]);
    bytes.extend(sent(FINAL | PING, b"there?"));
    bytes.extend(sent(CONTINUED, &parts[4..5]));
    bytes.extend(sent(FINAL | PONG, b""));
    bytes.extend(sent(FINAL | CONTINUED, &parts[5..]));

    let all = one(&bytes).unwrap();

    assert_eq!(all, [Heard::Ping(b"there?".to_vec()), Heard::Pong, Heard::Text("半句话".to_owned())]);
}

#[test]
fn what_is_not_websocket_is_a_fault() {
    let cases = [
        vec![FINAL | TEXT, 2, b'h', b'i'],
        sent(FINAL | 0x40 | TEXT, b""),
        sent(FINAL | 3, b""),
        sent(FINAL | 11, b""),
        sent(PING, b""),
        sent(FINAL | PING, &[0; 126]),
        sent(FINAL | CONTINUED, b""),
        [sent(TEXT, b"a"), sent(FINAL | TEXT, b"b")].concat(),
        [sent(TEXT, b"a"), sent(FINAL | BINARY, b"b")].concat(),
        sent(FINAL | CLOSE, b"x"),
        sent(FINAL | CLOSE, &1005_u16.to_be_bytes()),
        sent(FINAL | CLOSE, &999_u16.to_be_bytes()),
    ];
    for bytes in cases {
        assert_eq!(one(&bytes), Err(Fault::Protocol), "{bytes:?}");
    }
}

#[test]
fn a_text_that_is_no_utf_8_is_a_fault() {
    assert_eq!(one(&sent(FINAL | TEXT, b"\xc3\x28")), Err(Fault::Utf8));
    assert_eq!(one(&[sent(TEXT, b"\xc3"), sent(FINAL | CONTINUED, b"")].concat()), Err(Fault::Utf8));
}

#[test]
fn what_is_too_long_is_refused_before_it_comes() {
    let long = sent(FINAL | TEXT, &[b'a'; 1001]);
    let endless = [FINAL | TEXT, MASKED | 127, 255, 255, 255, 255, 255, 255, 255, 255];

    assert_eq!(heard(&long[..8], 8, 1000), Err(Fault::TooLong));
    assert_eq!(one(&endless), Err(Fault::TooLong));
    assert_eq!(one(&[sent(TEXT, &[b'a'; 600]), sent(FINAL | CONTINUED, &[b'a'; 401])].concat()), Err(Fault::TooLong));
    assert_eq!(one(&sent(FINAL | TEXT, &[b'a'; 1000])).unwrap().len(), 1);
}

#[test]
fn binary_and_close_are_heard() {
    assert_eq!(one(&sent(BINARY, b"x")), Ok(vec![Heard::Binary]));
    assert_eq!(one(&sent(FINAL | CLOSE, b"")), Ok(vec![Heard::Close]));
    assert_eq!(one(&sent(FINAL | CLOSE, &[&4000_u16.to_be_bytes()[..], b"bye"].concat())), Ok(vec![Heard::Close]));
}

#[test]
fn a_reader_of_whole_messages_keeps_no_bytes() {
    let mut reader = Reader::new(1000);

    reader.feed(&mut sent(FINAL | TEXT, b"hello")).unwrap().unwrap();

    assert_eq!(reader.input.capacity(), 0);
}

#[test]
fn what_is_written_has_the_shortest_length() {
    for (length, header) in
        [(125, vec![0x81, 125]), (126, vec![0x81, 126, 0, 126]), (65536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0])]
    {
        let mut out = Vec::new();
        write_text(&mut out, &"a".repeat(length).into());
        assert_eq!((out[..header.len()].to_vec(), out.len()), (header.clone(), header.len() + length));
    }
    let mut out = Vec::new();
    write_close(&mut out, Some((1001, "draining")));
    assert_eq!(out, [&[0x88, 10][..], &1001_u16.to_be_bytes(), b"draining"].concat());
}
