#!/bin/sh
# Runs make with another Python: an installed one, or one of the next Debian.
#
#     sh tests/pythons/on.sh VERSION make TARGET...
set -eu

here=$(dirname "$0")
debian=build/pythons
version=$1
shift

suits() {
    "$1" -c "import ensurepip, sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null
}

for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
    if suits "$python"; then
        exec "$@" PYTHON="$python"
    fi
done
case $version in
3.14 | 3.15)
    if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
        sh "$here/install.sh" "$debian"
        exec sh "$here/inside.sh" "$debian" "$@" PYTHON="python$version"
    fi
    ;;
esac
echo "NOT TESTED on Python $version: it is not installed, and only root on Debian can install it." >&2
