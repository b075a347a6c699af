"""Which role a program assumes, with which token, at which STS: read, checked, and frozen.

Arguments, environment, profiles and a session's settings become one `Config`, which is hashable and
names the identity. Nothing here calls STS or knows when credentials are refreshed.

May import: the modules beside the packages (`_errors` and others).
"""
