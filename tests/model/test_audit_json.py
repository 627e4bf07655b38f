"""audit.json as input: what is not an audit is said in one line."""

import pytest

from audits import l3_audit
from ecoaudit.errors import EcoauditError
from ecoaudit.model.audit_json import decode, encode


def test_an_audit_survives_its_json() -> None:
    assert decode(encode(l3_audit())) == l3_audit()


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"\xff\xfe", b'{"schema": "ecoaudit.audit/1"}', b'{"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"],
    ids=["empty", "a list", "not UTF-8", "incomplete", "nested beyond any stack"],
)
def test_what_is_no_audit_is_one_clear_line(data: bytes) -> None:
    with pytest.raises(EcoauditError, match="not an ecoaudit audit") as caught:
        decode(data, where="a.json")
    assert "\n" not in caught.value.line()


def test_another_schema_names_itself() -> None:
    data = encode(l3_audit()).replace(b"ecoaudit.audit/1", b"ecoaudit.audit/9")
    with pytest.raises(EcoauditError, match=r"ecoaudit\.audit/9"):
        decode(data)
