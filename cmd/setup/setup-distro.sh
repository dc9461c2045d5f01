# shellcheck shell=sh disable=SC2154 # variables are setup.sh's
# The distribution guest of the environment vm-distro: a Debian as its packages make it,
# on a disk with a boot loader. Sourced by setup.sh, after setup-apt.sh.
#
# What the lab adds is one unit. It takes the lab's guest init from a disk of the lab's,
# each time anew, and runs it in namespaces: the rest is between that and the host.

distro_packages=systemd-sysv,udev,dbus,kmod,linux-image-cloud-amd64,grub-pc-bin,grub-common,ifupdown

# distro_recipe is what the guest is made of, and how: another recipe is another guest.
distro_recipe() {
	echo "$1 $distro_packages"
	sources
	sed '/^#/d' "$top/cmd/setup/setup-distro.sh"
}

# make_distro CODENAME DIR makes, as root, DIR/disk, and DIR/kernel: its kernel's version,
# digest and size.
make_distro() {
	codename=$1
	sources >"$2/sources"
	apt-config dump | grep -E '^Acquire::(https?|ftp)::Proxy ' >"$2/apt.conf" || true
	mmdebstrap --quiet --mode=root --variant=minbase --include="$distro_packages" --keyring=/usr/share/keyrings --aptopt="$2/apt.conf" \
		"$1" "$2/root" "$2/sources"
	cd "$2/root" || exit
	echo distro >etc/hostname
	echo '127.0.0.1 localhost distro' >etc/hosts
	echo 'LABEL=distro / ext4 errors=remount-ro 0 1' >etc/fstab
	mkdir -p etc/lab boot/grub
	cat >etc/lab/start <<-'END'
		#!/bin/sh
		# The disk's first 4096 bytes are the init's arguments, what follows is the init.
		set -e
		disk=/dev/disk/by-id/virtio-lab-init
		modprobe overlay
		mkdir -p /.lab
		tail -c +4097 $disk >/.lab/init
		chmod 700 /.lab/init
		# shellcheck disable=SC2046
		exec unshare --mount --uts --pid --fork --kill-child /.lab/init $(head -c 4096 $disk | tr -d '\0')
	END
	chmod 755 etc/lab/start
	cat >etc/systemd/system/lab.service <<-'END'
		[Unit]
		Description=The lab's workload
		Wants=dev-disk-by\x2did-virtio\x2dlab\x2dinit.device
		After=dev-disk-by\x2did-virtio\x2dlab\x2dinit.device
		[Service]
		ExecStart=/etc/lab/start
		[Install]
		WantedBy=multi-user.target
	END
	chroot . systemctl -q enable lab.service
	cat >boot/grub/grub.cfg <<-END
		linux /$(echo boot/vmlinuz-*) root=LABEL=distro ro console=ttyS0 quiet
		initrd /$(echo boot/initrd.img-*)
		boot
	END
	kernel=$(echo boot/vmlinuz-*)
	printf '%s %s %s\n' "${kernel#boot/vmlinuz-}" "$(sha256sum "$kernel" | cut -d' ' -f1)" "$(stat -c %s "$kernel")" >"$2/kernel"
	# What grub-install would do, without the disk having to be a device: the loader's first
	# sector, then the rest, in front of the one partition, which begins at 1 MiB.
	chroot . grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o /boot/grub/core.img biosdisk part_msdos ext2 normal linux
	truncate -s 2G "$2/disk"
	mkfs.ext4 -q -F -E offset=1048576 -L distro -d . "$2/disk" 2096128k
	dd if=usr/lib/grub/i386-pc/boot.img of="$2/disk" bs=440 count=1 conv=notrunc status=none
	dd if=boot/grub/core.img of="$2/disk" bs=512 seek=1 conv=notrunc status=none
	printf '\200\376\377\377\203\376\377\377\000\010\000\000\000\370\077\000' | dd of="$2/disk" bs=1 seek=446 conv=notrunc status=none
	printf '\125\252' | dd of="$2/disk" bs=1 seek=510 conv=notrunc status=none
	cd "$2" || exit
	rm -rf --one-file-system root sources apt.conf
}

distro() {
	[ "$(uname -m)" = x86_64 ] || die "no guest for $(uname -m) yet" "use an x86_64 machine"
	# shellcheck disable=SC1091
	codename=$(. "$root/etc/os-release" && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}") || true
	[ -n "$codename" ] || die "the distribution guest is a Debian, made from Debian's own sources" "run this on a Debian, and copy its $cache/distro here"
	for p in mmdebstrap mkfs.ext4; do there "$p" || die "no $p" "make setup-long"; done
	if [ "$(distro_recipe "$codename")" = "$(cat "$cache/distro/recipe" 2>/dev/null)" ]; then
		say "the distribution guest is there (cache: $cache)"
		return
	fi
	become_root
	workspace
	say "makes the distribution guest: some 150 MB to download, 1 GB on disk, minutes"
	mkdir "$tmp/tree"
	as_root sh -euc "LC_ALL=C; top='$top'; . '$top/cmd/setup/setup-apt.sh'; . '$top/cmd/setup/setup-distro.sh'; make_distro '$codename' '$tmp/tree'" >"$log" 2>&1 ||
		die "could not make the distribution guest: $(tail -n 1 "$log")" "mend that (all it said: $cache/setup.log) and try again: cmd/setup/setup.sh --distro"
	distro_recipe "$codename" >"$tmp/tree/recipe"
	if ours "$cache/distro"; then rm -rf --one-file-system "$cache/distro"; fi
	publish "$cache/distro"
	say "done (cache: $cache). To undo it: rm -r $cache/distro"
}
