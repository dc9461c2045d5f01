# shellcheck shell=sh disable=SC2154 # variables are setup.sh's
# What setup.sh does on Debian, Ubuntu and their kin. Sourced by it.

apt_options='-o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Dpkg::Use-Pty=0'

# What is needed: package|how it is recognised (see "there")|why, as users read it.
# libvirt-daemon-system is left out on purpose: it starts services and a network.
packages() {
	cat <<-'END'
		ca-certificates|/etc/ssl/certs/ca-certificates.crt|to fetch Go modules over HTTPS
		busybox-static|static busybox|a shell in the default image, the same in every environment
		e2fsprogs|mkfs.ext4|to make an image into a disk
		qemu-system-x86|qemu-system-x86_64|the virtual machine's hardware, with its boot ROMs
		libvirt-daemon|libvirtd virtqemud|starts virtual machines; run privately, not as a service
		libvirt-daemon-driver-qemu|/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so|libvirt's part for QEMU
	END
	[ -z "${tests:-}" ] || cat <<-'END'
		crun|crun|a container runtime, tested as an environment
		runc|runc|another one
		runsc|runsc|gVisor, a third
		bubblewrap|bwrap|a sandbox, tested as an environment
		systemd-container|systemd-nspawn|systemd's containers, likewise
		lxc|lxc-execute|LXC's containers, likewise
		user-mode-linux|linux.uml|Linux as a process, likewise
	END
	[ -z "${long:-}" ] || cat <<-'END'
		mmdebstrap|mmdebstrap|makes the Debians that make test-long boots, and images of packages
		podman|podman|an engine without a daemon, tested as an environment
		qemu-utils|qemu-img|looks at the layers over a guest's disk that the lab makes
		qemu-user|qemu-aarch64|runs the tests of the lab's arm64 build
		wrk|wrk|puts load on web servers
		redis-tools|redis-benchmark|puts load on Redis
		slurmctld|slurmctld|a cluster's controller, in the tests of a fleet through Slurm
		slurmd|slurmd|its nodes
		slurm-client|sbatch|and what jobs are submitted with
		openssh-server|sshd|the machines of a fleet answer with it, in the tests
		openssh-client|ssh|and are asked with it
		hyperfine|hyperfine|times commands, to compare with what lab run command finds
	END
}

# The guest's kernel: distribution|meta package|that of the full kernel. One made
# for clouds is small, and has virtio and the PVH entry; the full one has the
# drivers of old cards as well.
kernels() {
	echo 'debian|linux-image-cloud-amd64|linux-image-amd64'
	echo 'ubuntu|linux-image-virtual|linux-image-generic'
}

# sources are this machine's own of Debian $codename, and no others.
sources() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
		awk -v c="$codename" '$1 == "Debian" && ($2 == c || $2 == c "-updates" || $2 == c "-security") { print "deb", $3, $2, $4 }' | sort -u
}

# names reads apt's or dpkg's names, and drops their architecture.
names() { sed 's/:[a-z0-9]*$//' | sort -u; }

installed() { dpkg-query -W -f '${binary:Package} ${db:Status-Status}\n' 2>/dev/null | sed -n 's/ installed$//p' | names; }

refresh() {
	become_root
	say "refreshing the package lists (apt-get update)"
	# One dead source of the user's must not stop us: what counts is whether
	# the packages are found afterwards.
	# shellcheck disable=SC2086
	as_root apt-get $apt_options update >"$log" 2>&1 || true
}

# plan asks apt what it would do; no root needed.
plan() { apt-get -s install --no-install-recommends "$@" >"$tmp/plan" 2>"$log"; }

install_packages() {
	# The static busybox would replace a dynamic one: unpack it beside.
	if [ "$(dpkg-query -W -f '${db:Status-Status}' busybox 2>/dev/null || true)" = installed ]; then
		case " $* " in *' busybox-static '*)
			unpack "$cache/busybox" busybox-static
			# shellcheck disable=SC2046
			set -- $(echo " $* " | sed 's/ busybox-static / /')
			[ $# -gt 0 ] || return 0
			;;
		esac
	fi
	plan "$@" || { refresh && plan "$@"; } || no_network "$*"
	removed=$(awk '/^Remv/ { print $2 }' "$tmp/plan")
	[ -z "$removed" ] || die "installing $* would remove $(echo "$removed" | tr '\n' ' ')" "decide yourself: apt-get install --no-install-recommends $*"
	# "Inst name (version …)" is new, "Inst name [old] (version …)" an upgrade.
	installed >"$tmp/before"
	new=$(awk '/^Inst/ && $3 !~ /^\[/ { print $2 }' "$tmp/plan" | names | comm -23 - "$tmp/before")
	upgraded=$(awk '/^Inst/ && $3 ~ /^\[/ { print $2 }' "$tmp/plan" | tr '\n' ' ')
	get=$(apt-get install -y --print-uris --no-install-recommends "$@" 2>/dev/null | awk "/^'/ { s += \$3 } END { print s + 0 }")
	# shellcheck disable=SC2086 # lists, here and below
	announce "$(echo "$new" | wc -l)" "$(megabytes "$get")" "$(on_disk $new)" "$@"
	[ -z "$upgraded" ] || say "also brings up to date, as these depend on it: $upgraded"
	become_root

	# The record is written before, so that even kill -9 leaves one, and again
	# after, so that it holds what is really there.
	# shellcheck disable=SC2086
	record $new
	failed=
	install "$@" || { refresh && install "$@"; } || failed=yes
	new=$(echo "$new" | { installed >"$tmp/after" && comm -12 - "$tmp/after"; })
	# shellcheck disable=SC2086
	record $new
	[ -z "$failed" ] || install_failed "$@"
	quiet
}

install() {
	# NEEDRESTART_SUSPEND: else Ubuntu restarts the host's services. --no-remove
	# stops apt should its plan have changed since.
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get $apt_options \
		install -y --no-install-recommends --no-remove "$@" >"$log" 2>&1 </dev/null
}

install_failed() {
	if grep -qE 'Failed to fetch|Unable to fetch|Could not resolve' "$log"; then no_network "$*"; fi
	die "apt-get install failed: $(grep -E '^(E|dpkg):|^sudo' "$log" | tail -n 2 | tr '\n' ' ')" "mend that (all it said: $cache/setup.log) and try again: make setup"
}

# quiet ends the services that came with the new packages: newer releases start
# libvirt's at once.
quiet() {
	if [ -z "$new" ] || [ ! -d "$root/run/systemd/system" ]; then return; fi
	# shellcheck disable=SC2086
	for unit in $(dpkg -L $new | sed -n 's,.*/systemd/system/\([^/@]*\.\(service\|socket\|timer\)\)$,\1,p' | sort -u); do
		if systemctl -q is-enabled "$unit" 2>/dev/null || systemctl -q is-active "$unit"; then
			as_root systemctl -q disable --now "$unit" >>"$log" 2>&1 || say "could not stop $unit; by hand: systemctl disable --now $unit"
		fi
	done
}

on_disk() {
	[ $# -eq 0 ] || megabytes "$(apt-cache show --no-all-versions "$@" 2>/dev/null | awk '$1 == "Installed-Size:" { s += $2 } END { print s * 1024 }')"
}

# unpack_kernel DIR COLUMN: that of the list above.
unpack_kernel() {
	distribution=debian
	if grep -qi '^ID.*ubuntu' "$root/etc/os-release"; then distribution=ubuntu; fi
	meta=$(kernels | grep "^$distribution|" | cut -d'|' -f"$2")
	image=$(depends "$meta" 'linux-image-[0-9]')
	[ -n "$image" ] || { refresh && image=$(depends "$meta" 'linux-image-[0-9]'); }
	[ -n "$image" ] || no_network "$meta"
	# Ubuntu's modules are a package of their own.
	# shellcheck disable=SC2046
	unpack "$1" "$image" $(depends "$image" 'linux-modules-[0-9]')
}

# depends PACKAGE PREFIX: the concrete package behind a meta package.
depends() { apt-cache depends "$1" 2>/dev/null | awk -v p="^$2" '$1 == "Depends:" && $2 ~ p { print $2; exit }'; }

# unpack DIR PACKAGE…: what the packages hold becomes DIR, whole or not at all.
unpack() {
	dir=$1
	shift
	download "$@" || { refresh && download "$@"; } || no_network "$*" # lists may be older than the servers
	mkdir "$tmp/tree"
	for deb in "$tmp"/debs/*.deb; do
		dpkg-deb -x "$deb" "$tmp/tree" >"$log" 2>&1 || die "could not unpack $(basename "$deb") ($(tail -n 1 "$log"))" "make room in $cache (df -h $cache) and try again: make setup"
	done
	publish "$dir"
	rm -rf "$tmp/tree"
}

download() {
	get=$(apt-cache show --no-all-versions "$@" 2>/dev/null | awk '$1 == "Size:" { s += $2 } END { print s + 0 }')
	[ "$get" != 0 ] || return 1 # not in the lists
	say "unpacks $* into $dir ($(megabytes "$get") to download, $(on_disk "$@") on disk); nothing of it is installed"
	rm -rf "$tmp/debs"
	mkdir "$tmp/debs"
	# apt downloads as a user of its own, who may not write to a private folder.
	# shellcheck disable=SC2086
	(cd "$tmp/debs" && apt-get $apt_options -o APT::Sandbox::User=root -qq download "$@") >"$log" 2>&1
}

remove_packages() {
	installed >"$tmp/now"
	ours=$(comm -12 "$tmp/earlier" "$tmp/now")
	printf '%s\n' "$ours" >"$tmp/ours"
	# What something of the user's needs by now stays: apt would remove that too.
	# shellcheck disable=SC2086
	if [ -n "$ours" ] && needed $ours; then
		for p in $ours; do if needed "$p"; then echo "$p"; fi; done >"$tmp/kept"
		say "keeps what other packages need by now: $(tr '\n' ' ' <"$tmp/kept")"
		ours=$(comm -23 "$tmp/ours" "$tmp/kept")
	fi
	[ -n "$ours" ] || return 0
	say "removes the $(echo "$ours" | wc -l) packages that set-up installed: $(echo "$ours" | tr '\n' ' ')"
	become_root
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get $apt_options purge -y $ours >"$log" 2>&1 </dev/null ||
		die "apt-get purge failed: $(tail -n 1 "$log")" "mend that and try again: make uninstall"
}

# needed PACKAGE…: would removing these touch any package but ours?
needed() {
	apt-get -s purge "$@" 2>/dev/null | awk '/^(Remv|Purg|Inst)/ { print $2 }' | names | comm -23 - "$tmp/ours" | grep -q .
}
