//! Bodies of messages: checked member by member, then written again in one fixed form, so that equal ones are equal
//! text. What a URL leads to is nobody's business here.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::params::Text;
use super::text::{write_number, write_string};
use super::{Limits, RpcError};
use crate::model::Body;

const URL_CHARACTERS_MAX: usize = 2048;
const WORDS_CHARACTERS_MAX: usize = 256;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyType {
    Text,
    Image,
    File,
    Product,
    Order,
}

/// A price: as a text, or as a number.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a string or a number")]
pub enum Price<'a> {
    Words(#[serde(borrow)] Text<'a>),
    Number(Number),
}

/// A body as it comes: `text` has `text`; `image` and `file` have `url` and maybe `name` and `size`; `product` and
/// `order` have `id` and maybe `title`, `url` and `price`. URLs are https only.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireBody<'a> {
    #[serde(rename = "type")]
    pub kind: BodyType,
    #[serde(borrow, default)]
    pub text: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub url: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    #[serde(default)]
    pub size: Option<u64>,
    #[serde(borrow, default)]
    pub id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub title: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub price: Option<Price<'a>>,
}

impl WireBody<'_> {
    /// The body in its fixed form. `at` is the path to it.
    pub fn check(&self, at: &str, limits: &Limits) -> Result<Body, RpcError> {
        let fault = |member: &str, why: &'static str| RpcError::invalid_params(format!("{at}.{member}"), why);
        if let Some(member) = self.foreign() {
            return Err(fault(member, "a body of this type has no such member"));
        }
        let mut out = String::with_capacity(64 + self.text.as_ref().map_or(0, |text| text.0.len()));
        match self.kind {
            BodyType::Text => {
                let text = self.text.as_ref().ok_or_else(|| fault("text", "this member is needed"))?;
                check_text(|| format!("{at}.text"), &text.0, limits)?;
                out.push_str(r#"{"type":"text","text":"#);
                write_string(&mut out, &text.0);
            }
            BodyType::Image | BodyType::File => {
                let url = self.url.as_ref().ok_or_else(|| fault("url", "this member is needed"))?;
                let is_image = self.kind == BodyType::Image;
                out.push_str(if is_image { r#"{"type":"image","url":"# } else { r#"{"type":"file","url":"# });
                write_string(&mut out, &url.0);
                write_words(&mut out, "name", self.name.as_ref());
                if let Some(size) = self.size {
                    out.push_str(r#","size":"#);
                    write_number(&mut out, size);
                }
            }
            BodyType::Product | BodyType::Order => {
                let id = self.id.as_ref().ok_or_else(|| fault("id", "this member is needed"))?;
                let is_order = self.kind == BodyType::Order;
                out.push_str(if is_order { r#"{"type":"order","id":"# } else { r#"{"type":"product","id":"# });
                write_string(&mut out, &id.0);
                write_words(&mut out, "title", self.title.as_ref());
                write_words(&mut out, "url", self.url.as_ref());
                match &self.price {
                    Some(Price::Words(words)) => write_words(&mut out, "price", Some(words)),
                    Some(Price::Number(number)) => out.push_str(&format!(r#","price":{number}"#)),
                    None => {}
                }
            }
        }
        out.push('}');
        self.check_words(&fault)?;
        Ok(Body::from_checked(out))
    }

    /// The text in lower case, for `keyword` matchers.
    pub fn keywords(&self) -> Option<Arc<str>> {
        self.text.as_ref().map(|text| text.0.to_lowercase().into())
    }

    /// A member that a body of this type does not have.
    fn foreign(&self) -> Option<&'static str> {
        use BodyType::{File, Image, Order, Product, Text};

        let all: [(&'static str, bool, &[BodyType]); 7] = [
            ("text", self.text.is_some(), &[Text]),
            ("url", self.url.is_some(), &[Image, File, Product, Order]),
            ("name", self.name.is_some(), &[Image, File]),
            ("size", self.size.is_some(), &[Image, File]),
            ("id", self.id.is_some(), &[Product, Order]),
            ("title", self.title.is_some(), &[Product, Order]),
            ("price", self.price.is_some(), &[Product, Order]),
        ];
        all.iter().find(|(_, given, of)| *given && !of.contains(&self.kind)).map(|(name, ..)| *name)
    }

    fn check_words(&self, fault: &impl Fn(&str, &'static str) -> RpcError) -> Result<(), RpcError> {
        if self.url.as_ref().is_some_and(|url| !is_https(&url.0)) {
            return Err(fault("url", "expected an absolute https URL of at most 2048 characters"));
        }
        let price = if let Some(Price::Words(words)) = &self.price { Some(words) } else { None };
        for (member, words) in [("name", self.name.as_ref()), ("title", self.title.as_ref()), ("price", price)] {
            if words.is_some_and(|words| words.0.chars().count() > WORDS_CHARACTERS_MAX) {
                return Err(fault(member, "expected at most 256 characters"));
            }
        }
        if self.id.as_ref().is_some_and(|id| !(1..=WORDS_CHARACTERS_MAX).contains(&id.0.chars().count())) {
            return Err(fault("id", "expected 1 to 256 characters"));
        }
        Ok(())
    }
}

/// A text of a message, a note or the like.
pub fn check_text<P: Into<String>>(path: impl FnOnce() -> P, text: &str, limits: &Limits) -> Result<(), RpcError> {
    if text.is_empty() {
        return Err(RpcError::invalid_params(path(), "a text is not empty"));
    }
    // No text has more characters than bytes: most need not be counted.
    if text.len() > limits.text && text.chars().count() > limits.text {
        return Err(RpcError::too_large(path(), limits.text));
    }
    Ok(())
}

fn is_https(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty()
        && url.chars().count() <= URL_CHARACTERS_MAX
        && !url.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\')
}

fn write_words(out: &mut String, member: &str, words: Option<&Text<'_>>) {
    if let Some(words) = words {
        out.push_str(",\"");
        out.push_str(member);
        out.push_str("\":");
        write_string(out, &words.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { depth: 64, batch: 50, text: 5 };

    fn checked(json: &str) -> Result<String, (String, crate::protocol::Kind)> {
        let body: WireBody<'_> = serde_json::from_str(json).unwrap();
        let body = body.check("body", &LIMITS);
        body.map(|body| body.as_json().to_owned()).map_err(|error| (error.path().unwrap().to_owned(), error.kind()))
    }

    #[test]
    fn equal_bodies_become_equal_texts() {
        let one = checked(r#"{"type":"image","url":"https://a.example/\u0062","size":3,"name":"n"}"#);
        let other = checked(r#" { "name":"n", "size":3, "url":"https:\/\/a.example/b", "type":"image" } "#);

        assert_eq!(one, other);
        assert_eq!(one.unwrap(), r#"{"type":"image","url":"https://a.example/b","name":"n","size":3}"#);
        assert_eq!(checked(r#"{"type":"text","text":"分流\n"}"#).unwrap(), "{\"type\":\"text\",\"text\":\"分流\\n\"}");
        let order = r#"{"type":"order","id":"o-1","title":"Tea","url":"https://a.example","price":12.5}"#;
        assert_eq!(checked(order).unwrap(), order);
    }

    #[test]
    fn every_member_is_checked() {
        use crate::protocol::Kind::{InvalidParams, TooLarge};
        let cases = [
            (r#"{"type":"text"}"#, "body.text", InvalidParams),
            (r#"{"type":"text","text":""}"#, "body.text", InvalidParams),
            (r#"{"type":"text","text":"一二三四五六"}"#, "body.text", TooLarge),
            (r#"{"type":"text","text":"a","url":"https://a.example"}"#, "body.url", InvalidParams),
            (r#"{"type":"image"}"#, "body.url", InvalidParams),
            (r#"{"type":"image","url":"http://a.example"}"#, "body.url", InvalidParams),
            (r#"{"type":"file","url":"https://"}"#, "body.url", InvalidParams),
            (r#"{"type":"file","url":"https:///x"}"#, "body.url", InvalidParams),
            (r#"{"type":"file","url":"https://a b"}"#, "body.url", InvalidParams),
            (r#"{"type":"file","url":"javascript:alert(1)"}"#, "body.url", InvalidParams),
            (r#"{"type":"product"}"#, "body.id", InvalidParams),
            (r#"{"type":"product","id":""}"#, "body.id", InvalidParams),
            (r#"{"type":"order","id":"1","size":2}"#, "body.size", InvalidParams),
        ];
        for (json, path, kind) in cases {
            assert_eq!(checked(json), Err((path.to_owned(), kind)), "{json}");
        }
        assert!(checked(r#"{"type":"text","text":"一二三四五"}"#).is_ok());
    }
}
