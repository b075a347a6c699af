#!/bin/sh
# Installs Chromium on Debian; quick if it is installed from any source.
set -eu

command -v chromium >/dev/null || exec sh "$(dirname "$0")/../apt.sh" chromium
