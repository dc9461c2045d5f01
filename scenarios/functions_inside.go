package scenarios

import "lab/bench"

// The scripts of the functions scenario, for the image's own shell. $1 is the token
// of package line, $2 what is in each name that a trial makes.

// functionsSay is a line of that language: say KIND NAME KEY=VALUE…
const functionsSay = `
say() { echo "$token 1 $*"; }
ask() { say begin "$@"; read answer; }
check() { if [ "$2" = "$3" ]; then say fact $1 works=yes; else say fact $1 works=no "saw=\"$(echo "$2" | tr -d '"\\' | tr '\n' ' ')\""; fi; }
token=$1 tag=$2
[ -e /dev/null ] || : >/dev/null
`

// functionsHarmless changes no file but its own. A shell adds some variables itself.
const functionsHarmless = `
check around "$(id -u):$(id -g) $(pwd) $(umask) $(env | grep -v -e ^PWD= -e ^OLDPWD= -e ^SHLVL= -e ^_= | sort | tr '\n' ' ')" \
  "0:0 / 0022 LAB_ASKED=yes PATH=` + bench.DefaultPath + ` "
pid=$(sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!')
kill -0 $pid && alive=yes
check background "$alive" yes
kill $pid
say fact kernel is=$(uname -r)
mkdir -p /tmp
echo $tag >/tmp/functions-$tag
ask exec file=/tmp/functions-$tag
rm /tmp/functions-$tag
say bye
`

// functionsDigests says the digests of two of the image's programs.
const functionsDigests = `
sum() { sha256sum $1 | cut -d ' ' -f 1; }
say fact same busybox=$(sum /bin/busybox) probe=$(sum /bin/probe)
`

const functionsInside = `
id=$((4000 + $(wc -l </etc/passwd)))
echo u$tag:x:$id:$id::/:/bin/sh >>/etc/passwd
echo u$tag:x:$id: >>/etc/group
check user "$(su u$tag -c 'id -un; id -u' 2>&1 | tr '\n' ' ')" "u$tag $id "
mkdir -p /tmp/package-$tag/usr/bin /tmp /usr/bin
(cd /tmp/package-$tag
printf '#!/bin/sh\necho installed\n' >usr/bin/hello-$tag
chmod 755 usr/bin/hello-$tag
tar -czf /tmp/$tag.tar.gz usr && tar -xzf /tmp/$tag.tar.gz -C /)
check package "$(/usr/bin/hello-$tag 2>&1)" installed
` + functionsDigests + `
echo $tag >/etc/kept-$tag
` + functionsHarmless

// functionsFirst and functionsSecond are two instances with the same folders.
const functionsFirst = `
say fact folder read=$(cat /mnt/rw/host) ro=$(cat /mnt/ro/host)
wrote=no; (echo x >/mnt/ro/first) 2>/dev/null && wrote=yes
echo first-$tag >/mnt/rw/first
say fact folder wrote=$wrote
ask second
say fact volume other=$(cat /mnt/rw/second)
say bye
`

const functionsSecond = `
cat /mnt/rw/first >/mnt/rw/second
`

const functionsFresh = `
check fresh "$(ls /etc/kept-$tag 2>/dev/null)" ""
say bye
`
