"""Which role a program assumes, with which token, and at which endpoint of STS.

Arguments, environment, profiles and a session's settings become one `Config`, which is checked,
hashable, and names the identity. Its docstring says what a further parameter of the STS call needs.
Nothing here calls STS or knows when credentials are refreshed.

It may import only the modules beside the packages (`_errors` and others).

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    inspect                 5   validation: a callable returns the token
    urllib.request         16   endpoint_settings: a proxy is set
    botocore.configloader   5   settings: a configuration file exists
    profile, roles          8   settings, config: role chaining
"""
