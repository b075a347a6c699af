"""Evaluate a trust policy as IAM does: parse it, compare conditions, return a verdict.

The evaluator follows AWS's documented rules and knows nothing of findings and fixes. The STS of the
sandbox uses it as well.

May import: no other module of `diagnosis`.
"""
