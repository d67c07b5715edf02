//! Settings that were made to lead a token elsewhere, or to wear the reader out:
//! each is refused with one clear sentence, and before anything is sent.

use simulator::world::{Cluster, Workspace, World, hours};

use crate::support::Scene;
use crate::swept::Swept;

/// Any text from outside that a sentence may repeat is short.
const LONGEST_SENTENCE: usize = 600;

fn scene() -> Scene {
    let workspace = Workspace::named("one").cluster(Cluster::idle("idle").since(hours(5)));
    Scene::of(World::new().workspace(workspace))
}

/// The only sentence with which the settings were refused.
fn refusal(scene: &Scene, label: &str) -> String {
    let swept = scene.run(&[]);
    assert_refused(scene, &swept, label);
    let sentence = swept.stderr.trim_end().to_owned();
    assert_eq!(sentence.lines().count(), 1, "{label}: {swept}");
    assert!(sentence.starts_with("error: "), "{label}: {swept}");
    assert!(sentence.len() <= LONGEST_SENTENCE, "{label}: {swept}");
    let odd = sentence.chars().find(|next| next.is_control());
    assert_eq!(odd, None, "{label}: {swept}");
    sentence
}

fn assert_refused(scene: &Scene, swept: &Swept, label: &str) {
    assert_eq!(swept.exit, 2, "{label}: {swept}");
    assert!(swept.stdout.is_empty(), "{label}: {swept}");
    let record = scene.simulator.record();
    assert!(record.connects().is_empty(), "{label}: {record:?}");
    assert!(record.identity_requests().is_empty(), "{label}");
}

#[test]
fn a_workspace_that_is_elsewhere_is_refused() {
    for (url, why) in [
        ("http://adb-5.1.azuredatabricks.net", "only https"),
        ("//adb-5.1.azuredatabricks.net", "scheme"),
        ("javascript://adb-5.1.azuredatabricks.net", "only https"),
        ("https://me@adb-5.1.azuredatabricks.net", "user"),
        ("https://me:hunter2@adb-5.1.azuredatabricks.net", "user"),
        ("https://adb-5.1.azuredatabricks.net@evil.example", "user"),
        ("https://adb-5.1.azuredatabricks.net:8443", "port"),
        ("https://adb-5.1.azuredatabricks.net:0", "port"),
        ("https://10.0.0.4", "IP address"),
        ("https://[::1]", "IP address"),
        ("https://2130706433", "IP address"),
        ("https://0x7f000001", "IP address"),
        ("https://adb-5.1.azuredatabricks.net.", "no such host"),
        (
            "https://adb-5.1.azuredatabricks.net.evil.example",
            "no such host",
        ),
        ("https://evil.example\\u0000.azuredatabricks.net", "URL"),
        (
            "https://evil.example\\\\.azuredatabricks.net",
            "no such host",
        ),
        ("https://evil.example#.azuredatabricks.net", "no such host"),
        ("https://evil.example/.azuredatabricks.net", "no such host"),
        // Cyrillic letters that look like Latin ones, plain and in punycode.
        ("https://adb-5.1.аzuredatabricks.net", "no such host"),
        ("https://adb-5.1.xn--zuredatabricks-utl.net", "no such host"),
        ("https://adb-٥.1.azuredatabricks.net", "is no URL"),
        ("https://adb-dp-5.1.azuredatabricks.net", "no such host"),
        (
            "https://adb-5.1.databricks.azure.cn",
            "belongs to the china cloud",
        ),
        ("https://kv-ops.vault.azure.net", "key vault"),
        ("https://adb-5.1.azuredatabricks.net/?o=5", "only the host"),
        (
            "https://adb-5.1.azuredatabricks.net/login.html",
            "only the host",
        ),
        ("https://adb-5.1.azuredatabricks.net\\r\\nX-A: b", ""),
        ("", "url"),
    ] {
        let mut scene = scene();
        scene.further_tables = format!("[[workspaces]]\nname = \"elsewhere\"\nurl = \"{url}\"\n");
        let sentence = refusal(&scene, url);
        assert!(sentence.contains("`url`"), "{url}: {sentence}");
        assert!(sentence.contains(why), "{url}: {sentence}");
        let example = "https://adb-<digits>.<digits>.azuredatabricks.net";
        assert!(
            url.is_empty() || sentence.contains(example),
            "{url}: {sentence}"
        );
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}

#[test]
fn a_key_vault_that_is_elsewhere_is_refused() {
    for url in [
        "http://kv-ops.vault.azure.net",
        "https://kv-ops.vault.azure.net@evil.example",
        "https://me:hunter2@kv-ops.vault.azure.net",
        "https://kv-ops.vault.azure.net:8443",
        "https://kv-ops.vault.azure.net.",
        "https://kv-ops.vault.azure.net.evil.example",
        "https://169.254.169.254",
        "https://xn--kv-ops-.vault.azure.net",
        "https://kv-ops.vault.azure.net/secrets/../keys",
    ] {
        let scene = scene().set("TERMINATE_CLUSTERS_KEY_VAULT_URL", url);
        let sentence = refusal(&scene, url);
        let names = sentence.contains("`TERMINATE_CLUSTERS_KEY_VAULT_URL`");
        assert!(names, "{url}: {sentence}");
        assert!(
            sentence.contains("https://<name>.vault.azure.net"),
            "{sentence}"
        );
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}

#[test]
fn the_name_of_a_secret_cannot_leave_the_secrets_of_its_vault() {
    for name in [
        "../keys/k1",
        "a/../../keys/x",
        "..",
        ".",
        "a/..",
        "a\\..\\keys",
        "%2e%2e",
        "a?api-version=1",
        "a#b",
        "a b",
        "a/0123456789abcdef0123456789abcdeg",
        "https://evil.example/secrets/a",
        "a\u{202e}b",
    ] {
        for setting in [
            "TERMINATE_CLUSTERS_TENANT_ID_SECRET",
            "TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET",
        ] {
            let scene = scene().set(setting, name);
            let sentence = refusal(&scene, name);
            assert!(
                sentence.contains(&format!("`{setting}`")),
                "{name}: {sentence}"
            );
            // It could be a secret in the wrong place.
            let repeats = name.len() > 2 && sentence.contains(name);
            assert!(!repeats, "{name}: {sentence}");
        }
    }
}

#[test]
fn a_policy_of_ten_megabytes_is_refused_at_once() {
    let scene = scene();
    let path = scene.simulator.directory().join("long.toml");
    let text = "[[workspaces]]\nname = \"x\"\nurl = \"https://adb-1.1.azuredatabricks.net\"\n";
    std::fs::write(&path, text.repeat(10_000_000 / text.len())).unwrap();
    let scene = scene
        .set("TERMINATE_CLUSTERS_POLICY", "")
        .set("TERMINATE_CLUSTERS_POLICY_FILE", "long.toml");
    let sentence = refusal(&scene, "10 MB");
    assert!(
        sentence.contains("long.toml: is longer than 1 MiB"),
        "{sentence}"
    );
}

#[test]
fn a_policy_that_is_no_text_is_refused() {
    for (what, bytes) in [
        ("not UTF-8", &b"[policy]\nidle_after = \"\xff\""[..]),
        ("UTF-16", &b"\xff\xfe[\0p\0o\0l\0i\0c\0y\0]\0"[..]),
        ("an archive", &b"PK\x03\x04\x14\0\0\0\x08\0\x80\x90"[..]),
    ] {
        let scene = scene();
        let path = scene.simulator.directory().join("odd.toml");
        std::fs::write(&path, bytes).unwrap();
        let scene = scene
            .set("TERMINATE_CLUSTERS_POLICY", "")
            .set("TERMINATE_CLUSTERS_POLICY_FILE", "odd.toml");
        let sentence = refusal(&scene, what);
        assert!(sentence.contains("odd.toml"), "{what}: {sentence}");
        assert!(sentence.contains("save it as UTF-8"), "{what}: {sentence}");
    }
}
