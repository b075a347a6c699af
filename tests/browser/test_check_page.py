"""The page "Check a trust policy" in Chromium: what it says, and what it does not do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from diagnosis.collected import sound_policies, wrong_policies
from diagnosis.collected.shapes import jwt
from diagnosis.explain import (
    test_misconfigured_policies as misconfigured,
    test_sound_policies as sound,
)
from irsa_creds.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from browser.chromium import Chromium
    from browser.conftest import OtherHost
    from browser.page import CheckPage

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

SECRET = "c2lnbmF0dXJl-that-nobody-else-may-see"
TOKEN = misconfigured.jwt(misconfigured.POD).rpartition(".")[0] + f".{SECRET}"
POLICY = json.dumps(misconfigured.one())
TYPO = json.dumps(misconfigured.subject("system:serviceaccount:prdo:reader"))
ACCOUNT = {"issuer": misconfigured.ISSUER, "audience": misconfigured.STS, "role": ""}
FIELDS = ["issuer", "identity", "issuer", "audience", "role", "policy"]


def table() -> list[tuple[str, str, str]]:
    """The policy, the token and the role of each row of explain's tables."""
    tables = (
        misconfigured.DENIED,
        misconfigured.STRANGE,
        misconfigured.OPEN,
        misconfigured.UNDECIDED,
    )
    rows = [
        (policy, misconfigured.jwt(claims), misconfigured.ROLE)
        for table in tables
        for policy, claims in ((row[3], row[4] if row[4:] else misconfigured.POD) for row in table)
    ]
    for _, policy, *rest in sound.SOUND:
        defaults: tuple[Any, ...] = (sound.EKS, {}, "aws")
        provider, claims, partition = (*rest, *defaults[len(rest) :])
        token = {"iss": f"https://{provider}", "sub": sound.READER, "aud": [sound.STS]} | claims
        role = f"arn:{partition}:iam::{sound.ACCOUNT}:role/reader"
        rows.append((policy, sound.jwt(token), role))
    rows += [
        (case.policy, jwt(case.token), case.role or "")
        for case in (*sound_policies.SOUND, *wrong_policies.WRONG)
    ]
    return [
        (policy if isinstance(policy, str) else json.dumps(policy), token, role)
        for policy, token, role in rows
    ]


class CommandLine:
    """`irsa-creds explain` with files in a directory."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def explain(self, policy: str, *options: str) -> dict[str, Any]:
        """Return the JSON, with the corrected policy as text."""
        given, fixed = self._folder / "policy.json", self._folder / "fixed.json"
        given.write_text(policy)
        fixed.unlink(missing_ok=True)
        main(["--json", "explain", "--policy", str(given), "--fixed", str(fixed), *options])
        found: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return {**found, "fixed": fixed.read_text() if fixed.exists() else None}

    def with_token(self, policy: str, token: str, role: str) -> dict[str, Any]:
        file = self._folder / "token"
        file.write_text(token)
        known = ["--role-arn", role] if role else []
        return self.explain(policy, "--token", str(file), *known)


@pytest.fixture
def command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    monkeypatch.delenv("AWS_ROLE_ARN", raising=False)
    return CommandLine(tmp_path, capsys)


def of_browser(shown: dict[str, Any]) -> dict[str, Any]:
    fields = {name: shown[name] for name in ("notes", "findings", "fixed")}
    return {"verdict": verdict_of(shown), **fields}


def verdict_of(shown: dict[str, Any]) -> str:
    """Return the first word of the page's first line."""
    summary: str = shown["summary"]
    return summary.split(maxsplit=1)[0].lower()


def of_command_line(found: dict[str, Any]) -> dict[str, Any]:
    """Return the same fields; the page marks the statement, and does not number it."""
    findings = [
        {name: value for name, value in each.items() if name != "statement"}
        for each in found["findings"]
    ]
    return {
        "verdict": found["verdict"],
        "notes": found["notes"],
        "findings": findings,
        "fixed": found["fixed"],
    }


def test_the_page_says_of_each_token_what_the_command_line_says(
    page: CheckPage, command_line: CommandLine
) -> None:
    rows = table()
    assert len(rows) >= 400
    for policy, token, role in rows:
        shown = page.check(policy, token, role=role)
        found = command_line.with_token(policy, token, role)
        assert of_browser(shown) == of_command_line(found), policy
    assert page.tab.complaints() == []


@pytest.mark.parametrize(
    "identity", ["prod/reader", " system:serviceaccount:prod:reader\n"], ids=["name", "subject"]
)
@pytest.mark.parametrize("policy", [POLICY, TYPO], ids=["sound", "typo"])
def test_the_page_says_of_a_service_account_what_the_command_line_says(
    page: CheckPage, command_line: CommandLine, policy: str, identity: str
) -> None:
    shown = page.check(policy, identity, **ACCOUNT)
    options = ("--service-account", "prod/reader", "--issuer", misconfigured.ISSUER)
    assert of_browser(shown) == of_command_line(command_line.explain(policy, *options))


@pytest.mark.parametrize(
    ("issuer", "host", "subject"),
    [
        ("github", "token.actions.githubusercontent.com", "repo:acme/app:ref:refs/heads/main"),
        ("gitlab", "gitlab.com", "project_path:acme/app:ref_type:branch:ref:main"),
    ],
)
def test_the_choice_of_an_issuer_fills_in_issuer_and_audience(
    page: CheckPage, command_line: CommandLine, issuer: str, host: str, subject: str
) -> None:
    audience = page.tab.run(
        f"document.querySelector('[value={issuer}]').click();"
        "return document.getElementById('audience').value;"
    )
    policy = misconfigured.of(host, StringEquals={"sub": subject, "aud": audience})
    shown = page.check(json.dumps(policy), subject)
    assert (shown["tone"], shown["findings"]) == ("allow", [])
    for given in subject, f"{subject}-2":
        found = command_line.explain(json.dumps(policy), "--subject", given)
        assert of_browser(page.check(json.dumps(policy), given)) == of_command_line(found)


def test_the_statement_to_look_at_is_marked(page: CheckPage) -> None:
    for denial, marked in (("Allow", 0), ("Deny", 1)):
        statements = misconfigured.subject("system:serviceaccount:prod:reader")["Statement"]
        second = statements[0] | {"Effect": denial, "Sid": "Second"}
        shown = page.check(json.dumps({"Statement": [*statements, second]}), TOKEN)
        assert json.loads(shown["marked"].rstrip(",\n")) == [*statements, second][marked]


@pytest.mark.parametrize(
    ("policy", "identity", "says"),
    [
        ("{", "prod/reader", "The policy is not JSON"),
        (POLICY, "eyJ.a.b", "is not a JWT"),
        (POLICY, "Prod/Reader", "use NAMESPACE/NAME"),
    ],
)
def test_what_cannot_be_checked_is_said(
    page: CheckPage, policy: str, identity: str, says: str
) -> None:
    shown = page.check(policy, identity, **ACCOUNT)
    assert (shown["tone"], shown["summary"]) == ("error", "Not checked")
    assert says in shown["error"]


def test_an_allowed_token_is_green_only_without_a_warning(page: CheckPage) -> None:
    expired = misconfigured.jwt(misconfigured.POD | {"exp": 1_000_000_000})
    broad = json.dumps(misconfigured.subject("system:serviceaccount:*", "StringLike"))
    shown = [page.check(POLICY, TOKEN), page.check(POLICY, expired), page.check(broad, TOKEN)]
    assert {verdict_of(each) for each in shown} == {"allow"}
    assert [each["tone"] for each in shown] == ["allow", "unknown", "unknown"]


def test_what_was_pasted_is_never_read_as_html(page: CheckPage) -> None:
    image = '<img src="x" onerror="window.hacked = true">'
    policy = misconfigured.subject(f"{image}2") | {"Id": image}
    shown = page.check(json.dumps(policy), misconfigured.jwt(misconfigured.POD | {"sub": image}))
    assert image in shown["findings"][0]["message"]
    found = page.tab.run("return [document.querySelectorAll('#result img').length, window.hacked]")
    assert found == [0, None]


def test_the_page_contacts_no_other_host_and_keeps_no_token(new_page: CheckPage) -> None:
    page = new_page
    page.open()
    assert page.check(TYPO, TOKEN)["tone"] == "deny"
    stored = page.tab.run(
        "return [location.href, document.cookie, JSON.stringify({...localStorage}), "
        "JSON.stringify({...sessionStorage}), await indexedDB.databases(), await caches.keys(), "
        "history.state]"
    )
    assert stored == [page.address, "", "{}", "{}", [], [], None]
    site = page.address.removesuffix("check-trust-policy.html")
    requests = page.tab.requests()
    assert any(each.endswith("pyodide.asm.wasm") for each in requests)
    assert all(each.startswith((site, "data:image/svg+xml")) for each in requests)
    assert not any(SECRET in each for each in requests)
    assert page.tab.complaints() == []


# Each returns whether it was blocked.
WAYS = {
    "fetch": "return await fetch(given[0]).then(() => false, () => true)",
    "image": "return await new Promise((done) => Object.assign(new Image(), {"
    "src: given[0], onload: () => done(false), onerror: () => done(true)}))",
    "module": "return await import(given[0]).then(() => false, () => true)",
    "script": "return await new Promise((done) => document.body.append(Object.assign("
    "document.createElement('script'), {src: given[0], onload: () => done(false), "
    "onerror: () => done(true)})))",
    "socket": "return await new Promise((done) => Object.assign(new WebSocket("
    "given[0].replace('http', 'ws')), {onopen: () => done(false), onerror: () => done(true)}))",
    "frame": "return await new Promise((done) => { addEventListener('securitypolicyviolation', "
    "() => done(true)); document.body.append(Object.assign(document.createElement('iframe'), "
    "{src: given[0]})) })",
    "form": "return await new Promise((done) => { addEventListener('securitypolicyviolation', "
    "() => done(true)); const form = Object.assign(document.createElement('form'), "
    "{action: given[0], method: 'post'}); document.body.append(form); form.submit() })",
    "beacon": "return await new Promise((done) => { addEventListener('securitypolicyviolation', "
    "() => done(true)); navigator.sendBeacon(given[0], 'token') })",
    "eval": "try { eval('1'); return false } catch { return true }",
}


def test_the_policy_blocks_every_way_to_another_host(
    new_page: CheckPage, other_host: OtherHost
) -> None:
    new_page.open()
    for number, (way, script) in enumerate(WAYS.items(), 1):
        assert new_page.tab.run(script, f"{other_host.address}/{way}"), way
        by_policy = [each for each in new_page.tab.complaints() if "Content Security" in each]
        assert len(by_policy) >= number, way
    assert other_host.requests == []


def test_the_policy_has_no_exception_but_for_webassembly(page: CheckPage) -> None:
    policy = page.tab.run("return document.querySelector('meta[http-equiv]').content")
    assert "default-src 'self'" in policy
    assert re.findall(r"'unsafe-\w+|'(?!self|none)[\w-]+'|https?:", policy) == [
        "'wasm-unsafe-eval'"
    ]


def test_without_python_the_page_names_the_command_line(new_page: CheckPage) -> None:
    new_page.tab.call("Network.setBlockedURLs", urls=["*/pyodide/*"])
    assert "irsa-creds explain says the same" in new_page.open()
    assert new_page.tab.run("return document.querySelector('#check [type=submit]').disabled")


def press(page: CheckPage, key: str, *, modifiers: int = 0) -> None:
    codes = {"Tab": 9, "Enter": 13, "ArrowRight": 39}
    typed = {"text": "\r"} if key == "Enter" else {}
    for kind in "keyDown", "keyUp":
        page.tab.call(
            "Input.dispatchKeyEvent",
            type=kind,
            key=key,
            code=key,
            windowsVirtualKeyCode=codes[key],
            modifiers=modifiers,
            **(typed if kind == "keyDown" else {}),
        )


def focused(page: CheckPage) -> str:
    found: str = page.tab.run(
        "const at = document.activeElement; return at.id || at.value || at.textContent"
    )
    return found


def test_the_keyboard_is_enough(page: CheckPage) -> None:
    page.check(TYPO, "prod/reader", **ACCOUNT)
    page.tab.run("document.querySelector('[value=eks]').focus()")
    press(page, "ArrowRight")
    assert focused(page) == "github"
    visited = []
    for _ in range(7):
        press(page, "Tab")
        visited.append(focused(page))
    assert visited == ["identity", "issuer", "audience", "role", "policy", "Check", "example"]
    press(page, "Enter")  # the example
    page.tab.run("document.getElementById('policy').focus()")
    press(page, "Enter", modifiers=2)  # with Control
    assert focused(page) == "result"
    assert page.tab.run("return document.querySelector('.verdict').innerText").startswith("DENY")
    # The first link of the result is next.
    press(page, "Tab")
    assert focused(page) == "P04"


def test_the_corrected_policy_can_be_copied(page: CheckPage, chromium: Chromium) -> None:
    allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    chromium.call("Browser.grantPermissions", permissions=allowed)
    page.tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
    shown = page.check(TYPO, TOKEN)
    copied = page.tab.run(
        "const button = document.querySelector('.fixed .copy'); button.click();"
        "const wait = (done) => button.textContent === 'Copy' ? setTimeout(wait, 5, done) : done();"
        "await new Promise(wait); return await navigator.clipboard.readText()"
    )
    assert json.loads(copied) == json.loads(shown["fixed"]) != json.loads(TYPO)


# The smallest ratio of contrast among the texts that are on the screen, by WCAG 2.2, 1.4.3.
CONTRAST = """
const light = ([r, g, b]) => {
  const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const [x, y, z] = [r, g, b].map((c) => linear(c / 255));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const parts = (color) => color.match(/[\\d.]+/g).map(Number);
const behind = (element) => {
  const color = parts(getComputedStyle(element).backgroundColor);
  return color[3] === 0 ? behind(element.parentElement) : color;
};
let least = [21, ""];
for (const element of document.querySelectorAll("#check *, #result *")) {
  const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!text || !element.checkVisibility()) continue;
  const [a, b] = [light(parts(getComputedStyle(element).color)), light(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < least[0]) least = [ratio, element.outerHTML.slice(0, 80)];
}
return least;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("policy", [POLICY, TYPO], ids=["allow", "deny"])
def test_every_text_can_be_read_in_both_color_schemes(
    page: CheckPage, scheme: str, policy: str
) -> None:
    preferred = {"name": "prefers-color-scheme", "value": scheme}
    page.tab.call("Emulation.setEmulatedMedia", features=[preferred])
    page.check(policy, TOKEN)
    least, where = page.tab.run(CONTRAST)
    page.tab.call("Emulation.setEmulatedMedia", features=[])
    assert least >= 4.5, where


def test_on_a_phone_nothing_is_wider_than_the_screen(page: CheckPage) -> None:
    page.tab.call(
        "Emulation.setDeviceMetricsOverride",
        width=400,
        height=800,
        deviceScaleFactor=2,
        mobile=True,
    )
    page.check(TYPO, TOKEN, role=misconfigured.ROLE)
    widths = page.tab.run("return [document.documentElement.scrollWidth, innerWidth]")
    page.tab.call("Emulation.clearDeviceMetricsOverride")
    assert widths == [400, 400]
