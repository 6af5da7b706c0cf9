"""The files in ``static/``, whose addresses change with their contents."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER = Path(__file__).resolve().parent / "static"

_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_OTHER = "text/plain; charset=utf-8"
_FOREVER = "public, max-age=31536000, immutable"


def static(name: str) -> str:
    """The address of a file of ``static/``."""
    return f"/static/{name}?v={_digest(files()[name])}"


@cache
def files() -> dict[str, bytes]:
    """All files, by name."""
    return {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.is_file()}


async def serve_file(request: Request) -> Response:
    """Answer with a file; it may be kept for ever under an address with its digest."""
    name = request.path_params["name"]
    content = files().get(name)
    if content is None:
        return PlainTextResponse("there is no such file\n", 404)
    kept = request.query_params.get("v") == _digest(content)
    headers = {"Cache-Control": _FOREVER if kept else "no-cache"}
    return Response(content, headers=headers, media_type=_KINDS.get(Path(name).suffix, _OTHER))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
