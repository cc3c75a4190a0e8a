"""Signs in as the current SDK does, with a `person` in place of the browser."""

from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

CALLBACK = "http://localhost:9/callback"


def sign_in_as(person, url, storage, **metadata):
    async def redirect_handler(authorization_url):
        person.sign_in(authorization_url)

    async def callback_handler():
        answer = person.answer
        # `iss` may be missing, because not every provider names itself in its response (RFC 9207).
        return AuthorizationCodeResult(
            code=answer["code"], state=answer["state"], iss=answer.get("iss")
        )

    return OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(
            client_name="Python SDK", redirect_uris=[CALLBACK], **metadata
        ),
        storage=storage,
        redirect_handler=redirect_handler,
        callback_handler=callback_handler,
    )
