# A node goes away in the middle of its task, and comes back; a daemon dies, and its job
# lives on; a job is cancelled, a time limit too short, a node drained; whoever asked is
# killed. In the end every planned trial is there once, and nothing is left on the nodes.
. "$ROOM"
node 1
node 2
node 3
experiment() { printf 'format: 1\nscenarios: [startup]\nenvironments: [host, chroot]\ntrials: %s\nwarmup: 2\n' "$1" >x.yaml; }
lines() { cat "$@" 2>/dev/null | grep -c '"last":true' || :; }
# measured N K: waits until nN has made K trials.
measured() { until [ "$(lines "n$1"/tmp/lab-fleet-0/run-*/results/*/trials.jsonl)" -ge "$2" ]; do sleep 0.05; done; }
ready() { for n; do state "$n" idle; done; }
# told DIR SCENARIO N…: what came of nodes.
told() {
	dir=$1
	scenario=$2
	shift 2
	for n; do
		sed -n 's/^ *"outcome": "\(.*\)",*$/\1/p' "$dir/$scenario/n$n/manifest.json" >outcome
		echo "$dir: n$n: $(lines "$dir/$scenario/n$n/trials.jsonl") trials, $(cat outcome), left: $(ls -A "n$n/tmp" | tr '\n' ' ')"
	done
}
ready 1 2 3

experiment 1000
lab fleet run -f x.yaml --slurm --out out >said 2>&1 &
fleet=$!
measured 3 100
kill -9 "$node3"
until squeue -h -r -t all -o '%T %r' | grep -q PENDING; do sleep 0.2; done
echo "the node is lost: $(sinfo -h -N -p class -o %t | sort -u | tr '\n' ' ')"
node 3
wait $fleet && echo status 0 || echo status $?
grep 'machines measured\|not measured\|^- ' said || :
told out startup 1 2 3
grep -c '"resumed"' out/startup/n3/manifest.json || :
echo "folder: $(ls out | tr '\n' ' ')"

echo 'a daemon dies, and its job lives on'
mkdir n4 n4/spool
inside 2 slurmd -D -N n4 >/dev/null 2>&1 &
state 4 idle
ready 2
scontrol update nodename=n4 state=drain reason=later
# However fast the machine is: until Slurm starts it once more, which is two minutes later.
printf 'format: 1\nscenarios: [command]\ncommand: [/bin/sleep, "0.5"]\nenvironments: [host, chroot]\ntrials: 240\nwarmup: 0\n' >long.yaml
lab fleet run -f long.yaml --slurm --tasks 1 --out twice -- -p twice >said 2>&1 &
fleet=$!
measured 2 20
scontrol update nodename=n4 state=resume
inside 2 sh -c 'kill -9 "$(cat "$WORK/n2/slurmd.pid")"'
until squeue -h -r -o '%T %N' | grep -q 'RUNNING n4'; do sleep 0.2; done
before=$(lines n2/tmp/lab-fleet-0/run-*/results/command/trials.jsonl)
sleep 2
after=$(lines n2/tmp/lab-fleet-0/run-*/results/command/trials.jsonl)
[ "$after" -gt "$before" ] && echo "it goes on measuring, $(inside 2 pgrep -fc 'lab fleet work|lab-full fleet work') of the lab's at work"
wait $fleet && echo status 0 || echo status $?
grep 'machines measured\|not measured' said || :
echo "twice: $(ls twice/command): $(lines twice/command/*/trials.jsonl) trials"
until [ -z "$(squeue -h)" ]; do sleep 0.5; done
echo "left: $(ls -A n2/tmp)"
inside 2 sh -c 'kill "$(cat "$WORK/n4/slurmd.pid")"'
inside 2 slurmd -D -N n2 >/dev/null 2>&1 &
ready 1 2 3

echo 'cancelled, and too short'
printf 'format: 1\nscenarios: [command]\ncommand: [/bin/sleep, "0.25"]\nenvironments: [host, chroot]\ntrials: 300\nwarmup: 0\n' >y.yaml
lab fleet run -f y.yaml --slurm --tasks 2 --out hard -- --time=1 --nodelist=n3 >said 2>&1 && echo 'refused: no' || grep -o 'can.t be asked of sbatch here' said
scontrol update nodename=n1 state=drain reason=maintenance
lab fleet run -f y.yaml --slurm --tasks 2 --out hard -- --time=1 >said 2>&1 &
fleet=$!
measured 2 20
measured 3 20
kill -9 $fleet
{ wait $fleet || :; } 2>/dev/null
lab fleet resume hard >said 2>&1 &
fleet=$!
sleep 10
echo "jobs: $(squeue -h -t all -n "lab-fleet-$(sed -n 's/^  "id": "\(.*\)",/\1/p' hard/fleet.json)" -o %F | sort -u | wc -l)"
scancel "$(squeue -h -r -t R -w n2 -o %F_%K)"
wait $fleet && echo status 0 || echo status $?
grep 'machines measured\|not measured' said || :
echo "n3 has $(ls -A n3/tmp/lab-fleet-0 | sed 's/-.*//' | tr '\n' ' ')"
lab fleet resume hard -- --time=60 >said 2>&1 && echo status 0 || echo status $?
grep 'machines measured\|not measured' said || :
told hard command 2 3

echo 'a node is drained'
experiment 6
lab fleet run -f x.yaml --slurm --patience 5s --out drained >said 2>&1 && echo status 0 || echo status $?
grep 'machines measured\|not measured' said || :
scontrol update nodename=n1 state=resume
lab fleet resume drained >said 2>&1 && echo status 0 || echo status $?
grep 'machines measured\|not measured' said || :
told drained startup 1 2 3
