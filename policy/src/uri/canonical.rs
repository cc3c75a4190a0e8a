//! The canonical form of a URI: RFC 3986, section 6.2.2, and of section 6.2.3 what every scheme has.
//!
//! Two spellings of one URI have one canonical form, so one rule decides both. A URI without a
//! canonical form is refused: whether it names a resource would depend on who reads it.

/// Stands for a variable while the text of a template is brought to its canonical form. No URI has it,
/// because it is a control character.
pub(super) const VARIABLE: u8 = 1;

/// Why a URI has no canonical form.
///
/// ```
/// use scopeward_policy::{NotCanonical, canonical_uri};
///
/// assert!(matches!(canonical_uri("note://items/%zz"), Err(NotCanonical::Percent)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCanonical {
    /// The text does not begin with a scheme.
    #[error("a resource has an absolute URI, with a scheme: `todo://items`")]
    NoScheme,
    /// The text has a character that no URI has.
    #[error("{0:?} cannot be part of a URI (RFC 3986)")]
    Character(char),
    /// A `%` without two hexadecimal digits.
    #[error("after `%` stand two hexadecimal digits (RFC 3986, section 2.1)")]
    Percent,
    /// A segment `.` or `..`, which each reader resolves in its own way.
    #[error("the path has a segment `.` or `..`: write the URI that it leads to")]
    DotSegment,
    /// An empty user, query or fragment, which some readers leave out and others keep.
    #[error("the URI has `{0}` with nothing beside it: leave it out")]
    Empty(char),
}

/// The part of a URI that a character stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Authority,
    Path,
    /// The query or the fragment.
    Query,
}

impl Part {
    /// Whether this part means the same with the character written out and with the character
    /// encoded.
    pub(super) fn is_plain(self, byte: u8) -> bool {
        let delimits = match self {
            Self::Authority => b"!$&'()*+,;=".contains(&byte),
            Self::Path => b"!$&'()*+,;=:@".contains(&byte),
            Self::Query => false,
        };
        delimits || is_unreserved(byte)
    }

    /// Whether a written character stays as it is.
    fn keeps(self, byte: u8) -> bool {
        self.is_plain(byte)
            || match self {
                Self::Authority => b":@[]".contains(&byte),
                Self::Path => byte == b'/',
                Self::Query => b"!$&'()*+,;=:@/?#".contains(&byte),
            }
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The canonical form of a URI: scheme and host in lower case, `%` with upper-case digits and only
/// where it is needed, no port that the scheme has anyway, no lone `/` after the host.
///
/// ```
/// use scopeward_policy::canonical_uri;
///
/// assert_eq!(canonical_uri("NOTE://Items/top%2dsecret")?, "note://items/top-secret");
/// assert!(canonical_uri("note://items/../secret").is_err());
/// # Ok::<(), scopeward_policy::NotCanonical>(())
/// ```
///
/// # Errors
///
/// The text is not an absolute URI, or has no one canonical form.
pub fn canonical_uri(uri: &str) -> Result<String, NotCanonical> {
    if uri.as_bytes().contains(&VARIABLE) {
        return Err(NotCanonical::Character(char::from(VARIABLE)));
    }
    canonical(uri)
}

/// The canonical form of a URI, or of a template whose variables are written as [`VARIABLE`].
pub(super) fn canonical(text: &str) -> Result<String, NotCanonical> {
    let (scheme, after) = text.split_once(':').ok_or(NotCanonical::NoScheme)?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !is_scheme {
        return Err(NotCanonical::NoScheme);
    }
    let mut out = String::with_capacity(text.len());
    out.push_str(scheme);
    out.make_ascii_lowercase();
    let scheme_ends = out.len();
    out.push(':');
    let (before_query, query) = split_before(after, &['?', '#']);
    let (authority, path) = match before_query.strip_prefix("//") {
        None => (None, before_query),
        Some(rest) => {
            let (authority, path) = split_before(rest, &['/']);
            (Some(authority), path)
        }
    };
    if let Some(authority) = authority {
        out.push_str("//");
        let scheme = out[..scheme_ends].to_owned();
        add_authority(&mut out, authority, &scheme)?;
    }
    let path_at = out.len();
    add(&mut out, path, Part::Path, false)?;
    if out[path_at..].split('/').any(|segment| segment == "." || segment == "..") {
        return Err(NotCanonical::DotSegment);
    }
    // RFC 3986, section 6.2.3: after an authority an empty path and `/` are the same.
    if authority.is_some_and(|authority| !authority.is_empty()) && &out[path_at..] == "/" {
        out.truncate(path_at);
    }
    // The query may have a further `?`, and the fragment as well.
    let (query, fragment) = split_before(query, &['#']);
    if query == "?" || fragment == "#" {
        let mark = if query == "?" { '?' } else { '#' };
        return Err(NotCanonical::Empty(mark));
    }
    if fragment.get(1..).is_some_and(|fragment| fragment.contains('#')) {
        return Err(NotCanonical::Character('#'));
    }
    add(&mut out, query, Part::Query, false)?;
    add(&mut out, fragment, Part::Query, false)?;
    Ok(out)
}

/// The text before the first of these characters, and the text from it on.
fn split_before<'t>(text: &'t str, characters: &[char]) -> (&'t str, &'t str) {
    text.split_at(text.find(characters).unwrap_or(text.len()))
}

/// Adds user, host and port. The host has no case, and the port that a scheme has anyway is left out.
fn add_authority(out: &mut String, authority: &str, scheme: &str) -> Result<(), NotCanonical> {
    let host_and_port = match authority.rsplit_once('@') {
        Some(("", _)) => return Err(NotCanonical::Empty('@')),
        Some((user, host)) => {
            has_none_of(user, &['@', '[', ']'])?;
            add(out, user, Part::Authority, false)?;
            out.push('@');
            host
        }
        None => authority,
    };
    let (host, port) = match host_and_port.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
        _ => (host_and_port, None),
    };
    // Only an address in brackets has colons (RFC 3986, section 3.2.2).
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => has_none_of(address, &['@', '[', ']'])?,
        None => has_none_of(host, &[':', '@', '[', ']'])?,
    }
    add(out, host, Part::Authority, true)?;
    let usual = match scheme {
        "http" | "ws" => "80",
        "https" | "wss" => "443",
        "ftp" => "21",
        _ => "",
    };
    // Zeros before a number do not change it.
    let port = port.map(|port| match port.trim_start_matches('0') {
        "" if !port.is_empty() => "0",
        trimmed => trimmed,
    });
    if let Some(port) = port.filter(|port| !port.is_empty() && *port != usual) {
        out.push(':');
        out.push_str(port);
    }
    Ok(())
}

fn has_none_of(text: &str, characters: &[char]) -> Result<(), NotCanonical> {
    let found = text.chars().find(|c| characters.contains(c));
    found.map_or(Ok(()), |c| Err(NotCanonical::Character(c)))
}

/// Adds the text of one part.
fn add(out: &mut String, text: &str, part: Part, lower: bool) -> Result<(), NotCanonical> {
    let mut bytes = text.bytes();
    let mut at = 0;
    while let Some(byte) = bytes.next() {
        let (value, is_encoded) = match byte {
            b'%' => {
                let digit = |byte: Option<u8>| {
                    byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(NotCanonical::Percent)
                };
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                (u8::try_from(high * 16 + low).map_err(|_| NotCanonical::Percent)?, true)
            }
            _ if byte == VARIABLE => (byte, false),
            _ if !byte.is_ascii_graphic() || b"\"<>\\^`{|}".contains(&byte) => {
                let character = text.get(at..).and_then(|rest| rest.chars().next());
                return Err(NotCanonical::Character(character.unwrap_or(char::from(byte))));
            }
            _ => (byte, false),
        };
        at = text.len() - bytes.len();
        let is_kept = if is_encoded { part.is_plain(value) } else { part.keeps(value) };
        if is_kept || (value == VARIABLE && !is_encoded) {
            let value = if lower { value.to_ascii_lowercase() } else { value };
            out.push(char::from(value));
        } else {
            add_encoded(out, value);
        }
    }
    Ok(())
}

/// Adds a character as `%` and two upper-case digits.
pub(super) fn add_encoded(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}
