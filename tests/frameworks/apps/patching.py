"""gunicorn's configuration: gevent patches before the master loads the application."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()
