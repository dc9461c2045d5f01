package kernel

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"lab/bench/input"
)

// A Module is one that a guest will load.
type Module struct {
	Name string // with underscores: virtio_pci
	Data []byte // the ELF file, uncompressed
}

// Closure returns the named modules of a lib/modules/<version> folder and all
// that they depend on, each after those that it needs: loading them in this
// order with finit_module(2) never meets an unknown symbol. Modules that are
// built into the kernel are left out.
//
// Dependencies are read from the modules themselves (the "depends" entry of
// their .modinfo section): depmod, which would write modules.dep, runs when a
// package is installed, and ours is only unpacked.
func Closure(dir string, names ...string) ([]Module, error) {
	paths := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base, _, ok := strings.Cut(d.Name(), ".ko"); ok && d.Type().IsRegular() {
			paths[canonical(base)] = path
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("kernel modules: %w", err)
	}
	builtin := make(map[string]bool)
	list, err := input.ReadFile(filepath.Join(dir, "modules.builtin"), maxImage)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("kernel modules: %w", err)
	}
	for _, line := range strings.Fields(string(list)) {
		builtin[canonical(strings.TrimSuffix(filepath.Base(line), ".ko"))] = true
	}

	var out []Module
	state := make(map[string]int) // 1: being visited, 2: done
	var visit func(string) error
	visit = func(name string) error {
		name = canonical(name)
		if state[name] == 2 || builtin[name] {
			return nil
		}
		if state[name] == 1 {
			return fmt.Errorf("kernel module %s depends on itself", name)
		}
		state[name] = 1
		path, ok := paths[name]
		if !ok {
			return fmt.Errorf("kernel module %s isn't in %s", name, dir)
		}
		data, depends, err := readModule(path)
		if err != nil {
			return fmt.Errorf("kernel module %s: %w", path, err)
		}
		for _, d := range depends {
			if err := visit(d); err != nil {
				return err
			}
		}
		state[name] = 2
		out = append(out, Module{name, data})
		return nil
	}
	for _, n := range names {
		if err := visit(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// canonical writes a module's name as the kernel does: file names may have a
// dash where the name has an underscore.
func canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }

// readModule reads a module, undoing .xz, .zst or .gz, and what it depends on.
func readModule(path string) (data []byte, depends []string, err error) {
	data, err = input.ReadFile(path, maxImage)
	if err != nil {
		return nil, nil, err
	}
	if format := Compression(data); format != "" {
		if data, err = decompress(format, data, 64<<20); err != nil {
			return nil, nil, err
		}
	}
	depends, err = dependencies(data)
	return data, depends, err
}

// dependencies reads the "depends=a,b" entry of a module's .modinfo section.
func dependencies(data []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("%w: no .modinfo section", ErrFormat)
	}
	info, err := s.Data()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	for entry := range bytes.SplitSeq(info, []byte{0}) {
		if d, ok := strings.CutPrefix(string(entry), "depends="); ok && d != "" {
			return strings.Split(d, ","), nil
		}
	}
	return nil, nil
}
