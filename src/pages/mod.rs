//! The pages: console, buyer's chat, widget. Plain files, in the program; in a debug build read from disk as they are.

use std::borrow::Cow;

#[derive(rust_embed::RustEmbed)]
#[folder = "src/pages/"]
struct Files;

/// A file of the pages.
pub struct Page {
    /// What is in it.
    pub bytes: Cow<'static, [u8]>,
    /// What it is, by its ending.
    pub kind: &'static str,
}

/// The file of this path, if it is one of the pages.
pub fn file(path: &str) -> Option<Page> {
    let kind = match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        _ => return None,
    };
    Files::get(path).map(|file| Page { bytes: file.data, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_there_and_the_program_is_not() {
        for path in ["index.html", "console.html", "buyer.html", "widget.js"] {
            assert!(file(path).is_some(), "{path}");
        }
        assert!(file("mod.rs").is_none());
        assert!(file("../main.rs").is_none());
    }
}
