package infer

import (
	"fmt"
	"io"

	"lockstep/internal/dataset"
)

// maxImage bounds an image file, in bytes.
const maxImage = 64 << 20

// ReadImage reads one record from an image file: grey or red, green and blue values from 0 to 255, as the model's shape asks for.
// A model that was trained on images of a size that its specification says has it resized; otherwise it has to have the model's size.
func (m *Model) ReadImage(file string, r io.Reader, emit func(Record) error) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxImage+1))
	if err == nil && len(raw) > maxImage {
		err = fmt.Errorf("an image of more than %d bytes", maxImage)
	}
	var numbers []float64
	if err == nil {
		numbers, err = m.Input.Image(raw, m.bundle.Spec.Spec.Dataset.Image)
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
