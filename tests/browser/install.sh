#!/bin/sh
# Installs Chromium on Debian; quick if it is installed from any source.
set -eu

if command -v chromium >/dev/null; then
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "install.sh: run as root to install: chromium" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
# A new machine may still be installing updates.
apt() { apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@" </dev/null >/dev/null; }
apt update
apt install -y --no-install-recommends chromium
