#!/bin/sh
# Installs Debian packages: sh tests/apt.sh PACKAGE...
set -eu

if [ "$(id -u)" != 0 ]; then
    echo "apt.sh: run as root to install: $*" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# A new machine may still be installing updates.
apt() { apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@" </dev/null >/dev/null; }
apt update
apt install -y --no-install-recommends "$@"
