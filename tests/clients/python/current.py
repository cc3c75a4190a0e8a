"""The current version of the official Python SDK's client: discovery, registration, PKCE, consent,
calls, refusal and step-up.

usage: current.py URL MODE     (MODE: "legacy" for the initialize handshake, or a revision)
"""

import asyncio
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from person import Person, Storage
from sdk import sign_in_as

URL, MODE = sys.argv[1:]


async def main():
    person = Person("Ada", ticks={"todo:read"})
    storage = Storage()
    auth = sign_in_as(
        person,
        URL,
        storage,
        grant_types=["authorization_code", "refresh_token"],
    )
    async with httpx2.AsyncClient(auth=auth) as http:
        async with Client(streamable_http_client(URL, http_client=http), mode=MODE) as client:
            expected = "2025-11-25" if MODE == "legacy" else MODE
            assert client.protocol_version == expected, client.protocol_version

            # The first sign-in asks for the scopes that the 401 names. The person ticks one of two.
            tools = await client.list_tools()
            assert person.offered == [["todo:read", "todo:write"]], person.offered
            assert storage.tokens.scope == "todo:read", storage.tokens
            names = [tool.name for tool in tools.tools]
            assert names == ["get_todo", "list_todos", "todo_stats"], names

            listed = await client.call_tool("list_todos", {})
            assert not listed.is_error and listed.structured_content == {"todos": []}, listed

            # A call beyond the grant is challenged for exactly the missing scopes. The person says
            # no again, so the client gives up with the server's refusal.
            try:
                await client.call_tool("create_todo", {"title": "Buy milk"})
                raise AssertionError("create_todo was not refused")
            except AssertionError:
                raise
            except Exception as refusal:
                refused = refusal
            print("refused:", refused)
            assert len(person.offered) == 2, person.offered
            assert (await client.call_tool("list_todos", {})).structured_content == {"todos": []}

            # Now the person says yes, so the client steps up and the call goes through.
            person.ticks = {"todo:read", "todo:write"}
            created = await client.call_tool("create_todo", {"title": "Buy milk"})
            assert not created.is_error, created
            assert created.structured_content["title"] == "Buy milk", created
            assert set(storage.tokens.scope.split()) == {"todo:read", "todo:write"}

            # With todo:write, purge_todos lacks only a step-up scope, so it is listed with its scopes.
            tools = await client.list_tools(cache_mode="refresh")
            purge = next(tool for tool in tools.tools if tool.name == "purge_todos")
            assert purge.meta["scopeward/required_scopes"] == ["todo:write", "admin:access"], purge

            # A todo that does not exist is a tool error.
            missing = await client.call_tool("get_todo", {"id": "nope"})
            assert missing.is_error and missing.content[0].text == "Todo `nope` not found.", missing

            # One challenge names all scopes of the tool, so one more sign-in is enough.
            before = len(person.offered)
            person.ticks = {"todo:read", "todo:write", "admin:access"}
            purged = await client.call_tool("purge_todos", {})
            assert purged.structured_content == {"purged": 1}, purged
            assert len(person.offered) == before + 1, person.offered
            assert "admin:access" in person.offered[-1], person.offered
            stats = await client.call_tool("todo_stats", {})
            assert stats.structured_content["everyone"]["total"] == 0, stats
    print("ok", MODE)


asyncio.run(main())
