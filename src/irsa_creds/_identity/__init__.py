"""Which role a program assumes, with which token, and at which endpoint of STS.

Arguments, environment, profiles and a session's settings become one `Config`, which is checked,
hashable, and names the identity. Nothing here calls STS or knows when credentials are refreshed.

It may import only the modules beside the packages (`_errors` and others).
"""
