package asked

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"lab/bench"
)

func TestAppend(t *testing.T) {
	of := func(text string) ([]string, error) {
		return Append(bench.Spec{Settings: map[string]string{"append": text}})
	}
	for text, want := range map[string][]string{
		"": nil, "none": nil, "mitigations=off": {"mitigations=off"},
		"mitigations=auto,nosmt nokaslr": {"mitigations=auto,nosmt", "nokaslr"},
		strings.Repeat("x", maxAppend):   {strings.Repeat("x", maxAppend)},
	} {
		if got, err := of(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for text, say := range map[string]string{
		strings.Repeat("x", maxAppend+1): "1025 bytes", "a  b": "two blanks", " a": "two blanks", "a\tb": "'\\t'", `a="b c"`: `'"'`, "ä=1": "'ä'",
		"--": "--", "nosmt init=/bin/sh": "init", "rdinit=/x": "rdinit", "console=tty0": "console", "acpi=off": "acpi", "loglevel=7": "loglevel",
		"debug": "debug", "panic=1": "panic",
	} {
		_, err := of(text)
		var u *bench.UnfitError
		if !errors.Is(err, bench.ErrNotApplicable) || !strings.Contains(err.Error(), say) || !errors.As(err, &u) || u.Cure == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}
