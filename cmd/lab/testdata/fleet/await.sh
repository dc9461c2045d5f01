# await CONDITION: waits until these words of a shell's hold, for a minute at most: what the
# lab has said, and what the machines have, is told then, and the script ends.
await() {
	waited=0
	until eval "$1"; do
		waited=$((waited + 1))
		if [ $waited -gt 1200 ]; then
			echo "not in a minute: $1"
			cat said pc*/log 2>/dev/null || :
			ls -AR pc*/tmp 2>/dev/null | head -n 100
			exit 1
		fi
		sleep 0.05
	done
}
