# A room of machines, each a network namespace with an sshd of its own, and private
# folders where the lab keeps its lock and the bundle. The test sources it as the first
# process of a PID, mount and network namespace: when that ends, all of it does.
set -eu
. "${ROOM%/*}/await.sh"
cd "$WORK"
ip link set lo up
mount -t tmpfs none /run
mkdir "$WORK/bin"
ssh-keygen -q -t ed25519 -N '' -f "$WORK/key"

# The test's own ssh configuration, by a wrapper: ssh takes no other home folder.
cat >"$WORK/bin/ssh" <<-END
	#!/bin/sh
	exec /usr/bin/ssh -F "$WORK/config" "\$@"
END
chmod +x "$WORK/bin/ssh"
export PATH="$WORK/bin:$LABDIR:$PATH"
printf 'IdentityFile %s\nIdentitiesOnly yes\nUserKnownHostsFile %s\nGlobalKnownHostsFile /dev/null\nUser root\nIdentityAgent none\n' \
	"$WORK/key" "$WORK/known" >"$WORK/config"

# machine N: starts pcN, with what it had the last time that it was on.
machine() {
	dir=$WORK/pc$1
	if [ ! -e "$dir" ]; then
		mkdir -p "$dir/tmp"
		chmod 1777 "$dir/tmp"
		ssh-keygen -q -t ed25519 -N '' -f "$dir/hostkey"
		echo "192.0.2.$((100 + $1)) $(cut -d' ' -f1,2 "$dir/hostkey.pub")" >>"$WORK/known"
		printf 'Host pc%s\nHostName 192.0.2.%s\n' "$1" $((100 + $1)) >>"$WORK/config"
	fi
	rm -f "$dir/up"
	mkfifo "$dir/link"
	unshare --net --mount --pid --fork --mount-proc --kill-child sh -euc '
		cd "$1"; read -r _ <link
		ip link set lo up
		ip addr add "192.0.2.$2/24" dev eth0
		ip link set eth0 up
		mount -t tmpfs none /run
		mkdir /run/sshd
		if [ -n "$3" ]; then mount -t tmpfs -o size=8m none tmp; fi # a disk that is too small
		mount --bind tmp /var/tmp
		touch up
		exec /usr/sbin/sshd -D -e -f /dev/null -h "$1/hostkey" -p 22 -o PidFile=none -o UsePAM=no -o StrictModes=no \
			-o PermitRootLogin=yes -o PasswordAuthentication=no -o AuthorizedKeysFile="$WORK/key.pub" -o PerSourceMaxStartups=none
	' pc "$dir" $((100 + $1)) "${SMALL:-}" 2>"$dir/log" &
	eval "pc$1=$!"
	started=$!
	await 'inner=$(cat "/proc/$started/task/$started/children" 2>/dev/null) && [ -n "$inner" ]'
	ip link add "v$1" type veth peer name eth0 netns "${inner% }"
	ip link set "v$1" master room up
	echo >"$dir/link"
	await '[ -e "$dir/up" ]'
	rm "$dir/link"
}

ip link add room type bridge
ip addr add 192.0.2.1/24 dev room
ip link set room up
