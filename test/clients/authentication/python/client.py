"""Calls an operation that requires a token."""

import os
from http import HTTPStatus

from petsage import AuthenticatedClient, Client, models
from petsage.api.owners import get_owner, register_owner

base_url = os.environ.get("PETSAGE_URL", "http://localhost:8000")


def expect(response, parsed, status):
    assert (response.status_code, response.parsed) == (status, parsed), response


expect(
    get_owner.sync_detailed(client=Client(base_url=base_url)),
    models.HTTPError(detail="Not authenticated"),
    HTTPStatus.UNAUTHORIZED,
)

client = AuthenticatedClient(base_url=base_url, token=os.environ["PETSAGE_TOKEN"])
expect(get_owner.sync_detailed(client=client), models.Owner(sub="alice"), HTTPStatus.OK)
expect(
    register_owner.sync_detailed(client=client),
    models.HTTPError(detail="Not enough permissions"),
    HTTPStatus.FORBIDDEN,
)
