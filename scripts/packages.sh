#!/bin/sh
# Installs the missing programs with the system's package manager, as root or with sudo.
# LOGS: folder for the package manager's log. TESTS: set to install what only the tests use, too
# Without root it says what is missing and carries on: iobench itself says what it goes without.
set -u
logs=${LOGS:-.setup}
mkdir -p "$logs"
log=$logs/packages.log

# program : Debian and Ubuntu package : Fedora and RHEL package
wanted='fio:fio:fio
mkfs.ext4:e2fsprogs:e2fsprogs
blkid:util-linux:util-linux
losetup:mount:util-linux
lsblk:util-linux:util-linux
nbdkit:nbdkit:nbdkit
nbdfuse:libnbd-bin:nbdfuse
memcached:memcached:memcached
smartctl:smartmontools:smartmontools
dbench:dbench:dbench
sysbench:sysbench:sysbench
mariadbd:mariadb-server-core:mariadb-server
my_print_defaults:mariadb-client-core:mariadb
(pango):libpangoft2-1.0-0 libharfbuzz-subset0:pango
(venv):python3-venv:python3'
# What only the tests use, or what starts a server of its own when it is installed by hand.
[ -z "${TESTS:-}" ] || wanted="$wanted
ganesha.nfsd:nfs-ganesha-vfs:nfs-ganesha-vfs
rpcbind:rpcbind:rpcbind
ip:iproute2:iproute
nfs-ls:libnfs-utils:libnfs-utils
bindfs:bindfs:bindfs
chromium:chromium:chromium
pdftotext:poppler-utils:poppler-utils
soffice:libreoffice-impress:libreoffice-impress
(arial):fonts-liberation:liberation-sans-fonts
xmllint:libxml2-utils:libxml2
promtool:prometheus:golang-github-prometheus
(negate):monitoring-plugins-basic:nagios-plugins"

has() {
    case $1 in
        "(negate)") [ -x /usr/lib/nagios/plugins/negate ] || [ -x /usr/lib64/nagios/plugins/negate ] ;;
        "(arial)") fc-match Arial 2>/dev/null | grep -qi liberation ;;
        "(venv)") "${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null ;;
        "(pango)") "${PYTHON:-python3}" -c 'import ctypes
for name in "libpango-1.0.so.0", "libpangoft2-1.0.so.0", "libharfbuzz-subset.so.0": ctypes.CDLL(name)' 2>/dev/null ;;
        *) PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing() {
    echo "$wanted" | while IFS=: read -r program debian fedora; do
        has "$program" || if [ "$1" = apt ]; then echo "$debian"; else echo "$fedora"; fi
    done | sort -u | tr '\n' ' '
}

if command -v apt-get >/dev/null 2>&1; then manager=apt
elif command -v dnf >/dev/null 2>&1; then manager=dnf
else manager=none
fi
packages=$(missing "$manager")
[ -n "$packages" ] || exit 0

if [ "$manager" = none ]; then
    echo "missing, and this system has neither apt-get nor dnf: $packages"
    exit 0
fi
if [ "$(id -u)" = 0 ]; then as_root=
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then as_root=sudo
else
    echo "missing, and gone without, since there is no root: $packages"
    echo "as root: $([ "$manager" = apt ] && echo apt-get || echo dnf) install $packages"
    exit 0
fi

echo "installing $packages(log: $log)"
# A package that brings a server must not start it: iobench starts private ones, when it needs them.
policy=/usr/sbin/policy-rc.d
if [ "$manager" = apt ] && [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null && $as_root chmod 755 $policy
    trap '$as_root rm -f $policy' EXIT
fi
install() {
    if [ "$manager" = apt ]; then
        $as_root apt-get update &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
    else
        $as_root dnf install -y --setopt=install_weak_deps=False "$@"
    fi
}
# One package that a system does not have must not keep the others away.
# shellcheck disable=SC2086
if ! install $packages >"$log" 2>&1; then
    for package in $packages; do
        install "$package" >>"$log" 2>&1 || echo "could not be installed: $package (see $log)"
    done
fi
exit 0
