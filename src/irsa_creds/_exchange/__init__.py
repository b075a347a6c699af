"""One call of STS or of a container endpoint: request, response, and the meaning of its errors.

The way of credentials:

    token_fetcher  WebIdentityFetcher._attempt reads the token, and makes the credentials a snapshot
    sts            StsClient.attempt sends the request, with the form of one role (`Config` of
                   `_identity` says what a further parameter needs)
    response       parse_response reads the credentials from the XML

The text of AccessDenied is made in six files, from the role and the URL that `sts` gives the
request:

    response     parse_response reads STS's code and words; _error_failure takes the secrets out of
                 them and classifies the code; _headline is the first line; failure_of makes the one
                 `Failure` of the refresh
    causes       the `Cause` of each code: sentence, fix and command, templates that advised fills
    advice       the request's facts and secrets (ExchangeRequest), and the templates' values
    claims       (of `_identity`) what the token's claims mean, for `advice`
    _masking     takes secrets out: mask of texts, claims_fields of claims, bare_url and quoted_path
    _errors      Failure.text joins the lines of the exception; Failure.line is that of the log

How it gets on the screen:

    _engine      `fetching` retries unless the cause forbids it; `waiting` raises Failure.error()
                 for each caller, Engine.get_or_join for a cached one, which has its note from
                 `backoff` or from an entry of the shared cache; `backoff` queues Failure.line(),
                 which Engine.deliver logs by `this_thread.log_all`
    _botocore    only for botocore's callers: `errors` makes the exception one of botocore's too;
                 its text then begins with the sentence of botocore's ClientError
    cli          only for the command line: `main` catches the exception, `_print.Printer.error`
                 prints the text, and `cli/_identity` drops the line of the log

Role chaining replaces two steps: `chained_fetcher` takes the source role's credentials in place of
a token, and `assume_role` signs the request with them. `sources` lists the sources of credentials,
and says what a further one needs. `container` calls no STS: it gets the credentials of EKS Pod
Identity's agent, and `container_response` has its responses and errors.

This package may import `_engine`, `_identity` and the modules beside the packages.

Late imports, and the milliseconds that they save a process that does not need them:

    sts (botocore, urllib3, ssl)   70   preload: the shared cache has valid credentials
    http (botocore, urllib3, ssl)  60   preload: a refresh imports nothing
    assume_role (botocore.auth)     1   preload: no role chaining
    chained_fetcher                 1   sources: no role chaining
    container (and its identity)    4   sources: IRSA needs none of it
    not_configured                  1   sources: the same
    certifi                         1   preload: optional, and plain HTTP needs none
    botocore.session, .config      40   endpoint: botocore has the names of its endpoint rules
"""
