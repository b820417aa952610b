package dataset

import (
	"errors"
	"fmt"

	"lockstep/internal/spec"
)

// Image returns the numbers of an image file, PNG, JPEG, GIF, BMP or WebP, of which a record is made as a folder of images is read: as
// many channels as the model reads, and resized as how says. If that says no size, the image has to have the model's.
func (in *Input) Image(content []byte, how *spec.Image) ([]float64, error) {
	shape := in.info.Shape
	if len(shape) != 3 || shape[2] != 1 && shape[2] != 3 || len(in.info.Columns) > 0 {
		return nil, errors.New("the model does not read images")
	}
	p, err := decodeImage(content, defaultLimits)
	if err != nil {
		return nil, err
	}
	if how == nil {
		how = new(spec.Image)
	}
	if how.Size == nil && (p.height != shape[0] || p.width != shape[1]) {
		return nil, fmt.Errorf("an image of %dx%d pixels, want %dx%d", p.height, p.width, shape[0], shape[1])
	}
	numbers := make([]float64, 0, in.width)
	for _, v := range p.sized([2]int{shape[0], shape[1]}, shape[2], how.Interpolation).data {
		numbers = append(numbers, float64(v))
	}
	return numbers, nil
}
