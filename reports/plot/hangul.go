package plot

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot/font"
)

// Texts with Korean letters in them are set in a font that has these, the Latin ones
// of the same text included. It has those letters that the Korean texts use
// (hangul/make.sh makes it); its licence is beside it.
//
//go:embed hangul/*.ttf
var hangulFiles embed.FS

// hangulName is what plots call the font.
const hangulName = "Lab Hangul"

// hangul says whether a text has a Korean letter: a syllable, or a part of one.
func hangul(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r >= 0xac00 && r <= 0xd7a3 || r >= 0x1100 && r <= 0x11ff || r >= 0x3130 && r <= 0x318f
	})
}

// addHangul makes the font known to plots, at the first text that needs it.
var addHangul = sync.OnceFunc(func() {
	var all font.Collection
	for name, weight := range map[string]xfont.Weight{"regular": xfont.WeightNormal, "bold": xfont.WeightBold} {
		data, err := hangulFiles.ReadFile("hangul/" + name + ".ttf")
		if err != nil {
			panic(err) // it is in this program
		}
		face, err := opentype.Parse(data)
		if err != nil {
			panic(fmt.Errorf("hangul/%s.ttf: %w", name, err))
		}
		all = append(all, font.Face{Font: font.Font{Typeface: hangulName, Weight: weight}, Face: face})
	}
	font.DefaultCache.Add(all)
})

// withHangul puts those letters of the font into an SVG that it uses, so that it looks
// the same where no Korean font is installed.
func withHangul(svg []byte) ([]byte, error) {
	family := []byte("font-family:" + hangulName + ";")
	if !bytes.Contains(svg, family) {
		return svg, nil
	}
	faces := "<style>"
	for _, file := range []string{"regular", "bold"} {
		data, err := hangulFiles.ReadFile("hangul/" + file + ".ttf")
		if err == nil {
			data, err = cut(data, []rune(string(svg)))
		}
		if err != nil {
			return nil, fmt.Errorf("hangul/%s.ttf: %w", file, err)
		}
		faces += fmt.Sprintf("@font-face{font-family:'%s';font-weight:%s;src:url(data:font/ttf;base64,%s)}", hangulName, map[string]string{"regular": "normal", "bold": "bold"}[file], base64.StdEncoding.EncodeToString(data))
	}
	svg = bytes.ReplaceAll(svg, family, []byte("font-family:'"+hangulName+"','NanumGothic','Noto Sans CJK KR','Malgun Gothic','Apple SD Gothic Neo',sans-serif;"))
	return bytes.Replace(svg, []byte("<g "), []byte(faces+"</style>\n<g "), 1), nil
}

// cut is a TrueType font without the outlines of all letters but those given. Its
// glyphs keep their numbers: only the tables glyf and loca are made anew. The font is
// ours: it has no glyph made of others, and long offsets.
func cut(data []byte, letters []rune) ([]byte, error) {
	face, err := sfnt.Parse(data)
	if err != nil {
		return nil, err
	}
	used := map[int]bool{0: true}
	var b sfnt.Buffer
	for _, r := range letters {
		i, err := face.GlyphIndex(&b, r)
		if err != nil {
			return nil, err
		}
		used[int(i)] = true
	}
	const head, entry = 12, 16
	n := int(binary.BigEndian.Uint16(data[4:]))
	tables := map[string][]byte{}
	for i := range n {
		e := data[head+i*entry:]
		at, size := binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])
		tables[string(e[:4])] = data[at : at+size]
	}
	glyphs, places := tables["glyf"], tables["loca"]
	var outlines, loca []byte
	for i := range len(places)/4 - 1 {
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(outlines)))
		if used[i] {
			outlines = append(outlines, glyphs[binary.BigEndian.Uint32(places[4*i:]):binary.BigEndian.Uint32(places[4*i+4:])]...)
		}
	}
	tables["glyf"], tables["loca"] = outlines, binary.BigEndian.AppendUint32(loca, uint32(len(outlines)))

	out := bytes.Clone(data[:head+n*entry])
	for i := range n {
		e := out[head+i*entry:]
		t := tables[string(e[:4])]
		binary.BigEndian.PutUint32(e[8:], uint32(len(out)))
		binary.BigEndian.PutUint32(e[12:], uint32(len(t)))
		t = append(bytes.Clone(t), make([]byte, -len(t)&3)...) // each begins at a multiple of 4
		sum := uint32(0)
		for j := 0; j < len(t); j += 4 {
			sum += binary.BigEndian.Uint32(t[j:])
		}
		binary.BigEndian.PutUint32(e[4:], sum)
		out = append(out, t...)
	}
	return out, nil
}
