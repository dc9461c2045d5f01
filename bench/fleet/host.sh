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

# look BUNDLE: what the machine is. Where nothing can be measured nothing stays.
look() {
	new=
	[ -e "$folder" ] || new=yes
	own
	echo "arch=$(uname -m)"
	echo "time=$(date +%s)"
	echo "room=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')"
	if [ -z "$root" ] || $root true 2>/dev/null; then
		echo root=yes
	elif [ -n "$new" ]; then
		rm -f "$folder/tag"
		rmdir "$folder" 2>/dev/null || :
	fi
	if [ -x "$folder/bundle-$1/lab" ]; then echo bundle=yes; fi
	boot
}

# boot says since which start of the machine its kernel runs.
boot() { echo "boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"; }

# put BUNDLE DIGEST: the archive comes in, and is unpacked in one step or not at all.
put() {
	own
	new=$folder/.new-$$
	rm -rf "$new" # of one that was killed before this machine was started
	mkdir "$new"
	trap 'rm -rf "$new"' EXIT
	cat >"$new/archive"
	[ "$(sha256sum <"$new/archive")" = "$2  -" ] || die "the bundle didn't arrive as it was sent"
	mkdir "$new/tree"
	tar xzf "$new/archive" -C "$new/tree"
	if [ ! -x "$folder/bundle-$1/lab" ]; then
		$root rm -rf "$folder/bundle-$1" # half removed
		mv "$new/tree"/* "$folder/bundle-$1"
	fi
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

# fetch FLEET: the results go out.
fetch() { exec tar cf - -C "$folder/run-$1" results; }

# finish FLEET: nothing of the fleet stays but the bundle.
finish() {
	$root rm -rf "$folder/run-$1"
	boot
}

# left FLEET: which results of it are there, and of how many trials without warm-ups.
left() {
	[ -d "$folder" ] || return 0
	own
	[ -d "$folder/run-$1" ] || return 0
	echo "run=$1"
	for results in "$folder/run-$1"/results/*; do
		[ -d "$results" ] || continue
		echo "${results##*/}=$($root cat "$results/trials.jsonl" 2>/dev/null | grep '"last":true' | grep -cv '"warmup":true' || :)"
	done
}

# discard FLEET [slurm]: nothing of it stays, its results neither. Another fleet's results and
# tasks stay, and the bundle that they need.
discard() {
	if [ ! -d "$folder" ]; then
		echo nothing=yes
		return 0
	fi
	own
	run=$folder/run-$1
	busy=
	# A task holds its run's folder, and one of Slurm's the one above. Here both are held until
	# nothing is left: no task begins meanwhile.
	if command -v flock >/dev/null; then
		exec 8<"$folder"
		flock -n 8 || busy=yes
		[ -z "$busy" ] || [ -z "${2:-}" ] || die "a task of Slurm's is at work there, this fleet's or another's; fix: try again when it has ended"
		if [ -d "$run" ]; then
			exec 9<"$run"
			flock -n 9 || die "a task still measures there; fix: try again when it has ended"
		fi
	fi
	[ ! -e "$run" ] || $root rm -rf "$run"
	if [ -n "$busy" ]; then # a task of Slurm's, of another fleet
		echo other=yes
		return 0
	fi
	for other in "$folder"/run-*; do
		if [ -e "$other" ]; then
			echo other=yes
			return 0
		fi
	done
	clean
}

# task PLACE BUNDLE DIGEST SIZE FLEET MACHINE FLAG…: all steps, as a task of Slurm's. PLACE is
# the fleet's folder, which all nodes see: slurm/TASK.* there is what the task says.
task() {
	place=$1
	bundle=$2
	digest=$3
	fleet=$5
	node=${SLURMD_NODENAME:-$(uname -n)}
	says=$place/slurm/$SLURM_ARRAY_TASK_ID
	[ "$(uname -m)" = "$6" ] || die "it is $(uname -m), and the bundle is for $6; fix: make one there, and a fleet of its own with --bundle"
	[ -z "$root" ] || $root true 2>/dev/null || die "its user can't become root without a password (sudo -n); fix: NOPASSWD for the lab, or user root"
	need=$(($4 / 1024 * 5))
	shift 6
	# Of a node that failed, or whose slurmd died, the earlier job may live on.
	within='-w 300'
	case " $* " in *' --wait '*) within= ;; esac
	until
		own
		exec 9<"$folder"
		# shellcheck disable=SC2086
		flock $within 9 || die "an earlier task is still measuring there, and doesn't end"
		[ "$(stat -c %i "$folder" 2>/dev/null)" = "$(stat -L -c %i /proc/self/fd/9)" ] # that one removed it
	do :; done
	if [ -e "$says.done" ] || [ ! -d "$place/slurm" ]; then # it was measured meanwhile, or all was
		$root rm -rf "$folder/run-$fleet"
		(clean) || :
		exit 0
	fi
	if [ -e "$place/slurm/measured-$node" ]; then
		echo "$node" >"$says.measured"
		(clean) || :
		die "$node is measured: Slurm gave it two tasks"
	fi
	if [ ! -x "$folder/bundle-$bundle/lab" ]; then
		room=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
		[ "$room" -ge "$need" ] || die "its disk is full: $((room / 1024)) MB left in ${folder%/*}, and the bundle needs $((need / 1024))"
		(put "$bundle" "$digest" <"$place/bundle.tar.gz")
	fi
	begin "$bundle" "$fleet" <"$place/experiment.yaml" >"$says.doctor"
	echo "$node" >"$run/node"
	# The lab ends at its next trial when this shell does, or is told to.
	rm -f "$run/alive"
	mkfifo "$run/alive"
	work "$bundle" "$fleet" "$@" <"$run/alive" >"$says.log" &
	working=$!
	exec 8>"$run/alive"
	trap 'exec 8>&-' TERM INT
	# A signal ends a wait, too. Of sudo's process nobody but root may ask by kill -0.
	until ended=0 && { wait "$working" || ended=$?; } && [ ! -d "/proc/$working" ]; do :; done
	[ "$ended" = 0 ] || exit "$ended"
	if [ -d "$place/slurm" ]; then
		tar cf "$says.tar-$node" -C "$folder/run-$fleet" node results
		# The first that comes counts. Not every file system has hard links.
		if ln "$says.tar-$node" "$says.tar" 2>/dev/null || { [ ! -e "$says.tar" ] && [ ! -e "$says.done" ] && mv "$says.tar-$node" "$says.tar"; }; then
			echo "$node" >"$says.done"
			echo "$SLURM_ARRAY_TASK_ID" >"$place/slurm/measured-$node"
		elif [ ! -e "$says.tar" ] && [ ! -e "$says.done" ]; then
			die "can't leave its results in $place/slurm"
		fi
		rm -f "$says.tar-$node"
	fi
	finish "$fleet" >/dev/null
	(clean) || :
}

# clean: nothing stays. What a killed lab left is swept by the lab itself.
clean() {
	if [ ! -d "$folder" ]; then
		echo nothing=yes
		return 0
	fi
	own
	for lab in "$folder"/bundle-*/lab; do
		if [ -x "$lab" ]; then $root "$lab" clean >/dev/null || :; fi
	done
	for run in "$folder"/run-*; do
		[ ! -e "$run" ] || die "$run has results that nobody fetched; fix: lab fleet resume fetches them, lab fleet clean with that fleet's folder and --discard removes them"
	done
	# Of a machine whose user can't become root there is no more than the tag.
	if [ "$(ls -A "$folder")" = tag ]; then
		rm -f "$folder/tag"
		rmdir "$folder"
		return 0
	fi
	# In this order it can go on wherever it is broken off: without lab a bundle is none, and
	# the tag says whose the rest is.
	$root rm -f "$folder"/bundle-*/lab
	$root rm -rf "$folder"/bundle-* "$folder"/.new-*
	rm -f "$folder/tag"
	$root rm -rf "$folder"
}
