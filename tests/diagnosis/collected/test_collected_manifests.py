"""Doctor's checks of a manifest on what people really wrote; see `manifests`."""

from __future__ import annotations

import json

from diagnosis.collected.manifests import SOUND, UNREAD, WRONG, Manifest
from irsa_creds.diagnosis._manifest.manifest_checks import manifest_checks
from irsa_creds.diagnosis._manifest.parse import parse_manifest


def found(manifest: Manifest) -> set[tuple[str, str]]:
    """Return ids and statuses of all checks that are not well."""
    text = "\n---\n".join(map(json.dumps, manifest.objects))
    checks = manifest_checks(parse_manifest(text))
    return {(each.id, each.status) for each in checks if each.status not in {"ok", "skipped"}}


def test_no_sound_manifest_raises_an_alarm() -> None:
    alarms = {each.source: found(each) for each in SOUND}
    assert {source: seen for source, seen in alarms.items() if _statuses(seen) - {"unknown"}} == {}


def test_each_wrong_manifest_has_its_ids_and_no_other() -> None:
    wrong = {}
    for each in WRONG:
        seen = found(each)
        allowed = {(id_, one) for id_, all_ in each.problems.items() for one in all_.split()}
        if {id_ for id_, _ in seen} != set(each.problems) or seen - allowed:
            wrong[each.source] = seen
    assert wrong == {}


def test_a_kind_that_is_not_read_is_unknown() -> None:
    seen = {each.source: found(each) for each in UNREAD}
    assert {source: it for source, it in seen.items() if _statuses(it) != {"unknown"}} == {}


def _statuses(seen: set[tuple[str, str]]) -> set[str]:
    return {status for _, status in seen}


def test_the_tables_are_as_long_as_they_are_meant_to_be() -> None:
    named = [each.source for each in (*SOUND, *WRONG, *UNREAD)]
    assert len(named) >= 60
    assert len(set(named)) == len(named)
