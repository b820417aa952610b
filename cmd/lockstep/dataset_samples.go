package main

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lockstep/internal/console"
	"lockstep/internal/dataset"
	"lockstep/internal/picture"
)

// sample is a record as it is shown.
type sample struct {
	Record int    `json:"record"` // of the split, from 0
	File   string `json:"file"`
	InFile int    `json:"record_in_file"` // from 1
	Input  string `json:"input"`
	Target string `json:"target"`
}

// samples are the first records of a split, and what they look like if they are images.
type samples struct {
	list   []sample
	images []picture.Image
	shape  []int
}

func samplesOf(d *dataset.Dataset, split string, n int) (*samples, error) {
	if split != "train" && split != "val" && split != "test" {
		return nil, fmt.Errorf("--split %q: want train, val or test", split)
	}
	s, info := d.Split(split), d.Info()
	out := &samples{shape: info.Shape}
	names := info.Token
	var b dataset.Batch
	for i := range min(n, s.Len()) {
		if err := s.Read(&b, []int{i}, 0); err != nil {
			return nil, err
		}
		one := sample{Record: i, Input: numbers(b.X), Target: numbers(b.Y)}
		one.File, one.InFile = s.Record(i)
		switch {
		case len(b.Labels) == 1:
			one.Target = names(b.Labels[0])
		case len(b.Labels) > 1:
			one.Target = text(b.Labels, names)
		}
		if info.Integer && len(b.Labels) > 1 {
			one.Input = text(b.IDs, names)
		} else if info.Integer {
			one.Input = fmt.Sprint(b.IDs)
		}
		out.list = append(out.list, one)
		if len(info.Shape) == 3 {
			out.images = append(out.images, picture.Image{Height: info.Shape[0], Width: info.Shape[1], Channels: info.Shape[2], Pixels: slices.Clone(b.X)})
		}
	}
	return out, nil
}

// mostShown is the number of an input's numbers, or of a text's tokens, that are shown.
const mostShown = 12

func numbers(x []float32) string {
	var b strings.Builder
	for i, v := range x[:min(len(x), mostShown)] {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.FormatFloat(float64(v), 'g', 4, 32))
	}
	if len(x) > mostShown {
		fmt.Fprintf(&b, " ... (%d)", len(x))
	}
	return b.String()
}

func text(ids []int32, name func(int32) string) string {
	var b strings.Builder
	for _, id := range ids[:min(len(ids), 4*mostShown)] {
		b.WriteString(name(id))
	}
	s := strconv.Quote(b.String())
	if len(ids) > 4*mostShown {
		s += "..."
	}
	return s
}

var errNoImages = errors.New("the records are no images: they have no shape [height, width, channels]")

// sheetWidth is how many images stand side by side in a file.
const sheetWidth = 8

// writePNG writes a new file, which appears whole or not at all.
func (s *samples) writePNG(path string) error {
	if len(s.images) == 0 {
		return errNoImages
	}
	sheet, err := picture.Sheet(s.images, sheetWidth, max(1, 64/s.shape[1]))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, sheet); err != nil {
		return fmt.Errorf("encode PNG: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".png-*")
	if err != nil {
		return fmt.Errorf("write PNG: %w", err)
	}
	_, err = f.Write(b.Bytes())
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write PNG: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// draw puts as many images side by side as the terminal is wide.
func (s *samples) draw(w io.Writer, term console.Terminal) error {
	if len(s.images) == 0 {
		return errNoImages
	}
	width := 80
	if term.Width != nil {
		width = term.Width()
	}
	columns := max(1, (width+1)/(s.shape[1]+1))
	fmt.Fprintln(w)
	for at := 0; at < len(s.images); at += columns {
		row := s.images[at:min(at+columns, len(s.images))]
		sheet, err := picture.Sheet(row, columns, 1)
		if err != nil {
			return err
		}
		if err := picture.Write(w, sheet, term.Colour); err != nil {
			return err
		}
	}
	return nil
}
