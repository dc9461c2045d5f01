# A machine goes away in the middle, and comes back; whoever asked is killed; a machine
# is another lab's. In the end every planned trial is there once.
. "$ROOM"
machine 1
machine 2
machine 3
printf 'pc1\npc2\npc3\n' >hosts
printf 'format: 1\nscenarios: [startup, command]\ncommand: [/bin/true]\nenvironments: [host, chroot]\ntrials: %s\nwarmup: 2\n' "${TRIALS:-1500}" >x.yaml

# measured N SCENARIO: waits until pcN has made some trials.
measured() {
	of="pc$1 $2"
	await '[ "$(cat "${of% *}"/tmp/lab-fleet-0/run-*/results/"${of#* }"/trials.jsonl 2>/dev/null | grep -c "\"last\":true")" -gt 100 ]'
}
# quiet N: waits until nothing of the lab's runs on pcN.
quiet() {
	n=0
	while nsenter -t "$(pgrep -P "$(eval echo "\$pc$1")")" -p -m sh -c 'pgrep lab >/dev/null'; do
		sleep 0.2
		n=$((n + 1))
		[ $n -lt 100 ] || { echo "pc$1 still runs a lab"; break; }
	done
}

lab fleet run -f x.yaml --hosts hosts --out out >said 2>&1 &
fleet=$!
measured 2 startup
kill -9 "$pc2"
wait $fleet && echo status 0 || echo status $?
grep '^- ' said
echo "then: $(ls out/startup)"

echo 'it comes back'
machine 2
lab fleet resume out >said 2>&1 & 
fleet=$!
measured 2 command
kill -9 $fleet # and whoever asked goes away
{ wait $fleet || :; } 2>/dev/null
quiet 2
lab fleet resume out >said 2>&1 && echo status 0 || echo status $?
for n in 1 2 3; do
	for s in startup command; do
		echo "pc$n $s: $(grep -c '"last":true' "out/$s/pc$n/trials.jsonl") trials, resumed $(grep -c '"trials":.*,$\|"at":.*Z"' "out/$s/pc$n/manifest.json")"
	done
	echo "pc$n has $(ls -A "pc$n/tmp/lab-fleet-0" | sed 's/bundle-.*/bundle/' | tr '\n' ' ')"
	quiet $n
done

echo 'killed there'
echo pc3 >one
lab fleet run -f x.yaml --hosts one --out killed >said 2>&1 &
fleet=$!
measured 3 startup
on3() { nsenter -t "$(pgrep -P "$pc3")" -p -m -n "$@"; }
# Those that die with one of them may be gone before it is their turn.
on3 sh -c 'all=$(pgrep -x "lab|lab-full") && { kill -9 $all 2>/dev/null || :; }'
sleep 1
echo "there: $(ls -A pc3/tmp/lab-fleet-0 | sed 's/-.*//' | tr '\n' ' '), $(ls -A pc3/tmp | tr '\n' ' '), $(on3 ls -A /run/lab 2>/dev/null | grep -c . || :) runs, $(on3 grep -c ' /.*lab' /proc/self/mounts || :) mounts, $(on3 ls /sys/class/net | grep -v '^ifb' | tr '\n' ' ')"
wait $fleet && echo status 0 || echo status $?
for s in startup command; do
	echo "killed pc3 $s: $(grep -c '"last":true' "killed/$s/pc3/trials.jsonl") trials"
done
lab fleet clean --hosts one
echo "then: $(ls -A pc3/tmp)"

echo 'another lab is there'
nsenter -t "$(pgrep -P "$pc1")" -p -m -n sh -c 'cd /tmp && exec "$0"/lab run startup --env host --runs 100000 --out "$1/long"' "$LABDIR" "$WORK" >/dev/null 2>&1 &
await '[ -s long/trials.jsonl ]'
sed -i 's/trials: .*/trials: 3/' x.yaml
lab fleet run -f x.yaml --hosts hosts --out other 2>&1 | grep '^- \|measured:'
# It ends as by Ctrl-C: a killed one's empty cgroups would stay until the next lab.
nsenter -t "$(pgrep -P "$pc1")" -p -m sh -c 'kill -INT "$(pgrep -o -x "lab|lab-full")"'
quiet 1
