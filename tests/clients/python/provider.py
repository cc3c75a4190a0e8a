"""The official Python SDK's client with tokens of an external provider: discovery across two servers,
registration, PKCE, sign-in and consent at the provider, a call, and a step-up.

usage: provider.py URL
"""

import asyncio
import html.parser
import http.cookiejar
import sys
import urllib.parse
import urllib.request

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from person import NoRedirect, Storage
from sdk import CALLBACK, sign_in_as

URL = sys.argv[1]


class Form(html.parser.HTMLParser):
    """The last form of a page, as Ada fills it in."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = "", {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        name = attributes.get("name")
        if tag == "form":
            self.action, self.fields = attributes.get("action", ""), {}
        elif tag == "input" and name:
            self.fields[name] = attributes.get("value", "")
            if name in ("login", "username"):
                self.fields[name] = "ada"
            elif name == "password":
                self.fields[name] = "any"


class Person:
    """A person who signs in at the provider's own pages, and consents to all requested scopes."""

    def __init__(self):
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(NoRedirect, jar)
        self.asked = []
        self.answer = None

    def open(self, url, form=None):
        """Follows redirects until there is a page to read, or a redirect back to the client."""
        data = form and urllib.parse.urlencode(form).encode()
        while True:
            try:
                page = self.opener.open(url, data=data)
                return page.geturl(), page.read().decode()
            except urllib.error.HTTPError as redirect:
                assert redirect.code in (302, 303), (redirect.code, redirect.read())
                url, data = urllib.parse.urljoin(url, redirect.headers["Location"]), None
            if url.startswith(CALLBACK):
                return url, None

    def sign_in(self, url):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
        self.asked.append(set(query["scope"][0].split()))
        url, page = self.open(url)
        while page is not None:
            form = Form(page)
            assert form.fields, page
            url, page = self.open(urllib.parse.urljoin(url, form.action), form.fields)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
        self.answer = {name: values[0] for name, values in query.items()}
        assert "code" in self.answer, self.answer


async def main():
    person, storage = Person(), Storage()
    auth = sign_in_as(
        person,
        URL,
        storage,
        grant_types=["authorization_code"],
        application_type="native",
        token_endpoint_auth_method="none",
    )
    async with httpx2.AsyncClient(auth=auth) as client_http:
        transport = streamable_http_client(URL, http_client=client_http)
        async with Client(transport, mode="2026-07-28") as client:
            created = await client.call_tool("create_todo", {"title": "Buy milk"})
            assert created.structured_content["title"] == "Buy milk", created
            assert person.asked[0] >= {"todo:read", "todo:write"}, person.asked
            assert "admin:access" not in person.asked[0], person.asked

            purged = await client.call_tool("purge_todos", {})
            assert purged.structured_content == {"purged": 1}, purged
            assert len(person.asked) == 2 and "admin:access" in person.asked[1], person.asked
    print("ok provider")


asyncio.run(main())
