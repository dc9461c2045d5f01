package cli

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"lab/bench/owner"
)

// NeedRoot is nil for root, else an error that ends in the exact command to
// type. what needs it: "lab run".
func (a *App) NeedRoot(what string, status int) error {
	if os.Geteuid() == 0 {
		return nil
	}
	return &StatusError{status, fmt.Errorf("%s needs root (namespaces, mounts and cgroups are made); nothing was touched; type:\n     %s",
		what, a.Typed(a.Args[1:]))}
}

// Typed is what a user types to have the lab do what the words say, as root.
func (a *App) Typed(args []string) string {
	var words []string
	if os.Geteuid() != 0 || owner.Caller() != "" {
		words = asRoot()
	}
	for _, name := range []string{"LAB_CACHE", "LAB_KERNEL", "XDG_CACHE_HOME"} {
		if v := os.Getenv(name); v != "" {
			words = append(words, name+"="+v)
		}
	}
	prog := a.Args[0]
	if !strings.Contains(prog, "/") {
		if exe, err := os.Executable(); err == nil {
			prog = exe
		}
	}
	words = append(append(words, prog), args...)
	return Quote(words)
}

// Quote is a command as it is typed in a shell.
func Quote(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

// asRoot is how a command becomes root here. Each has a PATH of its own, and hands
// no variable on unless it is told.
func asRoot() []string {
	for _, words := range [][]string{{"sudo"}, {"doas", "env"}, {"pkexec", "env"}, {"run0", "env"}} {
		if _, err := exec.LookPath(words[0]); err == nil {
			return words
		}
	}
	return []string{"sudo"}
}

// quote makes a word safe for a shell where it has to be.
func quote(w string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_=+,./:@%", r)
	}
	if w != "" && strings.IndexFunc(w, func(r rune) bool { return !plain(r) }) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
