# One machine is measured; of the others each has something wrong, which is named.
. "$ROOM"
SMALL=yes machine 2
machine 1
machine 3
sed -i '/192.0.2.103/d' "$WORK/known"
printf 'pc1\npc2\npc3\n192.0.2.1 # nobody listens\n' >hosts
printf 'format: 1\nscenarios: [startup]\nenvironments: [host, chroot]\ntrials: 6\nwarmup: 0\n' >x.yaml
lab fleet run -f x.yaml --hosts hosts --out out && echo status 0 || echo status $?
echo "left: $(cd pc1/tmp && find . -maxdepth 2 -name 'run-*' -o -maxdepth 2 -name '.new-*')"
lab report out/startup/* | grep 'middle of' || :
sed -i 3,4d hosts
lab fleet clean --hosts hosts
echo "then: $(ls pc1/tmp pc2/tmp)"

echo 'names are corrected'
absent() { for file in "$1"/machines.md "$1"/machines.html; do grep -c "$2" "$file" || :; done | tr '\n' ' '; }
echo "absent: $(absent out/report-startup 'pc2.*none.*its disk is full\|pc3.*none.*its host key isn.*t known\|192.0.2.1.*none.*it refuses')"
machine 4
printf 'pc1\npc4\n' >hosts
lab fleet resume out --hosts hosts >said && echo status 0 || echo status $?
grep -v '^$' said | grep '^- .* hosts\|^- .*fleet clean\|measured:'
echo "absent: $(absent out/report-startup 'its disk is full\|pc3.*none')"
machine 5
rm out/bundle.tar.gz # as lab fleet clean does
cp -r out other
sed -i '/"bundle": {/,/}/s/sha256:..../sha256:beef/' other/fleet.json
printf 'pc1\npc4\npc5\n' >hosts
lab fleet resume other --hosts hosts 2>&1 && echo status 0 || echo status $?
echo "other: $(ls other/bundle.tar.gz 2>/dev/null || :) $(grep -c pc5 other/fleet.json)"
lab fleet resume out --hosts hosts 2>&1 | grep '^- pc5: new\|measured:'
echo "kept: $(ls out/bundle.tar.gz)"
lab fleet clean out
echo "then: $(ls pc1/tmp pc2/tmp pc4/tmp pc5/tmp | tr '\n' ' ')$(ls out/bundle.tar.gz 2>/dev/null || :)"

echo 'taken out, and back'
printf 'format: 1\nscenarios: [startup, command]\ncommand: [/bin/true]\nenvironments: [host]\ntrials: 6\nwarmup: 0\n' >y.yaml
printf 'pc1\npc4\n' >hosts
lab fleet run -f y.yaml --hosts hosts --out back >said 2>&1
rm -r back/command/pc4
sed -i '/"name": "pc4"/,/"state"/s/"done"/"failed"/' back/fleet.json
echo pc1 >hosts
lab fleet resume back --hosts hosts >said 2>&1 && echo status 0 || echo status $?
grep '^- pc\|machines measured' said | grep -v ': doctor: '
lab fleet clean back
echo "then: $(ls pc4/tmp)$(ls back/bundle.tar.gz 2>/dev/null || :)"
printf 'pc1\npc4\n' >hosts
lab fleet resume back --hosts hosts >said 2>&1 && echo status 0 || echo status $?
grep '^- pc\|machines measured' said | grep -v ': doctor: '
lab fleet clean back

echo 'left half way'
printf 'format: 1\nscenarios: [startup]\nenvironments: [host, chroot]\ntrials: 5000\nwarmup: 0\n' >x.yaml
printf 'pc1\n' >hosts
lab fleet run -f x.yaml --hosts hosts --out half >said 2>&1 &
fleet=$!
await '[ "$(cat pc1/tmp/lab-fleet-0/run-*/results/startup/trials.jsonl 2>/dev/null | grep -c "\"last\":true")" -gt 50 ]'
kill -9 $fleet
{ wait $fleet || :; } 2>/dev/null
await 'flock -n pc1/tmp/lab-fleet-0/run-* true'
lab fleet clean half 2>&1 && echo status 0 || echo status $?
echo "then: $(ls pc1/tmp/lab-fleet-0 | sed 's/-.*//' | tr '\n' ' ')"
lab fleet clean half --discard 2>&1 && echo status 0 || echo status $?
echo "then: $(ls pc1/tmp)."
