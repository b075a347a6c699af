#!/bin/sh
# Installs Node.js and npm on Debian; quick if they are installed from any source.
set -eu

# The SDK for JavaScript that package.json names needs this version.
enough() {
    command -v npm >/dev/null && node --eval 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null
}

enough || sh "$(dirname "$0")/../apt.sh" nodejs npm
enough || { echo "install.sh: Node.js here is older than 20: $(node --version)" >&2; exit 1; }
