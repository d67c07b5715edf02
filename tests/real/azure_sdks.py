"""MSAL and the official Azure SDK for Python, unmodified, for tests/real_sdk.rs.

    azure_sdks.py msal TENANT CLIENT SECRET SCOPE...            a token for each scope
    azure_sdks.py msal-pem TENANT CLIENT PEM SCOPE              with key and certificate
    azure_sdks.py msal-pfx TENANT CLIENT PFX PASSWORD SCOPE     the same from PKCS#12
    azure_sdks.py msal-sha1 TENANT CLIENT PEM THUMBPRINT SCOPE  with key and SHA-1 thumbprint
    azure_sdks.py certificate TENANT CLIENT FILE SCOPE          azure-identity, PEM or PKCS#12
    azure_sdks.py federated TENANT CLIENT IDENTITY SCOPE        azure-identity, a managed identity as proof
    azure_sdks.py secret TENANT CLIENT SECRET VAULT NAME        a secret of a vault
    azure_sdks.py identity VAULT NAME [IDENTITY]                the same as managed identity
    azure_sdks.py version VAULT NAME VERSION                    one version of it
    azure_sdks.py versions VAULT NAME                           all versions, without values
    azure_sdks.py stored VAULT NAME                             a certificate of a vault, read as its secret

The outcome is one line of JSON on stdout. Nothing is judged here.
"""

import base64
import json
import pathlib
import sys

import msal
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
)
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12


def application(tenant, client, credential):
    return msal.ConfidentialClientApplication(
        client,
        client_credential=credential,
        authority=f"https://login.microsoftonline.com/{tenant}",
        instance_discovery=False,
    )


def tokens(tenant, client, secret, *scopes):
    application_ = application(tenant, client, secret)
    return [application_.acquire_token_for_client([scope]) for scope in scopes]


def token_by_pem(tenant, client, pem, scope):
    text = pathlib.Path(pem).read_text()
    credential = {"private_key": text, "public_certificate": text[text.index("-----BEGIN CERT") :]}
    return application(tenant, client, credential).acquire_token_for_client([scope])


def token_by_pfx(tenant, client, pfx, password, scope):
    credential = {"private_key_pfx_path": pfx, "passphrase": password}
    return application(tenant, client, credential).acquire_token_for_client([scope])


def token_by_sha1(tenant, client, pem, thumbprint, scope):
    credential = {"private_key": pathlib.Path(pem).read_text(), "thumbprint": thumbprint}
    return application(tenant, client, credential).acquire_token_for_client([scope])


def token_by_certificate(tenant, client, file, scope):
    # Otherwise the credential asks a list of authorities that the simulator does not have; so below.
    credential = CertificateCredential(tenant, client, file, disable_instance_discovery=True)
    return {"access_token": credential.get_token(scope).token}


def token_by_identity(tenant, client, identity, scope):
    managed = ManagedIdentityCredential(client_id=identity)
    proof = lambda: managed.get_token("api://AzureADTokenExchange/.default").token
    credential = ClientAssertionCredential(tenant, client, proof, disable_instance_discovery=True)
    return {"access_token": credential.get_token(scope).token}


def time(moment):
    return None if moment is None else int(moment.timestamp())


def shown(properties):
    return {
        "id": properties.id,
        "name": properties.name,
        "version": properties.version,
        "vault_url": properties.vault_url,
        "enabled": properties.enabled,
        "content_type": properties.content_type,
        "not_before": time(properties.not_before),
        "expires_on": time(properties.expires_on),
        "created_on": time(properties.created_on),
        "updated_on": time(properties.updated_on),
        "recovery_level": properties.recovery_level,
        "recoverable_days": properties.recoverable_days,
        "key_id": properties.key_id,
        "managed": properties._managed,
        "tags": properties.tags,
    }


def client_of(vault, credential=None):
    return SecretClient(vault, credential or ManagedIdentityCredential(), retry_total=0)


def secret_of(client, name, version=None):
    secret = client.get_secret(name, version)
    return {"value": secret.value, **shown(secret.properties)}


def read_secret(tenant, client, secret, vault, name):
    credential = ClientSecretCredential(tenant, client, secret, disable_instance_discovery=True)
    return secret_of(client_of(vault, credential), name)


def read_as_identity(vault, name, identity=None):
    return secret_of(client_of(vault, ManagedIdentityCredential(client_id=identity)), name)


def read_version(vault, name, version):
    return secret_of(client_of(vault), name, version)


def list_versions(vault, name):
    return [shown(version) for version in client_of(vault).list_properties_of_secret_versions(name)]


def stored_certificate(vault, name):
    secret = client_of(vault).get_secret(name)
    if secret.properties.content_type == "application/x-pkcs12":
        file = base64.b64decode(secret.value, validate=True)
        key, certificate, others = pkcs12.load_key_and_certificates(file, None)
    else:
        text = secret.value.encode()
        key = load_pem_private_key(text, None)
        certificate, *others = x509.load_pem_x509_certificates(text)
    return {
        "subject": certificate.subject.rfc4514_string(),
        "not_after": int(certificate.not_valid_after_utc.timestamp()),
        "is_pair": key.public_key() == certificate.public_key(),
        "others": len(others),
        **shown(secret.properties),
    }


WORK = {
    "msal": tokens,
    "msal-pem": token_by_pem,
    "msal-pfx": token_by_pfx,
    "msal-sha1": token_by_sha1,
    "certificate": token_by_certificate,
    "federated": token_by_identity,
    "secret": read_secret,
    "identity": read_as_identity,
    "version": read_version,
    "versions": list_versions,
    "stored": stored_certificate,
}

if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    try:
        outcome = {"answer": WORK[kind](*arguments)}
    except Exception as error:
        classes = [each.__name__ for each in type(error).__mro__]
        outcome = {"error": {"classes": classes, "message": str(error)}}
    print(json.dumps(outcome))
