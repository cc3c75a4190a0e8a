"""The official Python SDK's client with a token that cannot grow: it lists the tools, so that it knows
their output schemas, calls one that is refused, and sees the words.

usage: words.py URL TOKEN    (of a server whose `on_denied` is "tool_error")
"""

import asyncio
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

URL, TOKEN = sys.argv[1:]


async def main():
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:
            tools = await client.list_tools()
            purge = next(tool for tool in tools.tools if tool.name == "purge_todos")
            assert purge.output_schema, "the schema is known"
            schemes = purge.meta["securitySchemes"]
            assert schemes == [{"type": "oauth2", "scopes": ["todo:write", "admin:access"]}], schemes
            told = await client.call_tool("purge_todos", {})
            assert told.is_error and told.structured_content is None, told
            assert told.content[0].text.startswith("Insufficient permissions"), told
            assert told.meta["scopeward/refusal"]["missing"] == ["admin:access"], told
            assert told.meta["mcp/www_authenticate"][0].startswith("Bearer error="), told
    print("ok words")


asyncio.run(main())
