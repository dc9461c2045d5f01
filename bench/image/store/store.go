// Package store keeps images by their digests, in a folder of the cache:
//
//	lab-images        marks the folder as the lab's, with its format's version
//	names/NAME        the digest of the image with that name
//	images/HEX        an image's record (JSON): see [Image]
//	blobs/sha256/HEX  manifests, configurations and layers as they came
//	layers/HEX        a layer's tree by the digest of its uncompressed archive, for an overlay
//	trees/HEX         an image's tree, of hard links to its layers' files
//
// What is in it appears whole or not at all: it is made in a folder .new-* beside
// it, and renamed. An image's files belong to its own users and may be setuid, so
// only root gets at blobs, layers and trees; names and records everybody may read.
//
// Finding an image reads two or three small files: lab exec does it at each start.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench/image"
	"lab/bench/input"
	"lab/bench/usercache"
)

// ErrUnknown is wrapped by errors about an image that isn't in the store.
var ErrUnknown = errors.New("no such image in the store")

// An Image is what the store knows about one.
type Image struct {
	Digest   string   `json:"digest"`       // of its manifest: the digest that registries know it by
	ID       string   `json:"id"`           // of its configuration: docker's image ID
	Tree     string   `json:"tree"`         // of its file tree: see image.Sum
	Size     int64    `json:"size"`         // bytes of the tree's regular files
	Platform string   `json:"platform"`     // as "linux/arm64"
	Layers   []string `json:"layers"`       // digests of the uncompressed archives, the lowest first
	Stacked  bool     `json:"stacked"`      // an overlay of the layers shows the tree
	Left     int      `json:"left_out"`     // device nodes and attributes that were not unpacked
	Start    Start    `json:"start"`        // what it starts by default
	Names    []string `json:"-"`            // that it has in the store
	Blobs    []string `json:"blobs"`        // the digests of all that belongs to it, the manifest's first
	Media    string   `json:"media_type"`   // the manifest's
	Length   int64    `json:"manifest_len"` // the manifest's, in bytes
}

// Start is what an image starts by default.
type Start struct {
	Entrypoint []string `json:"entrypoint,omitempty"`
	Command    []string `json:"command,omitempty"`
	Env        []string `json:"env,omitempty"`
	User       string   `json:"user,omitempty"` // "UID[:GID]", or names of the image's
	Dir        string   `json:"dir,omitempty"`
}

// A Store is one folder.
type Store struct{ dir string }

// In is the store of a cache folder, there or not.
func In(cache string) *Store { return &Store{usercache.Images(cache)} }

// Ref is the image's file tree.
func (s *Store) Ref(i Image) image.Ref {
	r := image.Ref{Name: i.Digest, Dir: filepath.Join(s.dir, "trees", bare(i.Digest)), Digest: i.Tree, Size: i.Size}
	if len(i.Names) > 0 {
		r.Name = i.Names[0]
	}
	if i.Stacked {
		for _, l := range i.Layers {
			r.Layers = append(r.Layers, filepath.Join(s.dir, "layers", bare(l)))
		}
	}
	return r
}

// Find is the image with a name, or with a digest ("sha256:" and at least 12 of
// its digits) of its manifest, its configuration or its tree.
func (s *Store) Find(ref string) (Image, error) {
	if !IsDigest(ref) {
		if err := CheckName(ref); err != nil {
			return Image{}, err
		}
		digest, err := input.ReadFile(s.name(ref), 200)
		if errors.Is(err, fs.ErrNotExist) {
			return Image{}, fmt.Errorf("image %s: %w; lab image ls lists them, lab image import adds one", ref, ErrUnknown)
		}
		if err != nil {
			return Image{}, fmt.Errorf("image %s: %w", ref, err)
		}
		i, err := s.read(strings.TrimSpace(string(digest)))
		i.Names = []string{ref}
		return i, err
	}
	all, err := s.List()
	if err != nil {
		return Image{}, err
	}
	var found []Image
	for _, i := range all {
		for _, d := range []string{i.Digest, i.ID, i.Tree} {
			if strings.HasPrefix(d, ref) {
				found = append(found, i)
				break
			}
		}
	}
	switch {
	case len(found) == 0:
		return Image{}, fmt.Errorf("image %s: %w; lab image ls lists them, lab image import adds one", ref, ErrUnknown)
	case len(found) > 1 && len(ref) < len("sha256:")+64:
		return Image{}, fmt.Errorf("image %s: %d images begin so; give more digits", ref, len(found))
	}
	return found[0], nil
}

// List is all images, by their digests.
func (s *Store) List() ([]Image, error) {
	names := map[string][]string{}
	entries, err := os.ReadDir(filepath.Join(s.dir, "names"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list images: %w", err)
	}
	for _, e := range entries {
		name := unescape(e.Name())
		if digest, err := input.ReadFile(s.name(name), 200); err == nil {
			d := strings.TrimSpace(string(digest))
			names[d] = append(names[d], name)
		}
	}
	entries, err = os.ReadDir(filepath.Join(s.dir, "images"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var out []Image
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		i, err := s.read("sha256:" + e.Name())
		if err != nil {
			return nil, err
		}
		i.Names = names[i.Digest]
		out = append(out, i)
	}
	return out, nil
}

// maxRecord is more than any image's record has.
const maxRecord = 8 << 20

func (s *Store) read(digest string) (i Image, err error) {
	if !isWhole(digest) {
		return i, fmt.Errorf("image store %s: %q is no digest; fix: remove the folder and import again", s.dir, digest)
	}
	data, err := input.ReadFile(filepath.Join(s.dir, "images", bare(digest)), maxRecord)
	if err == nil {
		err = json.Unmarshal(data, &i)
	}
	if err == nil && i.Digest != digest {
		err = errors.New("it is another image's")
	}
	for _, d := range slices.Concat(i.Layers, i.Blobs) {
		if err == nil && !isWhole(d) {
			err = fmt.Errorf("%q is no digest", d)
		}
	}
	if err != nil {
		return i, fmt.Errorf("image store: record of %s: %w; fix: remove the file in %s, and import the image again", digest, err, filepath.Join(s.dir, "images"))
	}
	return i, nil
}

// bare is a digest's digits.
func bare(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

// IsDigest says whether a word is a digest, or its beginning.
func IsDigest(word string) bool {
	hex, ok := strings.CutPrefix(word, "sha256:")
	return ok && len(hex) >= 12 && len(hex) <= 64 && !strings.ContainsFunc(hex, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
}

func isWhole(digest string) bool { return IsDigest(digest) && len(digest) == len("sha256:")+64 }

// CheckName is an error about a word that can't be an image's name.
func CheckName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@+"
	if name == "" || len(name) > 200 || strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(letters, r) }) || strings.ContainsAny(name[:1], "./-:@") {
		return fmt.Errorf("image name %q: letters, digits and . _ - / : @ + alone, beginning with a letter or digit, 200 at the most", name)
	}
	if strings.HasPrefix(name, "sha256:") {
		return fmt.Errorf("image name %q: a digest has 12 to 64 of the digits 0 to 9 and a to f behind sha256:", name)
	}
	return nil
}

// name is a name's file.
func (s *Store) name(name string) string {
	return filepath.Join(s.dir, "names", strings.ReplaceAll(name, "/", "%"))
}

func unescape(file string) string { return strings.ReplaceAll(file, "%", "/") }
