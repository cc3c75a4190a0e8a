"""The authorization server of django-oauth-toolkit, set up for an MCP server: the tools' scopes, opaque
access tokens for the requested resource (RFC 8707), dynamic registration, PKCE, and a client that may
introspect tokens (RFC 7662). Prints its issuer and serves until it is killed.

usage: django_provider.py FOLDER CLIENT_ID CLIENT_SECRET
"""

import socketserver
import sys
import wsgiref.simple_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

folder, client_id, client_secret = sys.argv[1:]


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Quiet)
issuer = f"http://127.0.0.1:{server.server_port}"

LOGIN = '<form method="post">{% csrf_token %}{{ form.as_p }}</form>'

settings.configure(
    SECRET_KEY="for tests only",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/django.db"}
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    ("django.template.loaders.locmem.Loader", {"registration/login.html": LOGIN}),
                    "django.template.loaders.app_directories.Loader",
                ],
                "context_processors": ["django.template.context_processors.request"],
            },
        }
    ],
    LOGIN_URL="/login/",
    OAUTH2_PROVIDER={
        "SCOPES": {
            "todo:read": "See your todos",
            "todo:write": "Create and change your todos",
            "admin:access": "See and clear everyone's todos",
        },
        "OIDC_ISS_ENDPOINT": issuer,
        "PKCE_REQUIRED": True,
        "ALLOWED_SCHEMES": ["http", "https"],
        "ACCESS_TOKEN_EXPIRE_SECONDS": 600,
        "DCR_ENABLED": True,
        "DCR_REGISTRATION_PERMISSION_CLASSES": ("oauth2_provider.dcr.AllowAllDCRPermission",),
        "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": ["none", "client_secret_basic"],
        "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    },
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402: models can be imported only after the settings
from django.contrib.auth.views import LoginView  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider import urls as oauth2_urls  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402

urlpatterns = [
    path("login/", LoginView.as_view()),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    *oauth2_urls.metadata_urlpatterns,
]

call_command("migrate", verbosity=0)
User.objects.create_user("ada", password="any")
Application.objects.create(
    name="the server of the tools",
    client_id=client_id,
    client_secret=client_secret,
    client_type=Application.CLIENT_CONFIDENTIAL,
    authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
)
server.set_app(get_wsgi_application())
print(issuer, flush=True)
server.serve_forever()
