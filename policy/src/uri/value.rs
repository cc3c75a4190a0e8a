//! The values of the variables of a URI template, which never lead out of what the template names.

use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization;

use super::canonical::Part;

/// The decoded value of a variable in a canonical URI; `None` if the text has a second spelling, or
/// a meaning for a file system or a URL beside that of a name.
pub(super) fn decode(text: &str, part: Part, takes_rest: bool) -> Option<String> {
    let reserved = |byte: u8| b":/?@!$&'()*+,;=".contains(&byte);
    let written = |byte: u8| byte == b'%' || part.is_plain(byte) || (takes_rest && reserved(byte));
    if text.is_empty() || !text.bytes().all(written) {
        return None;
    }
    // `{+name}` has reserved characters written out (RFC 6570, section 3.2.3). Encoded ones would be
    // a second spelling of the same value.
    if takes_rest && encoded(text).any(|byte| reserved(byte) || byte == b'#') {
        return None;
    }
    let value = percent_decode_str(text).decode_utf8().ok()?;
    // In a host, an encoded delimiter reads as the delimiter to whoever decodes first.
    let delimits =
        part == Part::Authority && !takes_rest && value.contains([':', '@', '?', '#', '[', ']']);
    if delimits || !is_name(&value, takes_rest) {
        return None;
    }
    // What reads as one of the forbidden values after Unicode's compatibility mapping is forbidden
    // too: some file systems and URL parsers apply the mapping (UTS 36, section 3.5).
    if !value.is_ascii() && !is_name(&value.nfkc().collect::<String>(), takes_rest) {
        return None;
    }
    Some(value.into_owned())
}

/// The characters that are encoded in a text.
fn encoded(text: &str) -> impl Iterator<Item = u8> {
    let digits = text.split('%').skip(1).filter_map(|after| after.get(..2));
    digits.filter_map(|digits| u8::from_str_radix(digits, 16).ok())
}

/// Whether a value is a name, or several names with one `/` between two.
fn is_name(value: &str, takes_rest: bool) -> bool {
    let mut segments = value.split('/');
    let last = segments.next_back().unwrap_or_default();
    // A `/` at the end is a name of a folder. Any other empty segment begins an absolute path, or
    // is a second spelling of the path without it.
    let is_whole = takes_rest || last.len() == value.len();
    let is_good = |segment: &str| {
        // Windows ignores dots and spaces at the end, so `.. ` is `..` there.
        !segment.trim_matches(['.', ' ']).is_empty() && !is_drive(segment)
    };
    is_whole
        && segments.all(is_good)
        && (is_good(last) || (last.is_empty() && value.len() > 1))
        && !value.contains('\\')
        && !value.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        // Who decodes a second time would read another value.
        && encoded(value).next().is_none()
}

/// Whether a segment begins with the drive of a Windows path: `C:`.
fn is_drive(segment: &str) -> bool {
    matches!(segment.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// The other URIs that a reader may take for this canonical one: without its query or fragment,
/// without what ends its last name and is often ignored, with its characters normalized.
pub(super) fn look_alikes(uri: &str) -> impl Iterator<Item = String> {
    let bare = uri.split(['?', '#']).next().unwrap_or_default();
    let mut short = bare;
    while let Some(shorter) =
        ["/", ".", "%20"].iter().find_map(|ending| short.strip_suffix(*ending))
    {
        short = shorter;
    }
    let normalized = percent_decode_str(short).decode_utf8().ok().filter(|text| !text.is_ascii());
    let normalized = normalized.map(|text| encode(&text.nfkc().collect::<String>()));
    let all = [Some(bare.to_owned()), Some(short.to_owned()), normalized];
    let uri = uri.to_owned();
    all.into_iter().flatten().filter(move |other| *other != uri)
}

/// Encodes what no URI has, and nothing else.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}%".contains(&byte) {
            out.push(char::from(byte));
        } else {
            super::canonical::add_encoded(&mut out, byte);
        }
    }
    out
}
