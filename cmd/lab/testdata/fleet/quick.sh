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
