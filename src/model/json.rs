//! Reading JSON without changing it: a value is a slice of the text received, numbers keep their text, and two
//! payloads are the same when their canonical forms (keys sorted, white space dropped) are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// Objects inside objects beyond this depth are not walked: the contract's records are two deep, and a hostile
/// payload must not exhaust the stack.
pub const MAX_DEPTH: usize = 64;

/// The members of one object in the order received, each value as its exact text.
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(40));
                while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// A string that borrows from the input where it holds no escapes (serde's own `Cow` always copies in a map).
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// The values of a few members, by position in `names`, read without keeping the others; the last of equal names
/// counts. Finding a record's id this way costs a third of reading its members.
pub fn pick<'a>(text: &'a str, names: &[&str]) -> Option<Vec<Option<&'a RawValue>>> {
    struct Picker<'n>(&'n [&'n str]);
    impl<'de> DeserializeSeed<'de> for Picker<'_> {
        type Value = Vec<Option<&'de RawValue>>;
        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_map(self)
        }
    }
    impl<'de> Visitor<'de> for Picker<'_> {
        type Value = Vec<Option<&'de RawValue>>;
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut picked = vec![None; self.0.len()];
            while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
                match self.0.iter().position(|name| *name == key) {
                    Some(place) => picked[place] = Some(map.next_value()?),
                    None => drop(map.next_value::<IgnoredAny>()?),
                }
            }
            Ok(picked)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let picked = Picker(names).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok().map(|()| picked)
}

/// One value, told by its first character; the text inside is the text received.
pub enum Scalar<'a> {
    Null,
    Boolean(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(&'a str),
    Object(&'a str),
    /// A string with an escape that stands for no character, such as half a surrogate pair.
    Broken,
}

impl<'a> Scalar<'a> {
    pub fn of(raw: &'a RawValue) -> Self {
        Self::of_text(raw.get())
    }

    pub fn of_text(text: &'a str) -> Self {
        match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Boolean(true),
            Some(b'f') => Self::Boolean(false),
            Some(b'[') => Self::Array(text),
            Some(b'{') => Self::Object(text),
            Some(b'"') => serde_json::from_str::<Key<'a>>(text).map_or(Self::Broken, |Key(text)| Self::Text(text)),
            _ => Self::Number(text),
        }
    }

    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
            Self::Broken => "a text with a broken escape",
        }
    }
}

/// A payload's values by JSON pointer, each as its text in the payload. What is too deep stays one value.
pub fn flatten(text: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    flatten_into(text, "", 0, &mut values);
    values
}

fn flatten_into(text: &str, pointer: &str, depth: usize, values: &mut BTreeMap<String, String>) {
    let members: Vec<(String, &RawValue)> = match Scalar::of_text(text) {
        Scalar::Object(object) if depth < MAX_DEPTH => match serde_json::from_str::<Members>(object) {
            Ok(Members(members)) => members.into_iter().map(|(key, value)| (key.into_owned(), value)).collect(),
            Err(_) => Vec::new(),
        },
        Scalar::Array(array) if depth < MAX_DEPTH => {
            let items: Vec<&RawValue> = serde_json::from_str(array).unwrap_or_default();
            items.into_iter().enumerate().map(|(position, value)| (position.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    if members.is_empty() {
        values.insert(pointer.to_owned(), text.to_owned());
    }
    for (key, value) in members {
        flatten_into(value.get(), &format!("{pointer}/{key}"), depth + 1, values);
    }
}

/// The sha256 of a payload's canonical form, in hex: keys sorted, white space dropped, number text kept. A payload
/// too deep to walk is hashed as it stands.
pub fn content_sha256(text: &str) -> String {
    sha256_of(text, None)
}

/// The same for an object whose members have been read already.
pub fn sha256_of(text: &str, members: Option<&Members>) -> String {
    let mut canonical = String::with_capacity(text.len());
    let written = match members {
        Some(Members(members)) => write_object(members, 0, &mut canonical),
        // white space around a value is none of it
        None => write_canonical(text.trim_ascii(), 0, &mut canonical),
    };
    if written.is_err() {
        text.clone_into(&mut canonical);
    }
    sha256_hex(canonical.as_bytes())
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

struct TooDeep;

fn write_canonical(text: &str, depth: usize, out: &mut String) -> Result<(), TooDeep> {
    if depth > MAX_DEPTH {
        return Err(TooDeep);
    }
    match Scalar::of_text(text) {
        Scalar::Object(object) => {
            let Members(members) = serde_json::from_str(object).map_err(|_| TooDeep)?;
            write_object(&members, depth, out)?;
        }
        Scalar::Array(array) => {
            let items: Vec<&RawValue> = serde_json::from_str(array).map_err(|_| TooDeep)?;
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_canonical(item.get(), depth + 1, out)?;
            }
            out.push(']');
        }
        // without an escape the text as received is the text as it would be written
        Scalar::Text(Cow::Borrowed(_)) => out.push_str(text),
        Scalar::Text(string) => write_string(&string, out),
        _ => out.push_str(text),
    }
    Ok(())
}

fn write_object(members: &[(Cow<str>, &RawValue)], depth: usize, out: &mut String) -> Result<(), TooDeep> {
    let mut sorted: Vec<&(Cow<str>, &RawValue)> = members.iter().collect();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    out.push('{');
    for (position, (key, value)) in sorted.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        if let Cow::Borrowed(key) = key {
            out.push('"');
            out.push_str(key);
            out.push('"');
        } else {
            write_string(key, out);
        }
        out.push(':');
        write_canonical(value.get(), depth + 1, out)?;
    }
    out.push('}');
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    // a JSON string written by serde_json never fails on valid UTF-8
    let _ = write!(out, "{}", serde_json::Value::String(text.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_order_and_white_space_make_no_difference() {
        let one = content_sha256(r#"{"b":1.0,"a":{"y":[1, 2],"x":"\u00e9"}}"#);
        let two = content_sha256("{ \"a\" : {\"x\":\"é\",\"y\":[1,2]}, \"b\":1.0 }");
        assert_eq!(one, two);
    }

    #[test]
    fn white_space_around_makes_none_whoever_has_read_the_members() {
        let spaced = "\n {\"a\":1}\t";
        let members = serde_json::from_str(spaced).unwrap();
        assert_eq!(content_sha256(spaced), content_sha256(r#"{"a":1}"#));
        assert_eq!(sha256_of(spaced, Some(&members)), content_sha256(spaced));
    }

    #[test]
    fn the_text_of_a_number_does() {
        assert_ne!(content_sha256(r#"{"a":1}"#), content_sha256(r#"{"a":1.0}"#));
        assert_ne!(content_sha256(r#"{"a":1}"#), content_sha256(r#"{"a":"1"}"#));
    }

    #[test]
    fn depth_is_survived() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(content_sha256(&deep), sha256_hex(deep.as_bytes()));
    }
}
