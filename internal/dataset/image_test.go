package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lockstep/internal/spec"
)

// tree writes files into folders of a new folder.
func tree(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// greyPNG is a grey image.
func greyPNG(height, width int, v ...byte) []byte {
	m := image.NewGray(image.Rect(0, 0, width, height))
	copy(m.Pix, v)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// pngHeader is a PNG that claims a size and has no pixels.
func pngHeader(height, width uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	b = binary.BigEndian.AppendUint32(b, width)
	b = binary.BigEndian.AppendUint32(b, height)
	b = append(b, 8, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

func folderSpec(dir string) spec.Dataset {
	return spec.Dataset{Format: "image_folder", Source: dir, Image: &spec.Image{ColorMode: "grayscale"}}
}

// The classes are the folders, as numbers if all are; the records follow class by class and by name.
func TestImageFolder(t *testing.T) {
	one := func(v byte) []byte { return greyPNG(1, 2, v, v+1) }
	dir := tree(t, map[string][]byte{
		"train/10/a.png": one(1), "train/9/b.PNG": one(3), "train/9/deep/a.png": one(5), "train/9/.hidden.png": nil, "train/readme.txt": nil,
		"test/9/x.png": one(7),
	})
	d := folderSpec(dir)
	d.Train.File, d.Test = "train", &spec.Files{File: "test"}
	ds := opened(t, d, 1)
	info := ds.Info()
	if !slices.Equal(info.Shape, []int{1, 2, 1}) || !slices.Equal(info.Classes, []string{"9", "10"}) {
		t.Errorf("%+v", info)
	}
	if b := whole(t, ds.Split("train")); !slices.Equal(b.X, []float32{3, 4, 5, 6, 1, 2}) || !slices.Equal(b.Labels, []int32{0, 0, 1}) {
		t.Errorf("%+v", b)
	}
	if file, _ := ds.Split("train").Record(1); file != filepath.Join(dir, "train/9/deep/a.png") {
		t.Error(file)
	}
	if b := whole(t, ds.Split("test")); !slices.Equal(b.X, []float32{7, 8}) || !slices.Equal(b.Labels, []int32{0}) {
		t.Errorf("%+v", b)
	}
	d.Image.ColorMode = "rgb"
	if b := whole(t, opened(t, d, 1).Split("test")); !slices.Equal(b.X, []float32{7, 7, 7, 8, 8, 8}) {
		t.Errorf("%+v", b)
	}
	bare := folderSpec(tree(t, map[string][]byte{"a.png": one(1), "b.png": one(2)}))
	if info := opened(t, bare, 1).Info(); info.Classes != nil || !slices.Equal(info.TargetShape, []int{1, 2, 1}) {
		t.Errorf("%+v", info)
	}
}

func TestImageFolderBad(t *testing.T) {
	good := greyPNG(1, 2, 1, 2)
	for name, c := range map[string]struct {
		files map[string][]byte
		want  string
	}{
		"none":       {map[string][]byte{"a/x.txt": nil}, `read train files: no images in "": want files named .png, .jpg, .jpeg, .gif, .bmp, .webp`},
		"mixed":      {map[string][]byte{"a/x.png": good, "y.png": good}, `read train files: image "y.png" is in no folder, others are: the folder is the class`},
		"text":       {map[string][]byte{"a/x.png": []byte("hello")}, "read train files: a/x.png: not an image: want PNG, JPEG, GIF, BMP or WebP"},
		"truncated":  {map[string][]byte{"a/x.png": good[:len(good)-20]}, "read train files: a/x.png: truncated image"},
		"huge":       {map[string][]byte{"a/x.png": pngHeader(100000, 100000)}, "read train files: a/x.png: a png image of 100000x100000 pixels, over the limit of 67108864"},
		"other size": {map[string][]byte{"a/x.png": good, "a/y.png": greyPNG(2, 2)}, "read train files: a/y.png: 2x2 pixels, but the first image has 1x2: write image: {size: [1, 2]} to resize all"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, c.files)
			refused(t, folderSpec(dir), defaultLimits, dir, c.want)
		})
	}
	dir := tree(t, map[string][]byte{"train/a/x.png": good, "test/b/x.png": good})
	d := folderSpec(dir)
	d.Train.File, d.Test = "train", &spec.Files{File: "test"}
	refused(t, d, defaultLimits, dir, `read test files: folder "b" is not among the classes of the training files: "a"`)
}

// PIL writes every format, greys and resizes: what is lossless agrees exactly, resizing within a rounding of PIL's
// narrower weights, and lossy formats within what their decoders may differ.
func TestPILFiles(t *testing.T) {
	dir := t.TempDir()
	python(t, "numpy, PIL", `
import os, sys, numpy as np
from PIL import Image
d = sys.argv[1]
y, x = np.mgrid[:23, :31]
a = np.stack([(x*8) % 256, (y*11) % 256, ((x+y)*5) % 256], -1).astype("u1")
smooth = np.stack([x*8, y*11, (x+y)*4], -1).astype("u1")
im, sm = Image.fromarray(a), Image.fromarray(smooth)
def save(name, image, **k):
    os.makedirs(d + "/" + name + "/a"); image.save(d + "/" + name + "/a/" + "x." + name, **k)
    image.convert("RGB").tobytes()
save("png", im); save("bmp", im); save("webp", im, lossless=True); save("gif", im.quantize(64)); save("jpg", sm, quality=95, subsampling=0)
np.save(d + "/rgb.npy", a[None]); np.save(d + "/smooth.npy", smooth[None])
np.save(d + "/gif.npy", np.asarray(Image.open(d + "/gif/a/x.gif").convert("RGB"))[None])
np.save(d + "/grey.npy", np.asarray(im.convert("L"))[None])
for h, w in [(8, 8), (40, 64), (23, 10), (7, 31)]:
    np.save(f"{d}/{h}x{w}.npy", np.asarray(im.resize((w, h), Image.BILINEAR))[None])
`, dir)
	read := func(d spec.Dataset) []float32 { return whole(t, opened(t, d, 1).Split("train")).X }
	compare := func(name string, d spec.Dataset, want string, off float32) {
		t.Helper()
		got := read(d)
		expected := read(spec.Dataset{Format: "npy", Source: dir, Train: spec.Files{Images: want + ".npy"}})
		if len(got) != len(expected) {
			t.Fatalf("%s: %d numbers, want %d", name, len(got), len(expected))
		}
		for i := range got {
			if diff := got[i] - expected[i]; diff > off || diff < -off {
				t.Fatalf("%s: number %d is %v, want %v", name, i, got[i], expected[i])
			}
		}
	}
	folder := func(name string, image spec.Image) spec.Dataset {
		return spec.Dataset{Format: "image_folder", Source: filepath.Join(dir, name), Image: &image}
	}
	for _, name := range []string{"png", "bmp", "webp"} {
		compare(name, folder(name, spec.Image{}), "rgb", 0)
	}
	compare("gif", folder("gif", spec.Image{}), "gif", 0)
	compare("jpg", folder("jpg", spec.Image{}), "smooth", 6)
	compare("grey", folder("png", spec.Image{ColorMode: "grayscale"}), "grey", 0)
	for _, size := range [][]int{{8, 8}, {40, 64}, {23, 10}, {7, 31}} {
		compare(fmt.Sprint(size), folder("png", spec.Image{Size: size}), fmt.Sprintf("%dx%d", size[0], size[1]), 1)
	}
}

func TestResizeNearest(t *testing.T) {
	p := &pixels{2, 2, 1, []byte{1, 2, 3, 4}}
	if q := p.nearest(4, 3); !slices.Equal(q.data, []byte{1, 2, 2, 1, 2, 2, 3, 4, 4, 3, 4, 4}) {
		t.Errorf("%v", q.data)
	}
	if q := p.nearest(1, 1); q.data[0] != 4 {
		t.Errorf("%v", q.data)
	}
}

// The digits as images are the digits as a table whose rows come in the same order.
func TestSameFingerprintFromImages(t *testing.T) {
	rows := digitRows(t)[:200]
	slices.SortStableFunc(rows, func(a, b digitRow) int { return int(a.Label - b.Label) })
	files := map[string][]byte{}
	var text strings.Builder
	for i, r := range rows {
		var v []byte
		for _, line := range r.Image {
			for _, x := range line {
				v = append(v, byte(x))
				fmt.Fprintf(&text, "%d,", x)
			}
		}
		fmt.Fprintln(&text, r.Label)
		files[fmt.Sprintf("%d/%04d.png", r.Label, i)] = greyPNG(8, 8, v...)
	}
	table := digitsSpec()
	table.Source = folder(t, map[string][]byte{"digits.csv.gz": []byte(text.String())})
	images := folderSpec(tree(t, files))
	images.Split = table.Split
	if got, want := opened(t, images, 42).Info().Fingerprint, opened(t, table, 42).Info().Fingerprint; got != want {
		t.Errorf("fingerprint %x, want %x", got, want)
	}
}

// FuzzImage decodes any file, and resizes what it decodes.
func FuzzImage(f *testing.F) {
	f.Add(greyPNG(2, 3, 1, 2, 3, 4, 5, 6))
	f.Add(pngHeader(100000, 100000))
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8L"))
	f.Add([]byte("BM"))
	f.Add([]byte("\xff\xd8\xff\xe0"))
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := tree(t, map[string][]byte{"a/x.png": content})
		d := folderSpec(dir)
		d.Image.Size = []int{3, 5}
		ds, err := open(t.Context(), d, 1, limits{total: 4096, record: 1 << 16, values: 16})
		var e *RecordError
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		if b := whole(t, ds.Split("train")); len(b.X) != 15 {
			t.Fatalf("%d numbers", len(b.X))
		}
	})
}
