//! Service principals: of the app settings, of the document, and who uses them.

use super::*;
use crate::identity::{
    Application, CredentialKind, CredentialSource, IdSource, PrincipalSource, SecretName,
};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT: &str = "66666666-7777-8888-9999-000000000000";

fn workspaces(principals: &[&str]) -> String {
    let table = |(number, principal): (usize, &&str)| {
        format!(
            "[[workspaces]]\nname = \"w-{number}\"\nurl = \"https://adb-{number}.1.azuredatabricks.net\"\n{principal}\n"
        )
    };
    principals.iter().enumerate().map(table).collect()
}

fn secret(name: &str) -> SecretName {
    SecretName::parse(name).unwrap()
}

/// A principal `b` with its ids in the document.
fn principal_b() -> String {
    format!(
        "[[principal]]\nname = \"b\"\ntenant_id = \"{TENANT}\"\nclient_id = \"{CLIENT}\"\nclient_secret_secret = \"b-secret\"\n"
    )
}

#[test]
fn principals_come_from_the_app_settings_and_the_document() {
    let vault = "key_vault_url = \"https://kv-b.vault.azure.net\"\n";
    let users = workspaces(&["", "principal = \"b\"", "spark_principal = \"b\""]);
    let spark = "[witness.spark]\nprincipal = \"main\"\n";
    let setup = Setup::policy(&format!("{}{vault}{spark}{users}", principal_b()));
    let settings = setup.read().unwrap();
    let (main, b) = (PrincipalName::main(), PrincipalName::new("b"));
    let url = |text| url::Url::parse(text).ok();
    let expected = [
        PrincipalSettings {
            name: main.clone(),
            key_vault_url: url("https://kv-ops.vault.azure.net"),
            managed_identity_client_id: None,
            source: PrincipalSource::Application(Application {
                tenant_id: IdSource::Secret(secret("tenant")),
                client_id: IdSource::Secret(secret("id")),
                credential: CredentialSource::ClientSecret(secret("secret")),
            }),
        },
        PrincipalSettings {
            name: b.clone(),
            key_vault_url: url("https://kv-b.vault.azure.net"),
            managed_identity_client_id: None,
            source: PrincipalSource::Application(Application {
                tenant_id: IdSource::Settings(TENANT.to_owned()),
                client_id: IdSource::Settings(CLIENT.to_owned()),
                credential: CredentialSource::ClientSecret(secret("b-secret")),
            }),
        },
    ];
    assert_eq!(settings.principals, expected);
    let workspaces = settings.workspaces.iter();
    let asked_by: Vec<_> = workspaces
        .map(|one| (&one.principal, one.spark_principal.as_ref()))
        .collect();
    assert_eq!(
        asked_by,
        [(&main, Some(&main)), (&b, Some(&main)), (&main, Some(&b))]
    );
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
}

#[test]
fn the_main_principal_is_needed_only_where_someone_uses_it() {
    let without_main = |users: &str| {
        Setup::policy(&format!("{}{users}", principal_b()))
            .with("TERMINATE_CLUSTERS_TENANT_ID_SECRET", "")
            .with("TERMINATE_CLUSTERS_CLIENT_ID_SECRET", "")
            .with("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET", "")
    };
    let by_b = workspaces(&["principal = \"b\""]);
    let settings = without_main(&by_b).read().unwrap();
    assert_eq!(settings.principals.len(), 1);
    let by_main = without_main(&workspaces(&[""])).mistakes();
    assert_eq!(
        by_main,
        [
            "`TERMINATE_CLUSTERS_TENANT_ID` is not set: the tenant id of the service principal that is called `main`; this or `TERMINATE_CLUSTERS_TENANT_ID_SECRET`",
            "`TERMINATE_CLUSTERS_CLIENT_ID` is not set: its client id, the application's GUID; this or `TERMINATE_CLUSTERS_CLIENT_ID_SECRET`",
            "`TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET` is not set: name of the secret with the client secret, `name` or `name/version`",
        ]
    );
    let spark = format!("[witness.spark]\nprincipal = \"main\"\n{by_b}");
    assert_eq!(without_main(&spark).mistakes().len(), 3);
    // Begun and not ended is a mistake, whoever uses it.
    let begun = without_main(&by_b).with("TERMINATE_CLUSTERS_CLIENT_ID", CLIENT);
    assert_eq!(begun.mistakes().len(), 2);
}

#[test]
fn the_vault_of_the_app_settings_is_needed_where_a_principal_has_none() {
    let without_vault = |policy: &str| {
        let setup = Setup::policy(policy);
        setup.with("TERMINATE_CLUSTERS_KEY_VAULT_URL", "")
    };
    let both = format!(
        "{}{}",
        principal_b(),
        workspaces(&["", "principal = \"b\""])
    );
    assert_eq!(
        without_vault(&both).mistakes(),
        [
            "`TERMINATE_CLUSTERS_KEY_VAULT_URL` is not set, and `main`, `b` would be read from there: the vault that holds the service principal, in the public cloud `https://<name>.vault.azure.net`"
        ]
    );
    let own = format!(
        "{}key_vault_url = \"https://kv-b.vault.azure.net\"\n{}",
        principal_b(),
        workspaces(&["principal = \"b\""])
    );
    let only_b = without_vault(&own)
        .with("TERMINATE_CLUSTERS_TENANT_ID_SECRET", "")
        .with("TERMINATE_CLUSTERS_CLIENT_ID_SECRET", "")
        .with("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET", "");
    assert!(only_b.read().is_ok());
}

#[test]
fn every_mistake_in_a_principal_names_its_key_and_the_fix() {
    let document = format!(
        "[[principal]]\nname = \"Main\"\ntenant_id = \"{TENANT}\"\ntenant_id_secret = \"t\"\n\
         client_id = \"planted~secret\"\nclient_secret_secret = \"planted~secret\"\n\
         [[principal]]\nname = \"b\"\nkey_vault_url = \"http://planted\"\n\
         {}{}",
        principal_b().replace("\"b\"", "\"B\""),
        workspaces(&[
            "principal = \"team\"",
            "principal = \"B \"\nspark_principal = \"bb\""
        ]),
    );
    let mistakes = Setup::policy(&document).mistakes();
    let expected = [
        "line 2: `name` is \"Main\", which is what the principal of the app settings is called; choose another name",
        "line 3: `tenant_id` is given together with `tenant_id_secret`; remove one of them",
        "line 5: `client_id` is no client id; write the application's GUID",
        "line 6: `client_secret_secret` is no secret name: write 1 to 127 letters, digits and hyphens, not the secret's value or URL",
        "line 7: `tenant_id` is missing in [[principal]]: its tenant id; this or `tenant_id_secret`",
        "line 7: `client_id` is missing in [[principal]]: its client id, the application's GUID; this or `client_id_secret`",
        "line 7: `client_secret_secret` is missing in [[principal]]: name of the secret with the client secret, `name` or `name/version`",
        "line 9: `key_vault_url` can't be used (only https is spoken): write https://<name>.vault.azure.net",
        "line 11: `name` is taken by another principal, \"B\"",
        "line 18: `principal` is \"team\", which is no principal; known are `main`, `Main`, `b`, `B`",
        "line 23: `spark_principal` is \"bb\", which is no principal; did you mean `B`?",
    ];
    let mut told = mistakes.iter();
    for mistake in expected {
        let line = format!("terminate-clusters.toml, {mistake}");
        assert_eq!(told.next(), Some(&line), "{mistakes:#?}");
    }
    assert_eq!(told.next(), None);
}

#[test]
fn a_principal_that_nobody_names_and_one_that_asks_nothing_are_warned_of() {
    let unused = format!("{}{}", principal_b(), workspaces(&[""]));
    let warnings = Setup::policy(&unused).read().unwrap().warnings;
    assert_eq!(
        warnings,
        ["no workspace names the principal `b`, so it is not used"]
    );
    let off = format!(
        "{}{}",
        principal_b(),
        workspaces(&["", "principal = \"b\"\nspark_principal = \"main\""])
    );
    let settings = Setup::policy(&off).read().unwrap();
    assert_eq!(
        settings.warnings,
        [
            "workspace `w-1` names a `spark_principal`, which asks nothing while the Spark witness is off; add [witness.spark], or take the key out"
        ]
    );
    assert_eq!(settings.workspaces[1].spark_principal, None);
}

/// A principal `b` with these lines, for one workspace, and no other principal.
fn only_b(lines: &str) -> Setup {
    let users = workspaces(&["principal = \"b\""]);
    Setup::policy(&format!("[[principal]]\nname = \"b\"\n{lines}{users}"))
        .with("TERMINATE_CLUSTERS_TENANT_ID_SECRET", "")
        .with("TERMINATE_CLUSTERS_CLIENT_ID_SECRET", "")
        .with("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET", "")
}

fn ids() -> String {
    format!("tenant_id = \"{TENANT}\"\nclient_id = \"{CLIENT}\"\n")
}

#[test]
fn the_credential_is_the_one_that_is_named_or_chosen() {
    let kinds = [
        (
            "client_secret_secret = \"s\"\n",
            CredentialKind::ClientSecret,
        ),
        (
            "client_certificate_secret = \"c\"\n",
            CredentialKind::Certificate,
        ),
        (
            "client_certificate_secret = \"c\"\nclient_secret_secret = \"s\"\ncredential = \"certificate\"\n",
            CredentialKind::Certificate,
        ),
        (
            "client_certificate_secret = \"c\"\nclient_secret_secret = \"s\"\ncredential = \"client-secret\"\n",
            CredentialKind::ClientSecret,
        ),
        ("credential = \"federated\"\n", CredentialKind::Federated),
    ];
    for (lines, kind) in kinds {
        let settings = only_b(&format!("{}{lines}", ids())).read().unwrap();
        assert_eq!(settings.principals[0].source.kind(), kind, "{lines}");
    }
    let managed = only_b(&format!(
        "credential = \"managed-identity\"\nmanaged_identity_client_id = \"{CLIENT}\"\n"
    ));
    // Neither it nor a federated application with plain ids reads a vault.
    let managed = managed.with("TERMINATE_CLUSTERS_KEY_VAULT_URL", "");
    let principal = managed.read().unwrap().principals.remove(0);
    assert_eq!(principal.source, PrincipalSource::ManagedIdentity);
    assert_eq!(
        principal.managed_identity_client_id.as_deref(),
        Some(CLIENT)
    );
    let federated = only_b(&format!("{}credential = \"federated\"\n", ids()));
    let federated = federated.with("TERMINATE_CLUSTERS_KEY_VAULT_URL", "");
    assert!(federated.read().is_ok());
    let named = only_b(&format!("{}client_secret_secret = \"s\"\n", ids()));
    let named = named.with("TERMINATE_CLUSTERS_KEY_VAULT_URL", "");
    assert_eq!(named.mistakes().len(), 1);
}

#[test]
fn a_secret_beside_a_certificate_asks_for_a_choice() {
    let both = "client_certificate_secret = \"c\"\nclient_secret_secret = \"s\"\n";
    assert_eq!(
        only_b(&format!("{}{both}", ids())).mistakes(),
        [
            "terminate-clusters.toml, line 5: `client_certificate_secret` is given together with `client_secret_secret`; choose by `credential`: \"certificate\" uses the certificate, \"client-secret\" the secret"
        ]
    );
    let main = Setup::default().with("TERMINATE_CLUSTERS_CLIENT_CERTIFICATE_SECRET", "c");
    assert_eq!(
        main.mistakes(),
        [
            "`TERMINATE_CLUSTERS_CLIENT_CERTIFICATE_SECRET` is given together with `TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET`; choose by `TERMINATE_CLUSTERS_CREDENTIAL`: \"certificate\" uses the certificate, \"client-secret\" the secret"
        ]
    );
    let chosen = main.with("TERMINATE_CLUSTERS_CREDENTIAL", "certificate");
    let source = chosen.read().unwrap().principals.remove(0).source;
    assert_eq!(source.secret(), Some(&secret("c")));
}

#[test]
fn a_credential_that_lacks_its_parts_or_has_others_is_refused() {
    let line = |number| format!("terminate-clusters.toml, line {number}:");
    assert_eq!(
        only_b("credential = \"secret\"\ntenant_id = \"x\"\nmanaged_identity_client_id = \"me\"\n")
            .mistakes(),
        [
            format!(
                "{} `client_id` is missing in [[principal]]: its client id, the application's GUID; this or `client_id_secret`",
                line(1)
            ),
            format!(
                "{} `credential` is \"secret\"; write one of \"client-secret\", \"certificate\", \"managed-identity\", \"federated\"",
                line(3)
            ),
            format!(
                "{} `tenant_id` is no tenant id; write its GUID or the tenant's domain",
                line(4)
            ),
            format!(
                "{} `managed_identity_client_id` is no client id; write the GUID that the user-assigned identity shows as its client id",
                line(5)
            ),
        ]
    );
    let lacking = only_b(&format!(
        "{}client_secret_secret = \"s\"\ncredential = \"certificate\"\n",
        ids()
    ));
    let part = "`client_certificate_secret` is missing in [[principal]]: name of the certificate";
    assert!(lacking.mistakes()[0].contains(part));
    let beside = only_b(&format!("{}credential = \"managed-identity\"\n", ids())).mistakes();
    assert_eq!(beside.len(), 2);
    assert!(beside[0].contains("`tenant_id` is of no use to a managed identity"));
    assert!(beside[1].ends_with(
        "write \"federated\" for `credential` if the identity is to prove an application"
    ));
}

#[test]
fn drivers_that_would_be_asked_from_another_tenant_are_warned_of() {
    let other = "99999999-2222-3333-4444-555555555555";
    let policy = |spark: &str| {
        let away = principal_b()
            .replace("\"b\"", "\"away\"")
            .replace(TENANT, other);
        let users = workspaces(&[
            &format!("principal = \"b\"\n{spark}"),
            "principal = \"away\"",
        ]);
        let witness = "[witness.spark]\nprincipal = \"away\"\n";
        let setup = Setup::policy(&format!("{}{away}{witness}{users}", principal_b()));
        let names = ["TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"];
        let setup = names.iter().fold(setup, |setup, name| {
            setup.with(&format!("TERMINATE_CLUSTERS_{name}_SECRET"), "")
        });
        setup.read().unwrap().warnings
    };
    assert_eq!(
        policy(""),
        [
            "the drivers of workspace `w-0` would be asked as the principal `away`, which is of another tenant and will be refused; name one of the workspace's tenant as its `spark_principal`"
        ]
    );
    assert!(policy("spark_principal = \"b\"").is_empty());
}

#[test]
fn thousands_of_principals_and_wrong_names_are_refused_with_few_comparisons_and_short_lists() {
    const MANY: usize = 3000;
    let principals: String = (0..MANY)
        .map(|number| principal_b().replace("\"b\"", &format!("\"team-{number:04}\"")))
        .collect();
    let wrong: Vec<String> = (0..MANY)
        .map(|number| format!("principal = \"taem-{number:04}\""))
        .collect();
    let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
    let setup = Setup::policy(&format!("{principals}{}", workspaces(&wrong)));
    let mistakes = setup.mistakes();
    assert_eq!(
        mistakes.len(),
        101,
        "the hundred that are told, and that there are more"
    );
    let (more, told) = mistakes.split_last().unwrap();
    assert_eq!(more, "there are more than these 100 mistakes");
    // Three guesses cost three times as many comparisons as there are principals.
    for (number, mistake) in told[..3].iter().enumerate() {
        let guess = format!("did you mean `team-{number:04}`?");
        assert!(mistake.ends_with(&guess), "{mistake}");
    }
    for mistake in &told[3..] {
        let list = "known are `main`, `team-0000`, `team-0001`, `team-0002`, `team-0003`, \
            `team-0004`, `team-0005`, `team-0006`, `team-0007`, `team-0008` and 2991 more";
        assert!(mistake.ends_with(list), "{mistake}");
    }
}
