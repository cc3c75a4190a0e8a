"""The official Python SDK's client at a server with tools that need no sign-in: it lists and calls
them without a token, signs in at the first tool that needs one, and goes on.

usage: anonymous.py URL
"""

import asyncio
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from person import Person, Storage
from sdk import sign_in_as

(URL,) = sys.argv[1:]


async def main():
    person = Person("Ada", ticks={"book:read"})
    auth = sign_in_as(person, URL, Storage(), grant_types=["authorization_code", "refresh_token"])
    async with httpx2.AsyncClient(auth=auth) as http:
        async with Client(streamable_http_client(URL, http_client=http)) as client:
            tools = await client.list_tools()
            assert [tool.name for tool in tools.tools] == ["opening_hours", "recommend"], tools
            hours = await client.call_tool("opening_hours", {})
            assert hours.content[0].text == "Monday to Friday, 9 to 17", hours
            assert person.offered == [], "nobody was asked to sign in"

            borrowed = await client.call_tool("borrowed", {})
            assert person.offered == [["book:read"]], person.offered
            assert borrowed.content[0].text == "ada has borrowed Persuasion", borrowed
            recommended = await client.call_tool("recommend", {})
            assert recommended.content[0].text == "For ada: Middlemarch", recommended
    print("ok python")


asyncio.run(main())
