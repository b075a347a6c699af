#!/bin/sh
# Installs Ceph's monitor, OSD and RADOS Gateway on Debian; quick if they are installed.
set -eu

packages="ceph-mon ceph-osd radosgw openssl ca-certificates"

# Check dpkg, not the PATH: an interrupted installation leaves programs without their setup.
installed() {
    # shellcheck disable=SC2086 # one word for each package
    [ "$(dpkg-query --show --showformat '${db:Status-Status}\n' $packages 2>/dev/null | grep -cx installed)" = 5 ]
}

# shellcheck disable=SC2086 # one word for each package
installed || exec sh "$(dirname "$0")/../apt.sh" $packages
