#!/bin/sh
# Installs Node.js and npm on Debian; quick if they are installed from any source.
set -eu

packages="nodejs npm"

# The SDK for JavaScript that package.json names needs this version.
enough() {
    command -v npm >/dev/null && node --eval 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null
}

if enough; then
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "install.sh: run as root to install: $packages" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
# A new machine may still be installing updates.
apt() { apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@" </dev/null >/dev/null; }
apt update
# shellcheck disable=SC2086 # one word for each package
apt install -y --no-install-recommends $packages
enough || { echo "install.sh: Node.js here is older than 20: $(node --version)" >&2; exit 1; }
