#!/bin/sh
# setup.sh gets a fresh Debian, Ubuntu or Fedora ready for the lab.
#
#   cmd/setup/setup.sh                  install what is missing, fetch a guest kernel
#   cmd/setup/setup.sh --full-kernel    fetch the distribution's full kernel, too: only an
#                                       emulated network card (nic=e1000) needs its drivers
#   cmd/setup/setup.sh --distro         make a whole Debian, on a disk, for the environment vm-distro
#   cmd/setup/setup.sh --xen            the same with Debian's Xen below it, for the environment xen
#   cmd/setup/setup.sh --tests          and the programs that make test runs as environments
#   cmd/setup/setup.sh --long           and what make test-long needs: a maker of Debian roots
#   cmd/setup/setup.sh --uninstall      remove what earlier set-ups installed, and the cache
#   cmd/setup/setup.sh --print apt|dnf  what a set-up installs there, and why
#   cmd/setup/setup.sh --cache          where the cache is
#   cmd/setup/setup.sh --go             which Go is used
#
# In this order: look for Go, look for each program, plan (no root yet), say
# what it costs, record, install, fetch the guest kernel. Where everything is
# there no package manager is asked, so that it works offline and at once.
#
# Four rules. Nothing is installed that is there, whoever put it there. Nothing
# is removed, and no service is left running. The guest's kernel is unpacked
# into the cache, never installed: a host's boot loader is not ours. What set-up
# overwrites, owns and removes in the cache bears its mark, and no link is followed.
#
# LAB_KERNEL   a guest kernel of the user's own: none is fetched
# LAB_CACHE    the cache folder, instead of ~/.cache/lab
#
# setup-apt.sh and setup-dnf.sh hold what differs: each has the lists packages
# and kernels, and the functions install_packages, unpack_kernel, remove_packages.
set -eu
export LC_ALL=C # messages of apt and dnf are read
umask 022

mark='# Made by lab, see setup.sh.'
top=$(cd "$(dirname "$0")/../.." && pwd)
caller=${SUDO_USER:-${SUDO_UID:-${DOAS_USER:-${PKEXEC_UID:-}}}} # who became root
root=${LAB_TEST_ROOT:-} # the tests' stand-in for /; empty otherwise

say() { printf 'set-up: %s\n' "$*" >&2; }

# die WHAT CURE
die() {
	printf 'set-up: %s\nset-up: fix: %s\n' "$1" "$2" >&2
	exit 1
}

# cache_dir is the same folder for a user and for root through sudo.
cache_dir() {
	xdg=${XDG_CACHE_HOME:-}
	if [ -n "${LAB_CACHE:-}" ]; then
		case $LAB_CACHE in /*) echo "$LAB_CACHE" ;; *) echo "$PWD/$LAB_CACHE" ;; esac
	elif [ "$xdg" != "${xdg#/}" ]; then # relative ones are to be ignored, says its specification
		echo "$xdg/lab"
	elif [ "$(id -u)" = 0 ] && [ -n "$caller" ]; then
		echo "$(getent passwd "$caller" | cut -d: -f6)/.cache/lab"
	else
		echo "$HOME/.cache/lab"
	fi
}

# ours PATH: did set-up make this? A folder says so in its tag, a file in its
# first line. A link says nothing.
ours() {
	for mark_in in "$1" "$1/CACHEDIR.TAG"; do
		if [ -L "$mark_in" ]; then return 1; fi
		if [ -f "$mark_in" ]; then break; fi
	done
	[ -f "$mark_in" ] && sed 2q "$mark_in" | grep -qxF "$mark"
}

# free PATH: is nothing there?
free() { [ ! -e "$1" ] && [ ! -L "$1" ]; }

# usable PATH: may it be read, and be replaced?
usable() {
	if ours "$cache" && [ ! -L "$1" ]; then return; fi
	ours "$1" || free "$1"
}

# tag DIR: by it backup programs know a cache (bford.info/cachedir), and uninstall
# what it may delete.
tag() { printf 'Signature: 8a477f597d28d172789f06886806bc55\n%s\n' "$mark" >"$1/CACHEDIR.TAG"; }

# owned gives what root made for a user to that user.
owned() {
	if [ "$(id -u)" = 0 ] && [ -n "$caller" ]; then
		# Not on a file system without owners.
		chown -hR "$(getent passwd "$caller" | cut -d: -f3,4)" "$@" 2>/dev/null || true
	fi
}

# make_cache makes the folder. One that was there isn't set-up's, and isn't tagged.
make_cache() {
	[ ! -d "$cache" ] || return 0
	first=$cache # the outermost folder that isn't there yet
	while [ ! -d "$(dirname "$first")" ]; do first=$(dirname "$first"); done
	mkdir -p "$cache"
	tag "$cache"
	owned "$first"
}

# keep FILE NAME: FILE, marked, becomes NAME in the cache in one step.
keep() {
	usable "$cache/$2" || return 1
	{ echo "$mark" && cat "$1"; } >"$tmp/marked"
	owned "$tmp/marked"
	mv -fT "$tmp/marked" "$cache/$2"
}

# become_root makes sure that as_root will work, before anything is changed.
become_root() {
	by_root="as root: cd $top && make setup"
	if [ "$(id -u)" = 0 ]; then
		return
	elif ! command -v sudo >/dev/null; then
		die "installing needs root, and there is no sudo" "$by_root"
	elif sudo -n true 2>/dev/null; then
		return
	elif (: </dev/tty) 2>/dev/null; then
		sudo -v || die "installing needs root, and sudo refused" "$by_root"
	else
		die "installing needs root, and sudo wants a password that nobody can type here" "$by_root"
	fi
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# find_go prints the path of go: sudo's PATH often lacks it.
find_go() {
	for g in "${GO:-}" "$(command -v go || true)" "$root/usr/local/go/bin/go" "$root/snap/bin/go" "$root"/usr/lib/go*/bin/go; do
		if [ -n "$g" ] && [ -x "$g" ]; then
			echo "$g"
			return
		fi
	done
	return 1
}

# at_least A B: is version A (1.26.8) B (1.26.0) or newer?
at_least() {
	awk -v a="$1" -v b="$2" 'BEGIN {
		split(a, x, "."); split(b, y, ".")
		for (i = 1; i <= 3; i++) if (x[i] + 0 != y[i] + 0) exit x[i] + 0 < y[i] + 0
	}'
}

check_go() {
	need=$(awk '$1 == "go" { print $2 }' "$top/go.mod")
	install="install Go from https://go.dev/dl (any Go from 1.21 on will do: it fetches $need by itself)"
	go=$(find_go) || die "no Go found, and the lab needs $need or newer" "$install"
	# Outside the module, else Go may answer for a toolchain that it would fetch.
	have=$(cd / && GOTOOLCHAIN='local' "$go" version | sed -n 's/.*go\([0-9][0-9.]*\).*/\1/p')
	at_least "$have" "$need" && return
	found="Go $have found ($go), and the lab needs $need or newer"
	at_least "$have" 1.21 || die "$found" "$install; then put its bin folder first in PATH"
	if [ "$(cd / && "$go" env GOTOOLCHAIN)" = local ]; then
		die "$found, and GOTOOLCHAIN=local forbids fetching it" "go env -w GOTOOLCHAIN=auto"
	fi
	say "Go $have fetches Go $need for itself (some 70 MB, once)"
	(cd "$top" && "$go" version >/dev/null 2>&1) || die "$found, and could not fetch it" "connect to the network and try again, or install Go $need from https://go.dev/dl"
}

# there HOW: is this there already? HOW is words, programs of which any will do;
# a file, maybe with a pattern; or "static" and a program that needs no library.
there() {
	case $1 in
	/*)
		# shellcheck disable=SC2086 # a pattern, to be expanded
		for f in $root$1; do [ -e "$f" ] && return; done
		return 1
		;;
	esac
	for word in ${1#static }; do
		# A user's PATH on Debian has no sbin.
		for f in "$(command -v "$word" || true)" "$root/usr/sbin/$word" "$root/sbin/$word" "$cache/busybox/bin/$word"; do
			if [ -z "$f" ] || [ ! -x "$f" ]; then continue; fi
			case $1 in
			static*) ldd "$f" >/dev/null 2>&1 || return 0 ;; # ldd fails for what isn't dynamic
			*) return 0 ;;
			esac
		done
	done
	return 1
}

# manager prints apt or dnf, by what is there: derived distributions are many.
manager() {
	for m in apt-get dnf; do
		if command -v "$m" >/dev/null; then
			echo "${m%-get}"
			return
		fi
	done
	id=$(sed -n 's/^PRETTY_NAME=//p' "$root/etc/os-release" 2>/dev/null | tr -d '"')
	die "${id:-this distribution} has neither apt nor dnf" "install QEMU for x86_64, libvirt with its QEMU driver, a static busybox and e2fsprogs yourself, then build with 'make build', and run with LAB_KERNEL=/boot/vmlinuz-… ./lab run startup"
}

# no_network WHAT
no_network() {
	own=
	for k in "$root"/boot/vmlinuz-*; do [ -e "$k" ] && own=", or, if only the guest's kernel is missing, lend it the host's: LAB_KERNEL=$k make run"; done
	reason=$(grep -E '^(E|W|Err|Error):' "$log" 2>/dev/null | tail -n 1)
	die "could not fetch $1${reason:+ ($reason)}" "connect to the network and try again: make setup$own"
}

# record NAME…: earlier set-ups' packages and these are ours to remove.
record() {
	printf '%s\n' "$@" | sed '/^$/d' | sort -u - "$tmp/earlier" >"$tmp/packages"
	keep "$tmp/packages" packages || die "$cache/packages isn't set-up's, which would record there what it installs" "name another cache folder with LAB_CACHE"
}

megabytes() { awk -v b="$1" 'BEGIN { printf "%.0f MB", b / 1e6 + 0.499 }'; }

# announce NUMBER DOWNLOAD DISK NAME…: what, why, how much, before root is asked for.
announce() {
	say "installs $1 packages ($2 to download${3:+, $3 on disk}), as root: these, with what they need:"
	shift 3
	packages | while IFS='|' read -r name how why; do
		case " $* " in *" $name "*) printf '  %-28s %s\n' "$name" "$why" >&2 ;; esac
	done
}

# publish DIR: $tmp/tree becomes DIR in one step, so that DIR is never half there.
publish() {
	if [ -d "$tmp/tree/usr/lib/modules" ] && [ ! -e "$tmp/tree/lib" ]; then
		ln -s usr/lib "$tmp/tree/lib" # Debian 13 moved it; the lab looks in lib/modules
	fi
	tag "$tmp/tree"
	owned "$tmp/tree"
	free "$1" || die "$1 is there, and lacks what set-up would put there" "move it away, or name another cache folder with LAB_CACHE"
	mv -T "$tmp/tree" "$1"
}

# workspace makes the cache, and in it $tmp, on the same file system for mv.
workspace() {
	make_cache
	tmp=$(mktemp -d "$cache/.setup-XXXXXX")
	log=$tmp/setup.log
	trap 'finish' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	tag "$tmp"
	: >"$log"
	: >"$tmp/earlier"
	if [ -f "$cache/packages" ] && usable "$cache/packages"; then sed '/^#/d' "$cache/packages" >"$tmp/earlier"; fi
}

# finish removes $tmp; the log stays in the cache. What is mounted there is not removed: of
# a maker of roots that was killed it may be the machine's own /dev/shm.
finish() {
	if [ -d "$tmp" ] && [ "$log" != /dev/null ]; then keep "$log" setup.log || true; fi
	rm -rf --one-file-system "$tmp"
}

# look_around sets missing, to a list of packages, and kernel, to yes or nothing.
look_around() {
	missing=''
	kernel=''
	while IFS='|' read -r name how _; do
		case $(uname -m)$name in
		x86_64*) ;;
		*qemu* | *libvirt*) continue ;; # no guest for others yet; lab run says so
		esac
		there "$how" || missing="$missing $name"
	done <<-END
		$(packages)
	END
	if [ -n "${LAB_KERNEL:-}" ]; then
		[ -e "$LAB_KERNEL" ] || die "LAB_KERNEL names $LAB_KERNEL, which isn't there" "LAB_KERNEL=/boot/vmlinuz-…, or unset it, and a kernel is fetched"
	elif [ "$(uname -m)" = x86_64 ]; then
		kernel=yes
		for k in "$cache"/kernel/boot/vmlinuz-*; do [ ! -e "$k" ] || kernel=; done
	fi
}

setup() {
	check_go
	look_around
	if [ -z "$missing$kernel" ]; then
		say "all is there (cache: $cache)"
		return
	fi
	workspace
	# shellcheck disable=SC2086 # a list
	[ -z "$missing" ] || install_packages $missing
	[ -z "$kernel" ] || unpack_kernel "$cache/kernel" 2
	say "done (cache: $cache). To undo all of it: make uninstall"
}

full_kernel() {
	[ "$(uname -m)" = x86_64 ] || die "no guest for $(uname -m) yet" "use an x86_64 machine"
	for k in "$cache"/kernel-full/boot/vmlinuz-*; do
		if [ -e "$k" ]; then
			say "the full kernel is there (cache: $cache)"
			return
		fi
	done
	workspace
	unpack_kernel "$cache/kernel-full" 3
	say "done (cache: $cache). To undo it: rm -r $cache/kernel-full"
}

uninstall() {
	if [ ! -d "$cache" ]; then
		say "nothing to undo: there is no $cache"
		return
	fi
	workspace
	if [ -s "$cache/packages" ]; then remove_packages; else say "no package to remove: set-up installed none"; fi
	log=/dev/null
	if ours "$cache"; then
		say "removes the cache $cache ($(du -shx "$cache" | cut -f1))"
		rm -rf --one-file-system "$cache"
	else
		say "removes what bears set-up's mark in $cache; the folder was there before, and stays with the rest"
		for f in "$cache"/* "$cache"/.setup-*; do
			if [ "${f##*/}" != CACHEDIR.TAG ] && ours "$f"; then rm -rf --one-file-system "$f"; fi
		done
	fi
	say "undone. Results folders and Go's own caches are yours, and stay"
}

cache=$(cache_dir)
while [ "$cache" != "${cache%/}" ]; do cache=${cache%/}; done # else a link would be followed
case " $* " in *' --help '* | *' -h '*)
	sed -n 's/^# \{0,1\}//; 2,14p' "$0"
	exit
	;;
esac
case ${1:-} in
--cache) echo "$cache" && exit ;;
--go) find_go && exit ;;
'' | --full-kernel | --distro | --xen | --tests | --long | --uninstall) m=$(manager) ;;
--print) m=${2:-} ;;
*) die "unknown argument $1" "cmd/setup/setup.sh --help shows those there are" ;;
esac
case $m in apt | dnf) ;; *) die "unknown package manager '$m'" "cmd/setup/setup.sh --print apt, or dnf" ;; esac
# shellcheck source=cmd/setup/setup-apt.sh
. "$top/cmd/setup/setup-$m.sh"
case ${1:-} in
'') setup ;;
--tests | --long)
	# shellcheck disable=SC2034 # read by packages
	case $1 in --tests) tests=yes ;; *) long=yes ;; esac
	setup
	;;
--full-kernel) full_kernel ;;
--distro | --xen)
	[ "$m" = apt ] || die "the distribution guest is made by mmdebstrap, on a Debian" "copy $cache/${1#--} from one"
	# shellcheck source=cmd/setup/setup-distro.sh
	. "$top/cmd/setup/setup-distro.sh"
	distro "${1#--}"
	;;
--uninstall) uninstall ;;
--print)
	[ "$m" = apt ] || echo '# untried here'
	packages | awk -F'|' '{ printf "install %s: %s\n", $1, $3 }'
	kernels | awk -F'|' '{ printf "unpack %s: the guest kernel on %s\n", $2, $1 }'
	;;
esac
