"""The official Python SDK's client for revision 2025-06-18: discovery, registration, PKCE, consent and
calls. This client cannot step up.

usage: y2025.py URL
"""

import asyncio
import sys

from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamablehttp_client
from mcp.shared.auth import OAuthClientMetadata

from person import Person, Storage

URL = sys.argv[1]


async def main():
    person = Person("Grace", ticks={"todo:write"})

    async def redirect_handler(url):
        person.sign_in(url)

    async def callback_handler():
        return person.answer["code"], person.answer["state"]

    auth = OAuthClientProvider(
        server_url=URL,
        client_metadata=OAuthClientMetadata(
            client_name="Python SDK of 2025",
            redirect_uris=["http://localhost:9/callback"],
            grant_types=["authorization_code", "refresh_token"],
        ),
        storage=Storage(),
        redirect_handler=redirect_handler,
        callback_handler=callback_handler,
    )
    async with streamablehttp_client(URL, auth=auth) as (read, write, _):
        async with ClientSession(read, write) as session:
            started = await session.initialize()
            assert started.protocolVersion == "2025-06-18", started
            assert started.serverInfo.name == "todo", started
            created = await session.call_tool("create_todo", {"title": "Write a compiler"})
            assert created.structuredContent["title"] == "Write a compiler", created
            # todo:write implies todo:read.
            listed = await session.call_tool("list_todos", {})
            assert len(listed.structuredContent["todos"]) == 1, listed
    print("ok 2025-06-18")


asyncio.run(main())
