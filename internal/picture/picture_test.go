package picture

import (
	"image/color"
	"strings"
	"testing"
)

func TestSheet(t *testing.T) {
	images := []Image{
		{Height: 1, Width: 2, Channels: 1, Pixels: []float32{-1, 0}},
		{Height: 1, Width: 2, Channels: 3, Pixels: []float32{1, 0, -1, 1, 1, 1}},
		{Height: 1, Width: 2, Channels: 2, Pixels: []float32{0, 9, 1, 1}},
	}
	images[2].Pixels[1] = 1
	sheet, err := Sheet(images, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	if b := sheet.Bounds(); b.Dx() != 9 || b.Dy() != 5 {
		t.Errorf("%v", b)
	}
	for at, want := range map[[2]int]color.RGBA{
		{0, 0}: {0, 0, 0, 255}, {3, 1}: {128, 128, 128, 255}, {4, 0}: {}, {5, 0}: {255, 128, 0, 255}, {8, 1}: {255, 255, 255, 255},
		{0, 3}: {128, 128, 128, 255}, {5, 3}: {},
	} {
		if got := sheet.RGBAAt(at[0], at[1]); got != want {
			t.Errorf("%v: %v, want %v", at, got, want)
		}
	}
	if _, err := Sheet(nil, 1, 1); err == nil {
		t.Error("no images are drawn")
	}
	if _, err := Sheet([]Image{{Height: 1 << 20, Width: 1 << 20}}, 1, 1); err == nil {
		t.Error("a sheet too large is drawn")
	}
}

func TestWrite(t *testing.T) {
	sheet, err := Sheet([]Image{{Height: 3, Width: 2, Channels: 1, Pixels: []float32{0, 1, 0, 1, 0, 1}}}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for colours, want := range map[bool]string{
		false: " @\n =\n",
		true: "\x1b[38;2;0;0;0;48;2;0;0;0m▀\x1b[38;2;255;255;255;48;2;255;255;255m▀\x1b[0m\n" +
			"\x1b[38;2;0;0;0;48;2;0;0;0m▀\x1b[38;2;255;255;255;48;2;0;0;0m▀\x1b[0m\n",
	} {
		var b strings.Builder
		if err := Write(&b, sheet, colours); err != nil || b.String() != want {
			t.Errorf("%q, want %q", b.String(), want)
		}
	}
}
