//! What an operator can do about a refusal, by Entra's error numbers.
//!
//! The numbers are those of Microsoft's reference of AADSTS codes. Where a number
//! concerns what proves us, the sentence names the secret that holds it. Pure.

use super::super::{Application, CredentialSource};
use crate::cloud::{self, Cloud};

/// What happened and what to do about it, by Entra's error numbers.
pub(super) fn refusal(
    cloud: &Cloud,
    application: &Application,
    aadsts: Option<u32>,
    status: u16,
    words: &str,
) -> String {
    let Some(aadsts) = aadsts else {
        return format!("Entra refused the service principal (HTTP {status}){words}");
    };
    let advice = of_credential(&application.credential, cloud, aadsts)
        .or_else(|| of_ids(application, cloud, aadsts))
        .unwrap_or_else(|| {
            words
                .trim_start_matches(": ")
                .trim_start_matches(&format!("AADSTS{aadsts}: "))
                .to_owned()
        });
    format!("Entra refused the service principal (AADSTS{aadsts}): {advice}")
}

fn of_ids(application: &Application, cloud: &Cloud, aadsts: u32) -> Option<String> {
    let Application {
        tenant_id,
        client_id,
        ..
    } = application;
    let name = cloud.name();
    Some(match aadsts {
        700_016 => format!(
            "the tenant has no such application; check the client id in {client_id} and the tenant id in {tenant_id}"
        ),
        7_000_229 => format!(
            "the application has no service principal in this tenant; an administrator creates it with `az ad sp create --id <client id>`, or check the tenant id in {tenant_id}"
        ),
        90_002 | 900_023 | 900_021 => format!(
            "there is no such tenant in the {name} cloud; check the id in {tenant_id}, and {}",
            cloud::SETTING
        ),
        900_382 => format!(
            "the application is none of the {name} cloud's; check {}",
            cloud::SETTING
        ),
        7_000_112 => "the application is disabled; enable its service principal in Entra".into(),
        500_011 => format!(
            "the tenant does not know the service that the token is for; check the tenant id in {tenant_id}"
        ),
        53_003 => {
            "a Conditional Access policy blocks the service principal; exempt it or allow this network"
                .into()
        }
        _ => return None,
    })
}

fn of_credential(credential: &CredentialSource, cloud: &Cloud, aadsts: u32) -> Option<String> {
    match credential {
        CredentialSource::ClientSecret(name) => match aadsts {
            7_000_215 => Some(format!(
                "the client secret is wrong; store its value, not its id, in secret `{name}`"
            )),
            7_000_222 => Some(format!(
                "the client secret has expired; create a new one and store it in secret `{name}`"
            )),
            _ => None,
        },
        CredentialSource::Certificate(name) => match aadsts {
            700_027 | 700_030 | 50_012 => Some(format!(
                "the application does not know the certificate in secret `{name}`, or no longer; register it with the application (its public part, without the key)"
            )),
            700_024 | 700_023 | 50_027 => Some(format!(
                "the assertion signed with the certificate in secret `{name}` is not valid now; correct this machine's clock"
            )),
            7_000_222 => Some(format!(
                "the certificate in secret `{name}` has expired; renew it and register the new one with the application"
            )),
            _ => None,
        },
        CredentialSource::Federated => {
            let audience = cloud.token_exchange_audience();
            match aadsts {
                70_021 | 700_211 | 700_212 | 700_213 | 700_223 | 700_238 => Some(format!(
                    "the application does not trust the Function App's managed identity; add a federated credential to it with the issuer {}/<tenant id of the identity>/v2.0, the identity's object id as subject, and the audience {audience}",
                    cloud.authority()
                )),
                700_024 => Some(
                    "the managed identity's token is not valid now; try again, or correct this machine's clock"
                        .into(),
                ),
                50_013 | 700_027 => Some(
                    "the managed identity's token was not accepted; the identity must be of the same cloud as the application"
                        .into(),
                ),
                _ => None,
            }
        }
    }
}
