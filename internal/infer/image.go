package infer

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // decoders of what people have
	_ "image/jpeg" //
	_ "image/png"  //
	"io"

	"lockstep/internal/dataset"
)

// maxImage bounds an image file, in bytes, and maxPixels its sides' product.
const (
	maxImage  = 64 << 20
	maxPixels = 1 << 26
)

// ReadImage reads one record from a PNG, JPEG or GIF file: grey or red, green and blue values from 0 to 255, as the model's
// shape asks for. It has to have the model's size.
func (m *Model) ReadImage(file string, r io.Reader, emit func(Record) error) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxImage+1))
	if err == nil && len(raw) > maxImage {
		err = fmt.Errorf("an image of more than %d bytes", maxImage)
	}
	var numbers []float64
	if err == nil {
		numbers, err = m.pixels(raw)
	}
	var rec Record
	if err == nil {
		rec, err = m.FromNumbers(numbers)
	}
	if err != nil {
		return &dataset.RecordError{File: file, Err: err}
	}
	return emit(rec)
}

func (m *Model) pixels(raw []byte) ([]float64, error) {
	shape := m.Data.Shape
	if len(shape) != 3 || shape[2] != 1 && shape[2] != 3 {
		return nil, errors.New("the model does not read images")
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(raw))
	switch {
	case err != nil:
		return nil, err
	case c.Width*c.Height > maxPixels || c.Width != shape[1] || c.Height != shape[0]:
		return nil, fmt.Errorf("an image of %dx%d pixels, want %dx%d", c.Width, c.Height, shape[1], shape[0])
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	b := img.Bounds()
	out := make([]float64, 0, volume(shape))
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if shape[2] == 1 {
				out = append(out, float64(color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y))
				continue
			}
			p := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			out = append(out, float64(p.R), float64(p.G), float64(p.B))
		}
	}
	return out, nil
}
