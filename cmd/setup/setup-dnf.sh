# shellcheck shell=sh disable=SC2154 # variables are setup.sh's
# What setup.sh does on Fedora and its kin. Sourced by it. Its lists are tested;
# the rest never ran on a real Fedora: say what goes wrong.

# See setup-apt.sh.
packages() {
	cat <<-'END'
		ca-certificates|/etc/pki/tls/certs/ca-bundle.crt|to fetch Go modules over HTTPS
		busybox|static busybox|a shell in the default image, the same in every environment
		e2fsprogs|mkfs.ext4|to make an image into a disk
		cpio|cpio|to unpack the guest's kernel
		qemu-system-x86-core|qemu-system-x86_64|the virtual machine's hardware, with its boot ROMs
		libvirt-daemon|libvirtd virtqemud|starts virtual machines; run privately, not as a service
		libvirt-daemon-driver-qemu|/usr/lib64/libvirt/connection-driver/libvirt_driver_qemu.so|libvirt's part for QEMU
	END
	[ -z "${tests:-}" ] || cat <<-'END'
		crun|crun|a container runtime, tested as an environment
		runc|runc|another one
		bubblewrap|bwrap|a sandbox, tested as an environment
		systemd-container|systemd-nspawn|systemd's containers, likewise
		lxc|lxc-execute|LXC's containers, likewise
	END
}

kernels() { echo 'fedora|kernel-core kernel-modules-core|kernel-core kernel-modules-core kernel-modules'; }

installed() { rpm -qa --qf '%{NAME}\n' | sort -u; }

install_packages() {
	say "dnf is untried here"
	get=$(dnf -q --assumeno --setopt=install_weak_deps=False install "$@" 2>&1 | sed -n 's/^Total download size: *//p')
	announce "$#" "${get:-an unknown amount}" '' "$@"
	become_root
	installed >"$tmp/before"
	failed=
	as_root dnf -q -y --setopt=install_weak_deps=False install "$@" >"$log" 2>&1 </dev/null || failed=yes
	installed >"$tmp/after"
	# shellcheck disable=SC2046
	record $(comm -13 "$tmp/before" "$tmp/after")
	[ -z "$failed" ] || die "dnf install failed: $(tail -n 1 "$log")" "mend that, or connect to the network, and try again: make setup"
}

unpack_kernel() {
	dir=$1
	# shellcheck disable=SC2046 # a list
	set -- $(kernels | cut -d'|' -f"$2")
	say "unpacks $* into $dir (some 60 MB to download); nothing of it is installed"
	mkdir "$tmp/rpms" "$tmp/tree"
	dnf -q download --destdir "$tmp/rpms" "$@" >"$log" 2>&1 || no_network "$*"
	for rpm in "$tmp"/rpms/*.rpm; do
		rpm2cpio "$rpm" >"$tmp/cpio"
		(cd "$tmp/tree" && cpio -idm --quiet) <"$tmp/cpio"
	done
	mkdir -p "$tmp/tree/boot" # only installing would put the kernel there
	for k in "$tmp"/tree/lib/modules/*/vmlinuz; do
		ln "$k" "$tmp/tree/boot/vmlinuz-$(basename "$(dirname "$k")")"
	done
	publish "$dir"
}

remove_packages() {
	installed >"$tmp/now"
	ours=$(comm -12 "$tmp/earlier" "$tmp/now")
	[ -n "$ours" ] || return 0
	say "removes the packages that set-up installed: $(echo "$ours" | tr '\n' ' ')"
	become_root
	# rpm, unlike dnf, never removes what wasn't named.
	# shellcheck disable=SC2086
	as_root rpm -e $ours >"$log" 2>&1 || die "rpm -e failed: $(tail -n 1 "$log")" "mend that and try again: make uninstall"
}
