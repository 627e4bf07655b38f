"""Which API addresses a token may be sent to."""

import urllib.parse
from ipaddress import ip_address

from ecoaudit.errors import EcoauditError

ALLOW_HTTP = "ECOAUDIT_ALLOW_HTTP"
"""Environment variable that allows plain http to a server that is not on this machine."""


def check_address(url: str, *, allow_http: bool) -> None:
    """Raise `EcoauditError` unless a token may be sent to `url`: https, or http on this machine or where allowed."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname and (allow_http or _is_loopback(parts.hostname)):
        return
    raise EcoauditError(
        f"the API address {url!r} would show the token to the network",
        where="GITHUB_API_URL",
        fix=f"use https, or set {ALLOW_HTTP}=true for a server on a trusted network",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
