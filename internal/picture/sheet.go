package picture

import (
	"errors"
	"image"
	"image/color"
	"math"
)

// Image is one record of [height, width, channels]: grey, or red, green and blue; of other numbers of channels the
// first is drawn.
type Image struct {
	Height, Width, Channels int
	Pixels                  []float32
}

// gap is the number of pixels between the images of a sheet.
const gap = 1

// Sheet puts images of one size in rows of columns, each pixel scale pixels wide. The least number of all becomes
// black and the greatest white.
func Sheet(images []Image, columns, scale int) (*image.RGBA, error) {
	if len(images) == 0 {
		return nil, errors.New("no images to draw")
	}
	columns = min(columns, len(images))
	rows := (len(images) + columns - 1) / columns
	h, w := images[0].Height*scale+gap, images[0].Width*scale+gap
	if rows*h > 1<<14 || columns*w > 1<<14 {
		return nil, errors.New("the images are too large to be drawn together")
	}
	sheet := image.NewRGBA(image.Rect(0, 0, columns*w-gap, rows*h-gap))
	least, greatest := extremes(images)
	for k := range images {
		images[k].draw(sheet, k%columns*w, k/columns*h, scale, least, greatest)
	}
	return sheet, nil
}

func extremes(images []Image) (least, greatest float64) {
	least, greatest = math.Inf(1), math.Inf(-1)
	for _, im := range images {
		for _, v := range im.Pixels {
			least, greatest = min(least, float64(v)), max(greatest, float64(v))
		}
	}
	if greatest == least {
		greatest = least + 1
	}
	return least, greatest
}

// draw puts the image at (x0, y0).
func (im *Image) draw(dst *image.RGBA, x0, y0, scale int, least, greatest float64) {
	level := func(v float32) uint8 { return uint8(math.Round(255 * (float64(v) - least) / (greatest - least))) }
	for y := range im.Height * scale {
		for x := range im.Width * scale {
			p := im.Pixels[(y/scale*im.Width+x/scale)*im.Channels:]
			c := color.RGBA{R: level(p[0]), A: 255}
			c.G, c.B = c.R, c.R
			if im.Channels == 3 {
				c.G, c.B = level(p[1]), level(p[2])
			}
			dst.SetRGBA(x0+x, y0+y, c)
		}
	}
}
