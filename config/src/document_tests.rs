//! Nix reads the same file by `builtins.fromTOML`: both must see the same values. Nix 2.8's parser is another one, and
//! a value that they read differently would configure the machine unlike the process on it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::parse;

/// The values as this crate sees them, before defaults.
fn ours(text: &str) -> Value {
    let parsed = parse(text, None).unwrap_or_else(|finding| panic!("{finding}"));
    serde_json::to_value(parsed.values).unwrap()
}

/// The values as Nix sees them; none when there is no Nix, which continuous integration must have.
fn by_nix(file: &Path) -> Option<Value> {
    let expression = format!("builtins.fromTOML (builtins.readFile {})", file.display());
    let ran =
        Command::new("nix-instantiate").args(["--eval", "--strict", "--json", "-E", &expression]).output();
    let Ok(ran) = ran else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "with CI=true nix-instantiate must be there");
        println!("not checked: there is no nix-instantiate (Debian: apt-get install nix-bin)");
        return None;
    };
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Some(serde_json::from_slice(&ran.stdout).unwrap())
}

#[test]
fn nix_and_we_read_the_same_values() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![here.join("../farquorum.toml").canonicalize().unwrap()];
    for folder in ["tests/good", "tests/render/three", "tests/render/one", "tests/render/uneven"] {
        let entries = std::fs::read_dir(here.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "toml")));
    }
    assert!(files.len() > 10, "the files are not where this test looks");
    for file in files {
        let Some(nix) = by_nix(&file) else { return };
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(ours(&text), nix, "{}", file.display());
    }
}
