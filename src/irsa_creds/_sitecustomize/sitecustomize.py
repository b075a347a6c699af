"""Call `irsa_creds.install()` in each Python process below `irsa-creds run`.

Python imports a module of this name when it starts. `irsa-creds run` adds this directory to
`PYTHONPATH`. It has no other module, so a program uses the irsa-creds of its own environment,
or none. Every Python 3 can run this file.

`install()` imports botocore, which most processes never need. So this module calls it when a
process creates its first session: no session can miss it, and a bare process imports nothing.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    irsa_creds, botocore  130   sitecustomize: a session is created
"""

import os
import sys

__all__ = ["install_below_run"]

_NAME = "sitecustomize"
# The process id of the program that `irsa-creds run` became; its children inherit the variable.
_RUN_PID = "IRSA_CREDS_RUN_PID"
_STRICT = "IRSA_CREDS_STRICT"
# As in `irsa_creds._flags`, which this process may not have.
_ON = ("1", "true", "yes", "on")


class _Installer:
    """A finder of modules that finds none, and installs irsa-creds at botocore's first session."""

    def __init__(self) -> None:
        self._done = False
        self._printed = False

    def find_spec(self, name: str, *_: object) -> None:
        """See the name of each module that is imported for the first time."""
        if name == "botocore.session":
            self.register()

    def register(self) -> None:
        """Let botocore call `install` for each new session."""
        register = getattr(sys.modules["botocore"], "register_initializer", None)
        if register is None:
            self.go_without("its botocore is too old")
        else:
            register(self.install)

    def install(self, _: object) -> None:
        """Call `irsa_creds.install()`, once.

        Two threads may create the first two sessions. Both then call it, so that neither continues
        without it. The initializer stays registered, because botocore skips the next one of its
        list if one removes itself.
        """
        if self._done:
            return
        reason = ""
        try:
            import irsa_creds  # noqa: PLC0415

            irsa_creds.install()
        except ModuleNotFoundError as error:
            reason = f"no module {error.name}"
        except Exception as error:  # noqa: BLE001 - the program runs without irsa-creds as well
            reason = repr(error)
        if reason:
            self.go_without(reason)
        self._done = True

    def go_without(self, reason: str) -> None:
        """Let the session be created without irsa-creds, but not with `--strict`."""
        if os.environ.get(_STRICT, "").strip().lower() in _ON:
            raise RuntimeError(
                f"irsa-creds run --strict: {sys.executable} cannot use irsa-creds: {reason}. "
                "Correct the program's environment, or run without --strict."
            )
        self.report(reason)

    def report(self, reason: str) -> None:
        """Print once, in one line, that this process does not use irsa-creds."""
        if self._printed or sys.stderr is None:
            return
        self._printed = True
        try:  # noqa: SIM105 - `contextlib` would be one more import
            sys.stderr.write(f"irsa-creds run: {sys.executable} runs without it: {reason}.\n")
        except (OSError, ValueError):
            pass


def install_below_run() -> None:
    """Call `install()` at the first session, if `irsa-creds run` started this program.

    opentelemetry-instrument calls it through an entry point, because its own `sitecustomize` may
    hide this one.
    """
    if _RUN_PID in os.environ:
        _install_at_first_session()


def _install_at_first_session() -> _Installer:
    installer = _Installer()
    if "botocore.session" in sys.modules:
        # Another tool's `sitecustomize`, or a .pth file, has imported it.
        installer.register()
    else:
        # It stays there: an import of another thread would skip a finder if one were removed.
        sys.meta_path.insert(0, installer)
    return installer


def _run_hidden_one() -> None:
    """Run the `sitecustomize` that Python would have found without this one."""
    here = os.path.realpath(os.path.dirname(__file__))
    own = [each for each in sys.path if os.path.realpath(each) == here]
    sys.path[:] = [each for each in sys.path if each not in own]
    this = sys.modules.pop(_NAME)
    try:
        __import__(_NAME)
    except ModuleNotFoundError as error:
        if error.name != _NAME:
            raise
        sys.modules[_NAME] = this
    finally:
        # Some programs pass `sys.path` on to their children as PYTHONPATH.
        sys.path[:0] = own


def _has_irsa_creds() -> bool:
    # Python adds the program's own directory to `sys.path` only after this module.
    program = sys.argv[0]
    own = ["", program, os.path.dirname(os.path.realpath(program))]
    finders = [each for each in sys.meta_path if hasattr(each, "find_spec")]
    return any(each.find_spec("irsa_creds", path) for each in finders for path in (None, own))


def _main() -> None:
    installer = _install_at_first_session()
    _run_hidden_one()
    # Its children would print the line again, also the ones that need no credentials.
    if os.environ.get(_RUN_PID) == str(os.getpid()) and not _has_irsa_creds():
        installer.report("no module irsa_creds")


if __name__ == _NAME:
    _main()
