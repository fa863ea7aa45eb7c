//! Hides secrets in a text that is about to be shown. Every character keeps its place and its length.
//! It works by lines, so that it also does where the text is no TOML.

/// Keys of `[auth]` that may be shown; what else stands there may be a secret, also under a mistyped name.
const SHOWN: [&str; 6] = ["hs256_secret_file", "issuer", "ttl_max", "visitors", "dev_tokens", "operators_on_public"];
/// Keys within `auth.keys`, none of which has a secret itself.
const SHOWN_OF_KEYS: [&str; 7] = ["keys", "kid", "alg", "public_key_file", "secret_file", "roles", "sellers"];
/// What ends a text of several lines.
const LONG: [&str; 2] = ["\"\"\"", "'''"];

/// The text with every value hidden that may be a secret.
pub(super) fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let (mut in_auth, mut open) = (false, None);
    for line in text.split_inclusive('\n') {
        if let Some(end) = open {
            if line.contains(end) {
                open = None;
            }
            hide(&mut shown, line);
            continue;
        }
        let trimmed = line.trim_start();
        if trimmed.starts_with('[') && !trimmed.contains('=') {
            in_auth = trimmed.trim_start_matches('[').trim_start().starts_with("auth");
        }
        let Some((key, value)) = line.split_once('=') else {
            shown.push_str(line);
            continue;
        };
        if is_sensitive(key, value, in_auth) {
            shown.push_str(key);
            shown.push('=');
            hide(&mut shown, value);
            open = LONG.into_iter().find(|mark| value.matches(mark).count() == 1);
        } else {
            shown.push_str(line);
        }
    }
    shown
}

/// Hides a text; white space stays.
pub(super) fn hide(shown: &mut String, text: &str) {
    let hidden = text.chars().map(|letter| match letter.len_utf8() {
        _ if letter.is_whitespace() => letter,
        1 => '*',
        2 => '·',
        3 => '•',
        _ => '🔒',
    });
    shown.extend(hidden);
}

fn is_sensitive(key: &str, value: &str, in_auth: bool) -> bool {
    let key = key.trim().trim_matches(['"', '\'']);
    if key.starts_with('#') {
        return false;
    }
    let name = key.rsplit('.').next().unwrap_or(key).trim().trim_matches(['"', '\'']);
    let is_known = SHOWN.contains(&name) || SHOWN_OF_KEYS.contains(&name);
    let speaks_of_one = |text: &str| text.replace("secret_file", "").contains("secr");
    match in_auth || key.starts_with("auth") {
        true if name == "auth" => speaks_of_one(value) || value.contains("hs256"),
        true => !is_known,
        // A line of a list of keys, or one that has lost its section.
        false => speaks_of_one(key) || (speaks_of_one(value) && value.contains('=')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_however_they_are_written() {
        for line in [
            "[auth]\nhs256_secret = \"HIDE\"",
            "[auth]\nhs256_secert = \"HIDE\"",
            "[auth]\nhs256_secret = \"HIDE",
            "[auth]\nhs256_secret = HIDE",
            "[auth]\n\"hs256_secret\" = 'HIDE'",
            "auth.hs256_secret = \"HIDE\"",
            "auth = { visitors = true, hs256_secret = \"HIDE\" }",
            "[ auth ]\nhs256_secret = \"\"\"\nHIDE\nHIDE\n\"\"\"",
            "[server]\nhs256_secret = \"HIDE\"",
            "hs256_secret = \"HIDE\"",
        ] {
            let shown = masked(line);

            assert!(!shown.contains("HIDE"), "{line}: {shown}");
            assert_eq!((shown.len(), shown.chars().count()), (line.len(), line.chars().count()));
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        let text = "[auth]\nhs256_secret_file = \"a\"\nkeys = [{ kid = \"b\", secret_file = \"c\" }]\n# secret = \"d\"\n\
                    visitors = maybe\n[server]\nlisten = \"e\"\n";

        assert_eq!(masked(text), text);
    }

    #[test]
    fn letters_of_any_length_keep_their_places() {
        let shown = masked("auth.hs256_secret = \"a茶é😀\" # é");

        assert_eq!(shown, "auth.hs256_secret = **•·🔒* * ·");
    }
}
