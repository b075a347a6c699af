#!/bin/sh
# Installs newer Pythons in a folder that contains the next Debian. The system gets only debootstrap.
# Quick if the folder exists.
#
#     sh tests/pythons/install.sh FOLDER
set -eu

folder=$1
suite=forky
packages="python3.14-venv,python3.15-venv,make,ca-certificates"

if [ -d "$folder" ]; then
    exit 0
fi
# Even if it is installed: apt needs its lists to print the mirror.
sh "$(dirname "$0")/../apt.sh" debootstrap

# shellcheck source=/dev/null
. /etc/os-release
# shellcheck disable=SC2016 # apt's own variable
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' \
    "Codename: $VERSION_CODENAME" | head -n 1)
# Under another name until it is complete, because it may be interrupted.
rm -rf "$folder.part"
mkdir -p "$(dirname "$folder")"
log=$folder.log
debootstrap --variant=minbase --include="$packages" "$suite" "$folder.part" "$mirror" \
    </dev/null >"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
rm -rf "$folder.part/var/cache/apt/archives"
mv "$folder.part" "$folder"
