package plot

import "image/color"

func rgb(hex uint32) color.RGBA {
	return color.RGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

// Colours that people tell apart whatever their colour vision: M. Okabe, K. Ito,
// Color universal design, 2008. Their order alternates between dark and light,
// so that neighbours differ in a grey print, too. Nothing is told by colour
// alone: rows and parts bear their names or numbers.
var (
	black = rgb(0x000000)
	grey  = rgb(0x555555)
	faint = rgb(0xd0d0d0)
	band  = rgb(0xf4f4f4)
	paper = rgb(0xffffff)

	palette = []color.RGBA{
		rgb(0x0072b2), // blue
		rgb(0xe69f00), // orange
		rgb(0x009e73), // bluish green
		rgb(0xf0e442), // yellow
		rgb(0xd55e00), // vermilion
		rgb(0x56b4e9), // sky blue
		rgb(0xcc79a7), // reddish purple
	}
	restColor = rgb(0xbbbbbb) // the part that no phase accounts for
)

// Paint is the i-th colour of parts that lie side by side; from the eighth on
// they come again darker, and then lighter.
func Paint(i int) color.RGBA {
	c := palette[i%len(palette)]
	switch i / len(palette) {
	case 0:
	case 1:
		c.R, c.G, c.B = c.R/2, c.G/2, c.B/2
	default:
		c.R, c.G, c.B = c.R/2+127, c.G/2+127, c.B/2+127
	}
	return c
}

// RowColor is the i-th row's: small dots need the palette's darker half.
func RowColor(i int) color.RGBA {
	dark := []color.RGBA{palette[0], palette[4], palette[2], palette[6], rgb(0x444444)}
	return dark[i%len(dark)]
}

// seeThrough lets points show how many lie on one another.
func seeThrough(c color.RGBA) color.Color { return color.NRGBA{c.R, c.G, c.B, 150} }

// ink is black or white, whichever is easier to read on c (its luma by
// ITU-R BT.601).
func ink(c color.RGBA) color.RGBA {
	if 299*int(c.R)+587*int(c.G)+114*int(c.B) < 128_000 {
		return paper
	}
	return black
}
