"""AWS's configuration files: the same for us as for botocore."""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING

import pytest
from botocore import configloader
from botocore.exceptions import ConfigParseError
from hypothesis import given, settings, strategies as st

from irsa_creds import _ini

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "empty": "",
    "default": "[default]\nregion = eu-central-1\n",
    "profiles": '[profile a]\nx = 1\n[profile "b c"]\nY = 2\n[profile default]\nz = 3\n',
    "default and profile default": "[default]\na = 1\n[profile default]\nb = 2\n",
    "profile default and default": "[profile default]\nb = 2\n[default]\na = 1\n",
    "no name": "[profile]\na = 1\n[profile a b]\nb = 2\n[profile 'a]\nc = 3\n",
    "glued": "[profilex]\na = 1\n[services-x y]\nb = 2\n",
    "services": "[services s]\nsts =\n  endpoint_url = http://a=b\n\n  x=y\n",
    "SSO": "[sso-session t]\nu = v\n",
    "others": "[preview]\ncloudfront = true\n[plugins]\nx = y\n",
    "nested": "[default]\ns3 =\n  max = 3\n  addressing_style = path\n",
    "several lines": "[default]\na = 1\n  2\n  3\n",
    "percent": "[default]\na = %(b)s 100%\n",
    "comments": "# hello\n[default]\n; there\na = b # c\n",
    "BOM": "\ufeff[default]\na = 1\n",
    "no section": "a = 1\n",
    "torn": "[default\na = 1\n",
    "twice": "[default]\na = 1\na = 2\n",
    "section twice": "[default]\na = 1\n[default]\nb = 2\n",
    "no value": "[default]\na\n",
    "nested without value": "[default]\ns3 =\n  max\n",
    "interpolated default": "[DEFAULT]\na = 1\n[default]\nb = 2\n",
}


def same(path: Path) -> None:
    for name in ("load_config", "raw_config_parse"):
        try:
            theirs = getattr(configloader, name)(str(path))
        except ConfigParseError:
            with pytest.raises((configparser.Error, ValueError)):
                getattr(_ini, name)(str(path))
        else:
            assert getattr(_ini, name)(str(path)) == theirs


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_file_reads_as_for_botocore(content: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(content, encoding="utf-8")
    same(path)


def test_a_file_that_is_no_text_is_an_error_for_both(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"[default]\na = \xff\xfe\n")
    same(path)


LINES = st.sampled_from(
    [*{line for content in FILES.values() for line in content.splitlines()}, "", "  x = y", "="]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=8))
def test_so_does_any_other(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("ini") / "config"
    path.write_text("\n".join(lines), encoding="utf-8")
    same(path)


def test_variables_and_the_home_are_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[default]\na = 1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FILE", "config")
    assert _ini.load_config("~/$FILE")["profiles"] == {"default": {"a": "1"}}
