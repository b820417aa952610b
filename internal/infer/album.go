package infer

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"lockstep/internal/picture"
)

// Album draws records that are images with their predictions, one PNG file each.
type Album struct {
	dir   string
	shape []int
	n     int
}

// NewAlbum makes the folder.
func NewAlbum(dir string, m *Model) (*Album, error) {
	shape := m.Data.Shape
	if len(shape) != 3 {
		return nil, errors.New("the model does not read images: there is nothing to draw")
	}
	return &Album{dir: dir, shape: shape}, os.MkdirAll(dir, 0o755)
}

// side is about how many pixels a drawn image is wide.
const side = 224

// Draw writes the next picture.
func (a *Album) Draw(r Record, p Prediction) error {
	h, w := a.shape[0], a.shape[1]
	im := picture.Image{Height: h, Width: w, Channels: a.shape[2], Pixels: r.X}
	sheet, err := picture.Sheet([]picture.Image{im}, 1, max(1, side/max(h, w)))
	if err != nil {
		return err
	}
	caption := "output"
	if p.Class != "" {
		caption = fmt.Sprintf("%s  %.1f%%", p.Class, 100*p.Probability)
	} else if len(p.Output) == 1 {
		caption = fmt.Sprintf("%.6g", p.Output[0])
	}
	a.n++
	return writePNG(filepath.Join(a.dir, fmt.Sprintf("%06d.png", a.n)), captioned(sheet, caption))
}

// captioned puts a line of text under a picture.
func captioned(img image.Image, text string) image.Image {
	b := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, max(b.Dx(), 7*len(text)+8), b.Dy()+20))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(out, image.Rect(0, 0, b.Dx(), b.Dy()), img, b.Min, draw.Src)
	write(out, 4, b.Dy()+14, text, color.Black)
	return out
}

// write draws text from (x, y) on, y being its base line.
func write(dst draw.Image, x, y int, text string, c color.Color) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
	d.DrawString(text)
}

// writePNG writes a file, whole or not at all.
func writePNG(path string, img image.Image) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".png-*")
	if err != nil {
		return err
	}
	err = errors.Join(png.Encode(f, img), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
