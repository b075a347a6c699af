"""Check Kubernetes manifests (M01 to M05): role annotation, service account, token volume.

`parse` reads YAML or JSON, `objects` finds service accounts and pods by their `fields`, and the
other modules are pure functions over these objects.

May import: the modules beside the packages (`_checks`, `_claims`, `_fixes`).
"""
