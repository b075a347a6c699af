#!/bin/sh
# Installs Ceph's monitor, OSD and RADOS Gateway on Debian; quick if they are installed.
set -eu

packages="ceph-mon ceph-osd radosgw openssl ca-certificates"

# Check dpkg, not the PATH: an interrupted installation leaves programs without their setup.
installed() {
    # shellcheck disable=SC2086 # one word for each package
    [ "$(dpkg-query --show --showformat '${db:Status-Status}\n' $packages 2>/dev/null | grep -cx installed)" = 5 ]
}

if installed; then
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
