# A cluster: Slurm's controller, and nodes n1, n2, … at ports of their own, each
# with a process tree and private folders of its own. The test sources it as the first process
# of a PID, mount and network namespace: when that ends, all of it does.
set -eu
cd "$WORK"
ip link set lo up
ip link add room type bridge # Slurm asks for no name on a machine that has but a loopback
ip addr add 192.0.2.1/24 dev room
ip link set room up
hostname room
printf '127.0.0.1 localhost\n192.0.2.1 room\n' >hosts
mount --bind hosts /etc/hosts
mount -t tmpfs none /run
export PATH="$LABDIR:$PATH" SLURM_CONF="$WORK/slurm.conf"
cat >slurm.conf <<-END
	ClusterName=room
	SlurmctldHost=room(192.0.2.1)
	SlurmUser=root
	SlurmdUser=root
	AuthType=auth/none
	CredType=cred/none
	AuthInfo=cred_expire=5
	CommunicationParameters=NoInAddrAny
	StateSaveLocation=$WORK/state
	SlurmctldPidFile=$WORK/slurmctld.pid
	SlurmctldLogFile=$WORK/slurmctld.log
	SlurmdSpoolDir=$WORK/%n/spool
	SlurmdPidFile=$WORK/%n/slurmd.pid
	SlurmdLogFile=$WORK/%n/slurmd.log
	SlurmdTimeout=6
	KillWait=10
	ReturnToService=2
	ProctrackType=proctrack/linuxproc
	TaskPlugin=task/none
	SelectType=select/linear
	MpiDefault=none
	NodeName=n1 NodeHostname=room NodeAddr=192.0.2.1 Port=17001
	NodeName=n2 NodeHostname=room NodeAddr=192.0.2.1 Port=17002
	NodeName=n3 NodeHostname=room NodeAddr=192.0.2.1 Port=17003
	NodeName=n4 NodeHostname=room NodeAddr=192.0.2.1 Port=17004
	PartitionName=class Nodes=n1,n2,n3 Default=YES State=UP
	PartitionName=twice Nodes=n2,n4 State=UP
END
mkdir state
slurmctld -D >/dev/null 2>&1 &

# node N: starts nN, with what it had the last time that it was on. $node is the first
# process of it.
node() {
	dir=$WORK/n$1
	mkdir -p "$dir/tmp" "$dir/spool"
	chmod 1777 "$dir/tmp"
	rm -f "$dir/up"
	unshare --mount --pid --fork --mount-proc --kill-child sh -euc '
		mount -t tmpfs none /run
		mount --bind "$1/tmp" /var/tmp
		touch "$1/up"
		slurmd -D -N "$2" >/dev/null 2>&1 &
		while :; do sleep 1000 & wait; done' node "$dir" "n$1" &
	eval "node$1=$!"
	until [ -e "$dir/up" ]; do sleep 0.05; done
}

# inside N CMD…: runs it on nN.
inside() {
	n=$1
	shift
	nsenter -t "$(pgrep -P "$(eval echo "\$node$n")")" -p -m "$@"
}

# state N STATE…: waits until nN is in one of these states.
state() {
	n=$1
	shift
	until case " $* " in *" $(sinfo -h -N -n "n$n" -o %t | head -n 1) "*) ;; *) false ;; esac; do sleep 0.2; done
}
