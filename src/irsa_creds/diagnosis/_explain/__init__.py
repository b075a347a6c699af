"""Explain a verdict of `_policy`: the condition that fails, and the change that fixes it.

Each module returns the findings of one kind (P01 to P12), `all_findings` collects them, and
`explain` is the public function.

May import: `_policy` and the modules beside the packages (`_checks`, `_claims`, `_fixes`).
"""
