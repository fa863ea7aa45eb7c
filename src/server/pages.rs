//! The pages as the public listener serves them: files, headers that keep strangers out, tokens for trying it out.

use std::fmt::Write as _;
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
    let embedders = if path == "/buyer" { embedders(query, site) } else { None };
    let policy = format!("{POLICY}{}", embedders.as_deref().unwrap_or("'none'"));
    let mut reply = plain(StatusCode::OK, page.bytes.into_owned());
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(page.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Some(reply)
}

/// The origins that may embed the chat of the seller that a query names.
fn embedders(query: &str, site: &Site) -> Option<String> {
    let directory = site.dispatch.table.directory();
    let seller = query.split('&').find_map(|pair| match pair.split_once('=')? {
        ("seller", id) => directory.sellers.get(id),
        ("shop", id) => directory.entries.get(id).and_then(|seller| directory.sellers.get(seller)),
        _ => None,
    })?;
    (!seller.origins.is_empty()).then(|| seller.origins.join(" "))
}

/// Tokens for every account and a buyer of every shop: to somebody on the same machine, and to nobody through a proxy.
pub(super) fn dev(headers: &HeaderMap, ip: IpAddr, site: &Site) -> Option<Reply> {
    let at_hand = ip.is_loopback() && !client::is_through_proxy(headers) && client::is_loopback_host(headers);
    if !site.settings.dev_tokens || !at_hand {
        return None;
    }
    let directory = site.dispatch.table.directory();
    let expires_at = site.dispatch.clock.now() + DEV_TTL;
    let mint = |role, sub: &str| site.keys.mint(&Claims::new(role, sub, expires_at)).unwrap_or_default();
    let mains = directory.sellers.values().map(|seller| {
        let token = mint(Role::Staff, seller.account.as_str());
        serde_json::json!({ "id": seller.account, "name": seller.name, "role": "seller", "token": token, "seller": seller.id })
    });
    let staff = directory.sub_accounts.values().map(|sub_account| {
        let id = &sub_account.id;
        let seller = directory.sellers.values().find(|seller| seller.agents.contains_key(id));
        let role = seller.and_then(|seller| seller.agents.get(id)).map(|authorization| authorization.role.clone());
        serde_json::json!({
            "id": id,
            "name": sub_account.name,
            "role": role,
            "token": mint(Role::Staff, id.as_str()),
            "seller": seller.map(|seller| &seller.id),
        })
    });
    let accounts: Vec<_> = mains.chain(staff).collect();
    let shops = directory.sellers.values().enumerate().map(|(number, seller)| {
        let mut sub = String::from("buyer-");
        let _ = write!(sub, "{}", number + 1);
        let token = mint(Role::Buyer, &sub);
        serde_json::json!({ "seller": seller.id, "name": seller.name, "shop": seller.shop, "token": token })
    });
    let shops: Vec<_> = shops.collect();
    let ways = serde_json::json!({ "accounts": accounts, "shops": shops, "visitors": site.settings.visitors });
    let mut reply = json(StatusCode::OK, ways.to_string());
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(reply)
}
