"""The official Databricks SDK for Python, unmodified, at the end of a pipe for tests/real_sdk.rs.

Each line on stdin is a call, {"call": NAME, "with": {ARGUMENT: VALUE}}, and each line on stdout its
outcome, {"answer": …} or {"error": …}. The call `login` makes the client; any other is the path of one
of its methods, such as `clusters.list`. What comes back is told as the SDK gives it: an object by its
class and its fields that are not None, an enumeration by class and member, an exception by its classes.
Nothing is judged here.
"""

import collections.abc
import dataclasses
import enum
import functools
import json
import sys
from datetime import timedelta

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.service.compute import (
    EventType,
    GetEventsOrder,
    ListClustersFilterBy,
    ListClustersSortBy,
)
from databricks.sdk.service.iam import AccessControlRequest, ComplexValue, Patch, PatchSchema
from databricks.sdk.service.jobs import RunType

# How arguments that are no plain values are made of JSON.
ARGUMENTS = {
    "filter_by": ListClustersFilterBy.from_dict,
    "sort_by": ListClustersSortBy.from_dict,
    "order": GetEventsOrder,
    "event_types": lambda names: [EventType(name) for name in names],
    "run_type": RunType,
    "access_control_list": lambda items: [AccessControlRequest.from_dict(item) for item in items],
    "entitlements": lambda items: [ComplexValue.from_dict(item) for item in items],
    "operations": lambda items: [Patch.from_dict(item) for item in items],
    "schemas": lambda names: [PatchSchema(name) for name in names],
    "timeout": lambda seconds: timedelta(seconds=seconds),
}


def described(value):
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if dataclasses.is_dataclass(value):
        fields = ((field.name, getattr(value, field.name, None)) for field in dataclasses.fields(value))
        told = {name: described(field) for name, field in fields if field is not None}
        return {"class": type(value).__name__, **told}
    if isinstance(value, dict):
        return {key: described(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, collections.abc.Iterator)):
        return [described(item) for item in value]
    return type(value).__name__


def refused(error):
    return {
        "classes": [each.__name__ for each in type(error).__mro__],
        "code": getattr(error, "error_code", None),
        "message": str(error),
    }


def main():
    client = None
    for line in sys.stdin:
        call = json.loads(line)
        name = call["call"]
        arguments = {key: ARGUMENTS.get(key, lambda it: it)(it) for key, it in call["with"].items()}
        try:
            if name == "login":
                client = WorkspaceClient(config=Config(**arguments))
                outcome = {"answer": client.config.auth_type}
            else:
                method = functools.reduce(getattr, name.split("."), client)
                outcome = {"answer": described(method(**arguments))}
        except Exception as error:
            outcome = {"error": refused(error)}
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
