"""MSAL and the official Azure SDK for Python, unmodified, for tests/real_sdk.rs.

    azure_sdks.py msal TENANT CLIENT SECRET SCOPE...          a token for each scope
    azure_sdks.py secret TENANT CLIENT SECRET VAULT NAME      a secret of a vault
    azure_sdks.py identity VAULT NAME                         the same as managed identity

The outcome is one line of JSON on stdout. Nothing is judged here.
"""

import json
import sys

import msal
from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient


def tokens(tenant, client, secret, *scopes):
    application = msal.ConfidentialClientApplication(
        client,
        client_credential=secret,
        authority=f"https://login.microsoftonline.com/{tenant}",
        instance_discovery=False,
    )
    return [application.acquire_token_for_client([scope]) for scope in scopes]


def secret_of(credential, vault, name):
    secret = SecretClient(vault, credential, retry_total=0).get_secret(name)
    return {"value": secret.value, "name": secret.name, "enabled": secret.properties.enabled}


def read_secret(tenant, client, secret, vault, name):
    # Otherwise the credential asks a list of authorities that the simulator does not have.
    credential = ClientSecretCredential(tenant, client, secret, disable_instance_discovery=True)
    return secret_of(credential, vault, name)


def read_as_identity(vault, name):
    return secret_of(ManagedIdentityCredential(), vault, name)


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    work = {"msal": tokens, "secret": read_secret, "identity": read_as_identity}[kind]
    try:
        outcome = {"answer": work(*arguments)}
    except Exception as error:
        classes = [each.__name__ for each in type(error).__mro__]
        outcome = {"error": {"classes": classes, "message": str(error)}}
    print(json.dumps(outcome))
