"""The current version of the official Python SDK's client, in six programs that share one sign-in:
their access token has expired, and each of them refreshes with the same refresh token at once.

usage: refresh.py URL
"""

import asyncio
import sys
import urllib.parse

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from person import Person, Storage
from sdk import sign_in_as

URL = sys.argv[1]
PROGRAMS = 6
METADATA = {"grant_types": ["authorization_code", "refresh_token"]}


async def list_todos(auth, seen):
    async def note(response):
        await response.aread()
        form = urllib.parse.parse_qs((await response.request.aread()).decode(errors="replace"))
        if form.get("grant_type") == ["refresh_token"]:
            seen.append((response.status_code, form["refresh_token"][0], response.text))

    async with httpx2.AsyncClient(auth=auth, event_hooks={"response": [note]}) as http:
        async with Client(streamable_http_client(URL, http_client=http), mode="2026-07-28") as client:
            listed = await client.call_tool("list_todos", {})
            assert not listed.is_error, listed


async def main():
    person = Person("Ada", ticks={"todo:read"})
    storage = Storage()
    auth = sign_in_as(person, URL, storage, **METADATA)
    seen = []
    await list_todos(auth, seen)
    assert not seen and len(person.offered) == 1, (seen, person.offered)

    async def program():
        """One more program, which has read the sign-in and the metadata from disk."""
        own = Storage()
        own.tokens, own.client_info = storage.tokens, storage.client_info
        auth_of = sign_in_as(person, URL, own, **METADATA)
        await auth_of._initialize()
        for known in ("oauth_metadata", "protected_resource_metadata", "auth_server_url"):
            setattr(auth_of.context, known, getattr(auth.context, known))
        auth_of.context.token_expiry_time = 1
        return auth_of, own

    programs = [await program() for _ in range(PROGRAMS)]
    await asyncio.gather(*(list_todos(auth_of, seen) for auth_of, _ in programs))
    assert len(seen) == PROGRAMS, seen
    assert all(status == 200 for status, _, _ in seen), seen
    assert len({sent for _, sent, _ in seen}) == 1, "one refresh token for all"
    assert len(person.offered) == 1, "nobody had to sign in again"

    # The sign-in lives on: each program refreshes once more, with what it was given.
    for auth_of, own in programs:
        auth_of.context.token_expiry_time = 1
        again = []
        await list_todos(auth_of, again)
        assert [status for status, _, _ in again] == [200], again
    assert len(person.offered) == 1, person.offered
    print("ok refresh")


asyncio.run(main())
