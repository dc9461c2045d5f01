# What is done on a machine of a fleet: one function a step. It needs sh, and what
# every Linux has. Standard input is the step's data. All is below one folder.
set -eu
umask 022
LC_ALL=C
export LC_ALL
mark='# A folder of lab fleet. lab fleet clean removes it.'
uid=$(id -u)
folder=${LAB_FLEET_FOLDER:-/var/tmp}/lab-fleet-$uid
root=''
[ "$uid" = 0 ] || root='sudo -n'

die() {
	echo "lab fleet: $*" >&2
	exit 9
}

# own makes the folder, or makes sure that it is this user's and the lab's: others can
# write beside it. What a killed step left half made is removed.
own() {
	rmdir "$folder" 2>/dev/null || :
	if mkdir "$folder" 2>/dev/null; then echo "$mark" >"$folder/tag" || die "can't write to $folder"; fi
	if [ ! -d "$folder" ] || [ -L "$folder" ] || [ ! -O "$folder" ] || [ "$(cat "$folder/tag" 2>/dev/null)" != "$mark" ]; then
		die "can't use $folder: it isn't this user's, or not the lab's"
	fi
	for half in "$folder"/.new-*; do
		if [ -e "$half" ] && ! kill -0 "${half##*-}" 2>/dev/null; then rm -rf "$half"; fi
	done
}

# look BUNDLE: what the machine is.
look() {
	own
	echo "arch=$(uname -m)"
	echo "time=$(date +%s)"
	echo "room=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')"
	if [ -z "$root" ] || $root true 2>/dev/null; then echo root=yes; fi
	if [ -x "$folder/bundle-$1/lab" ]; then echo bundle=yes; fi
}

# put BUNDLE DIGEST: the archive comes in, and is unpacked in one step or not at all.
put() {
	own
	new=$folder/.new-$$
	mkdir "$new"
	trap 'rm -rf "$new"' EXIT
	cat >"$new/archive"
	[ "$(sha256sum <"$new/archive")" = "$2  -" ] || die "the bundle didn't arrive as it was sent"
	mkdir "$new/tree"
	tar xzf "$new/archive" -C "$new/tree"
	[ -d "$folder/bundle-$1" ] || mv "$new/tree"/* "$folder/bundle-$1"
}

# begin BUNDLE FLEET: the experiment comes in, and what doctor finds goes out.
begin() {
	own
	run=$folder/run-$2
	mkdir -p "$run"
	cat >"$run/.experiment"
	mv "$run/.experiment" "$run/experiment.yaml"
	$root "$folder/bundle-$1/lab" doctor --json || :
}

# work BUNDLE FLEET FLAG…: measures, until standard input ends.
work() {
	bundle=$1
	run=$folder/run-$2
	shift 2
	exec $root "$folder/bundle-$bundle/lab" fleet work "$@" "$run"
}

# fetch BUNDLE FLEET: the results go out.
fetch() { exec tar cf - -C "$folder/run-$2" results; }

# finish BUNDLE FLEET: nothing of the fleet stays but the bundle.
finish() { $root rm -rf "$folder/run-$2"; }

# clean BUNDLE: nothing stays. What a killed lab left is swept by the lab itself.
clean() {
	[ -d "$folder" ] || return 0
	own
	for lab in "$folder"/bundle-*/lab; do
		if [ -x "$lab" ]; then $root "$lab" clean >/dev/null || :; fi
	done
	for run in "$folder"/run-*; do
		[ ! -e "$run" ] || die "$run has results that nobody fetched; fix: lab fleet resume, or ssh there and rm -r it"
	done
	$root rm -rf "$folder"
}
