"""Serves the tool of the comparison behind FastMCP's own JWT verification and scope check, as the
documentation of FastMCP shows it."""

import json
import os

from fastmcp import FastMCP
from fastmcp.server.auth import require_scopes
from fastmcp.server.auth.providers.jwt import JWTVerifier

TODOS = {
    f"todo-{n}": {"id": f"todo-{n}", "title": f"Buy {n} stamps", "completed": n % 3 == 0}
    for n in range(100)
}

mcp = FastMCP(
    "todo",
    auth=JWTVerifier(
        public_key=os.environ["PUBLIC_KEY"],
        issuer=os.environ["ISSUER"],
        audience=os.environ["AUDIENCE"],
        algorithm="RS256",
    ),
)


@mcp.tool(auth=require_scopes("todo:read"), output_schema=None)
def get_todo(id: str) -> str:
    """Get one todo."""
    todo = TODOS.get(id)
    return json.dumps(todo, separators=(",", ":")) if todo else "not found"


if __name__ == "__main__":
    mcp.run(
        transport="http",
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        path="/mcp",
        stateless_http=True,
        json_response=True,
        show_banner=False,
        log_level="error",
        uvicorn_config={"access_log": False},
    )
