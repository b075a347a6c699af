from __future__ import annotations

from irsa_creds._callers import callers


def test_callers_are_named_from_the_nearest_to_the_outermost() -> None:
    found = list(callers())
    assert found[0] == __name__
    assert found[-1] == "__main__" or len(found) > 10
    assert any(name.startswith("_pytest.") for name in found)
