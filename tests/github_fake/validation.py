"""Holds every request and response against GitHub's OpenAPI description (the part in openapi.json)."""

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing.requests import MockRequest
from openapi_core.testing.responses import MockResponse

DESCRIPTION = Path(__file__).with_name("openapi.json")


@functools.cache
def description() -> dict[str, Any]:
    """Return the description as data."""
    return json.loads(DESCRIPTION.read_text(encoding="utf-8"))


@functools.cache
def _openapi() -> OpenAPI:
    return OpenAPI.from_dict(description())


def check_request(method: str, path: str, query: Mapping[str, str], body: bytes) -> list[str]:
    """Return what is wrong with a request."""
    return _errors(lambda: _openapi().validate_request(_request(method, path, query, body)), f"{method} {path}")


def check_response(
    method: str, path: str, query: Mapping[str, str], request_body: bytes, status: int, body: bytes
) -> list[str]:
    """Return what is wrong with an answer; a status that the description does not have is not checked."""
    if not _is_described(method, path, status):
        return []
    # Without a body (204, 302) there is nothing to check but the status, which the description has.
    if not body:
        return []
    request = _request(method, path, query, request_body)
    response = MockResponse(body, status, content_type="application/json")
    return _errors(lambda: _openapi().validate_response(request, response), f"{status} for {method} {path}")


def fill(name: str, overrides: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    """Return the smallest object that fits the schema `name`, with `overrides` in it."""
    schema = description()["components"]["schemas"][name]
    value = _filled({**schema, "nullable": False}, base_url)
    assert isinstance(value, dict)
    return {**value, **overrides}


def _filled(schema: Mapping[str, Any], base_url: str) -> Any:
    if "$ref" in schema:
        return _filled(description()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]], base_url)
    for word in ("allOf", "oneOf", "anyOf"):
        if word in schema:  # the validator takes null for none of the alternatives, nullable or not
            return _filled(schema[word][0], base_url)
    if schema.get("nullable"):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {key: _filled(properties.get(key, {}), base_url) for key in schema.get("required", ())}
        case "array":
            return []
        case "integer" | "number":
            return 1
        case "boolean":
            return False
        case "string":
            return {"uri": f"{base_url}/x", "date-time": "2026-01-01T00:00:00Z"}.get(schema.get("format", ""), "")
    return None


def _request(method: str, path: str, query: Mapping[str, str], body: bytes) -> MockRequest:
    # A template's {path} takes one segment, so the slashes of a path or ref are hidden.
    match = re.fullmatch(r"(/repos/[^/]+/[^/]+/(?:contents|git/ref)/)(.+)", path)
    if match:
        path = match[1] + match[2].replace("/", "%2F")
    return MockRequest("https://api.github.com", method, path, args=dict(query), data=body or None)


def _is_described(method: str, path: str, status: int) -> bool:
    for template, item in description()["paths"].items():
        pattern = re.sub(r"(contents/|git/ref/)\\\{[a-z]+\\\}$", r"\1.+", re.escape(template))
        pattern = re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", pattern)
        if re.fullmatch(pattern, path) and method.lower() in item:
            return str(status) in item[method.lower()]["responses"]
    return False


def _errors(check: Any, what: str) -> list[str]:
    try:
        check()
    except OpenAPIError as error:
        cause = error.__cause__
        details = getattr(cause, "schema_errors", None) or [cause or error]
        return [f"{what}: {' '.join(str(detail).split())[:300]}" for detail in details]
    return []
