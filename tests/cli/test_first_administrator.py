"""A service has an administrator after its first start, whatever was done in its folder before."""

from __future__ import annotations

import re

import pytest

from tests.serving import Serve, tocsin

_ADD_ADMIN = ["users", "add", "ann", "--role", "admin"]


@pytest.mark.parametrize(
    ("before", "made", "warned"),
    [
        ([], True, False),
        ([["users", "add", "ann", "--role", "analyst"]], True, False),
        ([["rules", "import", "--bundled"]], True, False),
        ([["keys", "add", "shipper", "--scope", "ingest"]], True, False),
        ([_ADD_ADMIN], False, False),
        ([["users", "add", "admin", "--role", "viewer"]], False, True),
        ([["users", "add", "admin", "--role", "admin"], ["users", "add", "bob"]], False, False),
        (
            [
                ["users", "add", "admin", "--role", "admin"], _ADD_ADMIN,
                ["users", "change", "admin", "--disable"],
            ],
            False, False,
        ),
    ],
)  # fmt: skip
def test_the_first_start_makes_an_admin_unless_one_may_sign_in(before, made, warned, tmp_path):
    for command in before:
        assert tocsin(*command, data=tmp_path).returncode == 0
    with Serve(tmp_path) as service:
        assert ("this start has made `admin`" in service.text) == made
        assert ("no user who may sign in has the role admin" in service.text) == warned
    listed = tocsin("users", "list", data=tmp_path).stdout
    assert bool(re.search(r"admin +yes", listed)) != warned
    with Serve(tmp_path) as service:
        assert "this start has made `admin`" not in service.text


@pytest.mark.parametrize(
    ("role", "hint"),
    [("viewer", "`tocsin users add admin --role admin` adds one"), ("admin", "`tocsin users list` names them")],
)
def test_a_password_of_nobody_tells_how_to_get_a_user(role, hint, tmp_path):
    tocsin("users", "add", "ann", "--role", role, data=tmp_path)
    done = tocsin("users", "password", "admin", data=tmp_path, input="a long enough password\n")
    assert done.returncode == 2
    assert "no user called `admin`" in done.stderr
    assert hint in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--role", "engineer"], 0, "ann has the role engineer and may sign in"),
        (["--disable"], 0, "ann has the role viewer and may not sign in"),
        ([], 2, "nothing to change"),
    ],
)
def test_a_change_of_a_user_is_confirmed(options, code, told, tmp_path):
    tocsin("users", "add", "ann", data=tmp_path)
    done = tocsin("users", "change", "ann", *options, data=tmp_path)
    assert done.returncode == code
    assert told in done.stdout + done.stderr
