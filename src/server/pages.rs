//! The pages as the public listener serves them: files, headers that keep strangers out, tokens for trying it out.

use std::net::IpAddr;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderValue};

use super::client;
use super::reply::{Reply, json, plain};
use crate::auth::{Claims, Role};
use crate::pages;
use crate::session::Site;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ";
/// How long a token for trying it out is valid.
const DEV_TTL: Duration = Duration::from_secs(12 * 3600);

/// The page of a path, if there is one.
pub(super) fn page(path: &str, query: &str, site: &Site) -> Option<Reply> {
    let name = match path {
        "/" => "index.html",
        "/console" => "console.html",
        "/buyer" => "buyer.html",
        "/widget.js" => "widget.js",
        path => path.strip_prefix("/assets/")?,
    };
    let page = pages::file(name)?;
    let shop = if path == "/buyer" { shop_of(query, site) } else { None };
    let embedders = shop.as_ref().map_or("", |shop| &shop.embedders);
    let policy = format!("{POLICY}{}", if embedders.is_empty() { "'none'" } else { embedders });
    let bytes = match &shop {
        Some(shop) => shop.named(&page.bytes).into_bytes(),
        None => page.bytes.into_owned(),
    };
    let mut reply = plain(StatusCode::OK, bytes);
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(page.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Some(reply)
}

/// What the buyer's page is told of the seller whose chat it is.
struct Shop {
    seller: String,
    name: String,
    /// The origins of the pages that may hold the chat in a frame.
    embedders: String,
}

fn shop_of(query: &str, site: &Site) -> Option<Shop> {
    let directory = site.dispatch.table.directory();
    let seller = query.split('&').find_map(|pair| match pair.split_once('=')? {
        ("seller", id) => directory.sellers.get(id),
        ("shop", id) => directory.entries.get(id).and_then(|seller| directory.sellers.get(seller)),
        _ => None,
    })?;
    Some(Shop { seller: seller.id.to_string(), name: seller.name.to_string(), embedders: seller.origins.join(" ") })
}

impl Shop {
    /// The page with the shop's name in it, so that it stands there before anything is asked.
    fn named(&self, page: &[u8]) -> String {
        let (seller, name) = (escaped(&self.seller), escaped(&self.name));
        let head = format!(
            "<title>{name}</title>\n<meta name=\"seller\" content=\"{seller}\">\n<meta name=\"shop\" content=\"{name}\">"
        );
        String::from_utf8_lossy(page).replacen("<title>Chat</title>", &head, 1)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Tokens for every account and a buyer of every shop: to somebody on the same machine, and to nobody through a proxy.
pub(super) fn dev(headers: &HeaderMap, ip: IpAddr, site: &Site) -> Option<Reply> {
    let at_hand = ip.is_loopback() && !client::is_through_proxy(headers) && client::is_loopback_host(headers);
    if !site.settings.dev_tokens || !at_hand {
        return None;
    }
    let mut reply = json(StatusCode::OK, tokens(site).to_string());
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(reply)
}

fn tokens(site: &Site) -> serde_json::Value {
    let directory = site.dispatch.table.directory();
    let expires_at = site.dispatch.clock.now() + DEV_TTL;
    let mint = |role, sub: &str| site.keys.mint(&Claims::new(role, sub, expires_at)).unwrap_or_default();
    let mut sellers: Vec<_> = directory.sellers.values().collect();
    sellers.sort_by(|one, other| one.id.cmp(&other.id));
    let shops = sellers.into_iter().enumerate().map(|(number, seller)| {
        let mut staff: Vec<_> = seller.agents.iter().filter(|(id, _)| **id != seller.account).collect();
        staff.sort_by_key(|(id, _)| *id);
        let staff = staff.into_iter().map(|(id, authorization)| (id, &*authorization.role));
        let accounts = std::iter::once((&seller.account, "seller")).chain(staff).map(|(id, role)| {
            let name = directory.name_of(id).map_or(&*seller.name, |name| &**name);
            serde_json::json!({ "id": id, "name": name, "role": role, "token": mint(Role::Staff, id.as_str()) })
        });
        serde_json::json!({
            "seller": seller.id,
            "name": seller.name,
            "shop": seller.shop,
            "token": mint(Role::Buyer, &format!("buyer-{}", number + 1)),
            "accounts": accounts.collect::<Vec<_>>(),
        })
    });
    serde_json::json!({ "shops": shops.collect::<Vec<_>>(), "visitors": site.settings.visitors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shop_s_name_is_text_in_the_page() {
        let shop = Shop { seller: "tea".into(), name: "<b>Lin & \"sons\"".into(), embedders: String::new() };

        let page = shop.named(b"<head><title>Chat</title></head>");

        assert!(page.contains("<title>&lt;b&gt;Lin &amp; &quot;sons&quot;</title>"), "{page}");
        assert!(page.contains("content=\"tea\""), "{page}");
    }
}
