#!/bin/sh
# Runs a command on this checkout in the Debian of install.sh, as root.
#
#     sh tests/pythons/inside.sh FOLDER COMMAND...
#
# The mounts are in a namespace that ends with the command, so none remains in FOLDER.
set -eu

root=$(realpath "$1")
shift

# The network and pip are configured as outside.
cp --dereference /etc/resolv.conf /etc/hosts "$root/etc/"
for settings in /etc/pip.conf /etc/xdg/pip "${HOME:-/root}/.config/pip" "${HOME:-/root}/.pip"; do
    [ ! -e "$settings" ] || cp --parents --recursive "$settings" "$root"
done

# shellcheck disable=SC2016 # the inner shell's variables
exec unshare --mount sh -euc '
    root=$1
    shift
    # First, because the checkout may be below it.
    mount -t tmpfs tmp "$root/tmp"
    mkdir -p "$root$PWD"
    mount --bind "$PWD" "$root$PWD"
    mount --bind /etc/ssl/certs "$root/etc/ssl/certs"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    exec chroot "$root" env --chdir="$PWD" "$@"
' sh "$root" "$@"
