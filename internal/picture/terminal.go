package picture

import (
	"fmt"
	"image"
	"io"
	"strings"
)

// shades are from dark to light, for terminals without colours.
const shades = " .:-=+*#%@"

// Write draws an image with a character for each two pixels, one above the other: half blocks in 24-bit colours, or
// plain characters by their lightness.
func Write(w io.Writer, im *image.RGBA, colours bool) error {
	r := im.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y += 2 {
		var b strings.Builder
		for x := r.Min.X; x < r.Max.X; x++ {
			top := im.RGBAAt(x, y)
			below := im.RGBAAt(x, y+1) // transparent black where there is none
			if colours {
				fmt.Fprintf(&b, "\x1b[38;2;%d;%d;%d;48;2;%d;%d;%dm▀", top.R, top.G, top.B, below.R, below.G, below.B)
				continue
			}
			sum := 0
			for _, v := range []uint8{top.R, top.G, top.B, below.R, below.G, below.B} {
				sum += int(v)
			}
			b.WriteByte(shades[sum*(len(shades)-1)/(6*255)])
		}
		line := strings.TrimRight(b.String(), " ")
		if colours {
			line += "\x1b[0m"
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
