# shellcheck shell=sh disable=SC2154 # variables are setup.sh's
# The distribution guest of the environment vm-distro: a Debian as its packages make it,
# on a disk with a boot loader. Sourced by setup.sh, after setup-apt.sh.
#
# What the lab adds is one unit. It takes the lab's guest init from a disk of the lab's,
# each time anew, and runs it in namespaces: the rest is between that and the host.
# Docker's engine is there, and starts in those guests that are asked for one: it listens
# on the guest's network, which is the testbed's bridge and nothing else.
#
# The flavour "xen" is for the environment xen: the boot loader starts Debian's Xen, and that
# the same Debian, with the full kernel, which can be its dom0. Xen's own tool, xl, is in it:
# with it the lab's init there starts guests, of which it brings all parts along.

# distro_packages FLAVOUR
distro_packages() {
	common=systemd-sysv,udev,dbus,kmod,grub-pc-bin,grub-common,ifupdown
	case $1 in
	xen) echo "$common,linux-image-amd64,xen-hypervisor-4.17-amd64,xen-utils-4.17" ;;
	*) echo "$common,linux-image-cloud-amd64,docker.io,apparmor" ;;
	esac
}

# distro_recipe is what the guest is made of, and how: another recipe is another guest.
distro_recipe() {
	echo "$1 $(distro_packages "$2")"
	sources
	sed '/^#/d' "$top/cmd/setup/setup-distro.sh"
}

# make_distro CODENAME DIR FLAVOUR makes, as root, DIR/disk, and DIR/kernel: its kernel's
# version, digest and size.
make_distro() {
	codename=$1
	sources >"$2/sources"
	apt-config dump | grep -E '^Acquire::(https?|ftp)::Proxy ' >"$2/apt.conf" || true
	mmdebstrap --quiet --mode=root --variant=minbase --include="$(distro_packages "$3")" --keyring=/usr/share/keyrings --aptopt="$2/apt.conf" \
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
		words=$(head -c 4096 $disk | tr -d '\0')
		# When the initramfs, systemd and this began, on the kernel's clock.
		since=$(dmesg | sed -n 's/^\[ *\([0-9.]*\)\] \(Run \/init as init\|systemd\[1\]: systemd \).*/\1/p' | tr '\n' ,)$(cut -d' ' -f1 /proc/uptime)
		case $since in *,*,*,*) ;; *,*,*) words="since=$since $words" ;; esac
		modprobe -a overlay virtio_net
		mkdir -p /.lab
		tail -c +4097 $disk >/.lab/init
		chmod 700 /.lab/init
		case $words in *engine=docker*) systemctl --no-block start docker ;; esac
		# shellcheck disable=SC2086
		exec unshare --mount --uts --pid --fork --kill-child /.lab/init $words
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
	[ "$3" = xen ] || docker_off
	kernel=$(echo boot/vmlinuz-*)
	case $3 in
	xen) cat >boot/grub/grub.cfg <<-END ;;
		multiboot2 /$(echo boot/xen-*-amd64.gz) dom0_mem=768M com1=115200,8n1 console=com1
		module2 /$kernel root=LABEL=distro ro net.ifnames=0 console=hvc0 quiet
		module2 /$(echo boot/initrd.img-*)
		boot
	END
	*) cat >boot/grub/grub.cfg <<-END ;;
		linux /$kernel root=LABEL=distro ro net.ifnames=0 console=ttyS0 quiet
		initrd /$(echo boot/initrd.img-*)
		boot
	END
	esac
	printf '%s %s %s\n' "${kernel#boot/vmlinuz-}" "$(sha256sum "$kernel" | cut -d' ' -f1)" "$(stat -c %s "$kernel")" >"$2/kernel"
	# What grub-install would do, without the disk having to be a device: the loader's first
	# sector, then the rest, in front of the one partition, which begins at 1 MiB.
	chroot . grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o /boot/grub/core.img biosdisk part_msdos ext2 normal linux multiboot2 gzio
	truncate -s 2G "$2/disk"
	mkfs.ext4 -q -F -E offset=1048576 -L distro -d . "$2/disk" 2096128k
	dd if=usr/lib/grub/i386-pc/boot.img of="$2/disk" bs=440 count=1 conv=notrunc status=none
	dd if=boot/grub/core.img of="$2/disk" bs=512 seek=1 conv=notrunc status=none
	printf '\200\376\377\377\203\376\377\377\000\010\000\000\000\370\077\000' | dd of="$2/disk" bs=1 seek=446 conv=notrunc status=none
	printf '\125\252' | dd of="$2/disk" bs=1 seek=510 conv=notrunc status=none
	cd "$2" || exit
	rm -rf --one-file-system root sources apt.conf
}

# docker_off has Docker start only where it is asked for, and listen on the network then.
docker_off() {
	mkdir etc/systemd/system/docker.service.d
	cat >etc/systemd/system/docker.service.d/lab.conf <<-'END'
		[Service]
		ExecStart=
		ExecStart=/usr/sbin/dockerd -H tcp://0.0.0.0:2375 --tls=false --containerd=/run/containerd/containerd.sock
	END
	chroot . systemctl -q disable docker.service docker.socket containerd.service
}

# distro FLAVOUR
distro() {
	dir=$cache/$1
	[ "$(uname -m)" = x86_64 ] || die "no guest for $(uname -m) yet" "use an x86_64 machine"
	# shellcheck disable=SC1091
	codename=$(. "$root/etc/os-release" && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}") || true
	[ -n "$codename" ] || die "the distribution guest is a Debian, made from Debian's own sources" "run this on a Debian, and copy its $dir here"
	for p in mmdebstrap mkfs.ext4; do there "$p" || die "no $p" "make setup-long, then this again"; done
	if [ "$(distro_recipe "$codename" "$1")" = "$(cat "$dir/recipe" 2>/dev/null)" ]; then
		say "the distribution guest is there (cache: $cache)"
		return
	fi
	become_root
	workspace
	say "makes the distribution guest: some 150 MB to download, 1 GB on disk, minutes"
	mkdir "$tmp/tree"
	# With mounts of its own: the maker of roots has the machine's /dev/shm, among others, in
	# its tree, and if it is killed nobody else is to meet, or remove, what is in there.
	as_root unshare --mount sh -euc "LC_ALL=C; top='$top'; . '$top/cmd/setup/setup-apt.sh'; . '$top/cmd/setup/setup-distro.sh'; make_distro '$codename' '$tmp/tree' '$1'" >"$log" 2>&1 ||
		die "could not make the distribution guest: $(tail -n 1 "$log")" "mend that (all it said: $cache/setup.log) and try again: cmd/setup/setup.sh --$1"
	distro_recipe "$codename" "$1" >"$tmp/tree/recipe"
	if ours "$dir"; then rm -rf --one-file-system "$dir"; fi
	publish "$dir"
	say "done (cache: $cache). To undo it: rm -r $dir"
}
