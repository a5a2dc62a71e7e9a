"""Sign-in: required if it is configured, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config
from streamlit.testing.v1 import AppTest

from regviz.ui import signin

SECRETS = """
[auth]
redirect_uri = "http://localhost:8501/oauth2callback"
cookie_secret = "made up"
client_id = "regviz"
client_secret = "made up"
server_metadata_url = "http://localhost:1/openid-configuration"
"""


def script() -> None:
    import streamlit as st

    from regviz.ui import signin

    signin.required()
    st.text("inside")


def visit(user: dict[str, object]) -> AppTest:
    at = AppTest.from_function(script, default_timeout=60)
    at.user = user
    return at.run()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the path of the secrets file."""
    path = tmp_path / "secrets.toml"
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(path)])
    st.secrets._reset()
    signin._is_set_up.clear()
    yield path
    config.set_option("secrets.files", before)
    st.secrets._reset()
    signin._is_set_up.clear()


@pytest.mark.parametrize("text", [None, "other = 1\n"])
def test_nobody_is_asked_where_it_is_not_set_up(file: Path, text: str | None) -> None:
    if text is not None:
        file.write_text(text)
    at = visit({})
    assert [t.value for t in at.text] == ["inside"]
    assert not at.button


def test_who_has_not_signed_in_sees_a_button_and_nothing_else(file: Path) -> None:
    file.write_text(SECRETS)
    at = visit({"is_logged_in": False})
    assert [b.label for b in at.button] == ["Sign in"]
    assert not at.text
    at = visit({"is_logged_in": True, "email": "student@school.example"})
    assert [t.value for t in at.text] == ["inside"]
    assert not at.button


def test_a_file_that_cannot_be_read_lets_nobody_in(file: Path) -> None:
    file.write_text("[auth\n")
    at = visit({"is_logged_in": False})
    assert not at.text
    assert at.exception
