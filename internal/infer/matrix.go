package infer

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
)

// DrawConfusion draws the confusion matrix as a PNG file: a row for each class, a column for each prediction, darker
// where more of the row's records are.
func (r *Report) DrawConfusion(path string) error {
	n := len(r.Confusion)
	if n == 0 || n > 64 {
		return errors.New("there is no confusion matrix of 2 to 64 classes to draw")
	}
	const side, margin = 56, 120
	img := image.NewRGBA(image.Rect(0, 0, margin+n*side+8, margin/2+n*side+8))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for i, row := range r.Confusion {
		write(img, 6, margin/2+i*side+side/2+4, shortened(r.Classes[i].Class, 15), color.Black)
		write(img, margin+i*side+4, margin/2-8, shortened(r.Classes[i].Class, 7), color.Black)
		for j, v := range row {
			share := float64(v) / float64(max(1, r.Classes[i].Records))
			at := image.Rect(margin+j*side, margin/2+i*side, margin+(j+1)*side-1, margin/2+(i+1)*side-1)
			level := uint8(245 - 200*share)
			draw.Draw(img, at, image.NewUniform(color.RGBA{level, level, 250, 255}), image.Point{}, draw.Src)
			ink := color.Color(color.Black)
			if share > 0.6 {
				ink = color.White
			}
			write(img, at.Min.X+6, at.Min.Y+side/2+4, fmt.Sprint(v), ink)
		}
	}
	return writePNG(path, img)
}

func shortened(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "."
	}
	return s
}
