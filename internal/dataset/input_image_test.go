package dataset

import (
	"bytes"
	"image"
	"image/gif"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"

	"lockstep/internal/spec"
)

// colourful is an image of random colours, half transparent, as PNG, BMP and GIF make of it.
func colourful(t *testing.T, seed uint64, height, width int) map[string][]byte {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = byte(r.IntN(256))
	}
	files := map[string][]byte{}
	for name, encode := range map[string]func(b *bytes.Buffer) error{
		"png": func(b *bytes.Buffer) error { return png.Encode(b, m) },
		"bmp": func(b *bytes.Buffer) error { return bmp.Encode(b, m) },
		"gif": func(b *bytes.Buffer) error { return gif.Encode(b, m, nil) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		files[name] = b.Bytes()
	}
	return files
}

// A new image becomes the numbers that training makes of it, resized and greyed.
func TestImageInputIsAsInTraining(t *testing.T) {
	images := colourful(t, 1, 9, 7)
	for format, content := range images {
		dir := tree(t, map[string][]byte{"a/x." + format: content})
		for _, how := range []spec.Image{{ColorMode: "rgb"}, {ColorMode: "grayscale"}, {ColorMode: "rgb", Size: []int{4, 5}}, {ColorMode: "grayscale", Size: []int{12, 3}},
			{ColorMode: "rgb", Size: []int{4, 11}, Interpolation: "nearest"}} {
			d := opened(t, spec.Dataset{Format: "image_folder", Source: dir, Image: &how, Preprocessing: []spec.Preprocessor{{Type: "rescale", Scale: 0.1}}}, 1)
			in, err := NewInput(reopened(t, d.Info()))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := in.Image(content, &how)
			var got []float32
			if err == nil {
				got, err = in.Numbers(nil, raw)
			}
			if want := whole(t, d.Split("train")).X; err != nil || !slices.Equal(got, want) {
				t.Errorf("%s %+v: %v, %v\nwant %v", format, how, err, got, want)
			}
		}
	}
	in, err := NewInput(Info{Shape: []int{7, 9, 3}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Image(images["png"], nil); err == nil || err.Error() != "an image of 9x7 pixels, want 7x9" {
		t.Error(err)
	}
	if _, err := in.Image(pngHeader(100_000, 100_000), nil); err == nil || !strings.Contains(err.Error(), "over the limit") {
		t.Error(err)
	}
	flat, err := NewInput(Info{Shape: []int{189}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flat.Image(images["png"], nil); err == nil || err.Error() != "the model does not read images" {
		t.Error(err)
	}
}
