"""A client's memory, and the person at the consent page, who reads the page, types a name, ticks
scopes, and sends the form, so that the redirect goes back to the client."""

import html
import re
import urllib.parse
import urllib.request


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs):
        return None


class Person:
    """A person who ticks each offered scope that is in `ticks`."""

    def __init__(self, name, ticks):
        self.name = name
        self.ticks = ticks
        self.offered = []  # the scopes that each consent page offered, in order
        self.pages = []
        self.answer = None

    def sign_in(self, authorization_url):
        opener = urllib.request.build_opener(NoRedirect)
        page = opener.open(authorization_url)
        text = page.read().decode()
        self.pages.append(text)
        cookie = page.headers["Set-Cookie"].split(";")[0]
        request = re.search(r'name="request" value="([^"]+)"', text)[1]
        offered = [html.unescape(s) for s in re.findall(r'name="scope" value="([^"]+)"', text)]
        self.offered.append(offered)
        form = [("request", request), ("name", self.name), ("action", "allow")]
        form += [("scope", scope) for scope in offered if scope in self.ticks]
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(authorization_url))
        post = urllib.request.Request(
            origin + "/oauth/authorize",
            data=urllib.parse.urlencode(form).encode(),
            headers={"Cookie": cookie, "Origin": origin},
        )
        try:
            opener.open(post)
            raise AssertionError("the consent form did not redirect")
        except urllib.error.HTTPError as redirect:
            assert redirect.code == 303, (redirect.code, redirect.read())
            location = redirect.headers["Location"]
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)
        self.answer = {name: values[0] for name, values in query.items()}


class Storage:
    """A client's memory, which ends with this process."""

    tokens = client_info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client_info

    async def set_client_info(self, client_info):
        self.client_info = client_info
