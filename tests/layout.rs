//! Who may import whom: the arrows of the map, and the purity of the middle. A new arrow is a change of design.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and those of ours that it may name.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("policy", &["model"]),
    ("directory", &["model", "policy"]),
    ("routing", &["model", "policy", "directory"]),
    ("protocol", &["model", "policy", "directory", "routing"]),
    ("journal", &["model", "policy", "directory", "routing"]),
    ("simulation", &["model", "policy", "directory", "routing"]),
    ("delivery", &["model", "policy", "directory", "routing", "protocol", "journal", "metrics"]),
    ("auth", &["model", "directory"]),
    ("clock", &["model"]),
    ("logs", &[]),
    ("lifecycle", &[]),
    ("network", &[]),
    ("metrics", &[]),
    ("tls", &["model"]),
    ("config", &["model", "directory", "auth", "logs", "network", "tls"]),
    ("load", &["model", "policy", "directory", "auth"]),
    (
        "dispatch",
        &[
            "model",
            "policy",
            "directory",
            "routing",
            "protocol",
            "journal",
            "delivery",
            "clock",
            "lifecycle",
            "metrics",
        ],
    ),
    (
        "session",
        &[
            "model",
            "policy",
            "directory",
            "routing",
            "protocol",
            "delivery",
            "dispatch",
            "auth",
            "lifecycle",
            "metrics",
        ],
    ),
    ("pages", &[]),
    (
        "server",
        &[
            "model",
            "policy",
            "routing",
            "protocol",
            "journal",
            "delivery",
            "session",
            "auth",
            "pages",
            "lifecycle",
            "network",
            "metrics",
            "tls",
        ],
    ),
];
const PURE: &[&str] = &["model", "policy", "directory", "routing"];
/// What the middle must not know: runtimes, sockets, files, clocks, random sources.
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "TcpStream",
    "TcpListener",
    "std::io",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "getrandom",
    "now_v7",
];

#[test]
fn every_import_follows_an_arrow_of_the_map() {
    let mut strays = Vec::new();
    for (module, may) in ARROWS {
        for (file, text) in sources(module) {
            for name in named(&text) {
                if name != *module && !may.contains(&name.as_str()) && ARROWS.iter().any(|(known, _)| *known == name) {
                    strays.push(format!("{} names {name}", file.display()));
                }
            }
        }
    }

    assert!(strays.is_empty(), "{}", strays.join("\n"));
}

#[test]
fn the_middle_knows_no_runtime_file_clock_or_chance() {
    let mut strays = Vec::new();
    for module in PURE {
        for (file, text) in sources(module) {
            strays.extend(
                IMPURE.iter().filter(|word| text.contains(**word)).map(|word| format!("{} has {word}", file.display())),
            );
        }
    }

    assert!(strays.is_empty(), "{}", strays.join("\n"));
}

#[test]
fn concurrent_maps_are_named_in_two_files_that_never_wait() {
    for (file, text) in sources("") {
        if text.contains("DashMap") {
            let named = file.ends_with("routing/table.rs") || file.ends_with("delivery/registry.rs");
            assert!(named, "{} names DashMap", file.display());
            assert!(!text.contains("async fn") && !text.contains(".await"), "{} waits", file.display());
        }
    }
}

/// The modules of ours that a text names.
fn named(text: &str) -> Vec<String> {
    let paths = text.split("crate::").skip(1);
    let mut names = Vec::new();
    for path in paths {
        if let Some(group) = path.strip_prefix('{') {
            let group = group.split('}').next().unwrap_or("");
            names.extend(group.split(',').map(|part| first_name(part.trim())));
        } else {
            names.push(first_name(path));
        }
    }
    names
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The files of a module, without their tests.
fn sources(module: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    gather(&root.join(module), &mut files);
    files.extend(Some(root.join(format!("{module}.rs"))).filter(|file| file.exists()));
    let files = files.into_iter().filter(|file| !file.to_string_lossy().contains("tests"));
    files
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or("").to_owned();
            (file, code)
        })
        .collect()
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
