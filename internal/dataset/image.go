package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"strings"

	// The formats.
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/webp"
)

// maxPixels is the size of an image above which it is not decoded.
const maxPixels = 1 << 26

// decode reads an image file: height x width pixels of a byte for each channel. Its header is judged before memory is
// taken for its pixels.
func (r *folderReader) decode(ctx context.Context, name string, file *string) ([]byte, error) {
	f, err := r.src.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	*file = f.Name()
	fault := func(err error) error { return &RecordError{File: f.Name(), Err: err} }
	if f.Size() > r.lim.record {
		return nil, fault(fmt.Errorf("%d bytes, over the limit of %d", f.Size(), r.lim.record))
	}
	content, err := io.ReadAll(io.LimitReader(f, r.lim.record+1))
	if err != nil {
		return nil, fault(err)
	}
	if int64(len(content)) > r.lim.record {
		return nil, fault(fmt.Errorf("over the limit of %d bytes", r.lim.record))
	}
	p, err := decodeImage(content, r.lim)
	if err != nil {
		return nil, fault(err)
	}
	if r.size == [2]int{} {
		r.size = [2]int{p.height, p.width}
	}
	if got := [2]int{p.height, p.width}; r.image.Size == nil && got != r.size {
		return nil, fault(fmt.Errorf("%dx%d pixels, but the first image has %dx%d: write image: {size: [%[3]d, %[4]d]} to resize all", got[0], got[1], r.size[0], r.size[1]))
	}
	if int64(r.size[0])*int64(r.size[1])*3 > r.lim.record/4 {
		return nil, fault(fmt.Errorf("records of %dx%d pixels, over the limit of %d numbers", r.size[0], r.size[1], r.lim.record/4))
	}
	return p.sized(r.size, r.channels(), r.image.Interpolation).data, nil
}

// sized is an image of a model's size and channels: one of three colours may become grey.
func (p *pixels) sized(size [2]int, channels int, interpolation string) *pixels {
	if channels == 1 {
		p = p.grey()
	}
	if interpolation == "nearest" {
		return p.nearest(size[0], size[1])
	}
	return p.resize(size[0], size[1])
}

// decodeImage decodes an image of any format: of an animation the first frame, without transparency.
func decodeImage(content []byte, lim limits) (_ *pixels, err error) {
	head, format, err := image.DecodeConfig(bytes.NewReader(content))
	if errors.Is(err, image.ErrFormat) {
		return nil, errors.New("not an image: want PNG, JPEG, GIF, BMP or WebP")
	}
	if err != nil {
		return nil, imageError(err)
	}
	if most := min(maxPixels, lim.record/3); head.Width < 1 || head.Height < 1 || int64(head.Height) > most/int64(head.Width) {
		return nil, fmt.Errorf("a %s image of %dx%d pixels, over the limit of %d", format, head.Height, head.Width, most)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged %s image: %v", format, p)
		}
	}()
	m, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, imageError(err)
	}
	return pixelsOf(m, head.Height, head.Width), nil
}

func imageError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || strings.Contains(err.Error(), "unexpected EOF") { // some formats keep only its text
		return errors.New("truncated image")
	}
	return err
}

// pixels are an image of bytes, channels last.
type pixels struct {
	height, width, channels int
	data                    []byte
}

func newPixels(height, width, channels int) *pixels {
	return &pixels{height, width, channels, make([]byte, height*width*channels)}
}

// pixelsOf takes the colours of m, which may cover a part of the image only.
func pixelsOf(m image.Image, height, width int) *pixels {
	p := newPixels(height, width, 3)
	b := m.Bounds().Intersect(image.Rect(0, 0, width, height))
	grey, _ := m.(*image.Gray)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			to := p.data[(y*width+x)*3:]
			if grey != nil {
				v := grey.GrayAt(x, y).Y
				to[0], to[1], to[2] = v, v, v
				continue
			}
			c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			to[0], to[1], to[2] = c.R, c.G, c.B
		}
	}
	return p
}

// grey is the luma of ITU-R BT.601 in 16-bit fixed point, as PIL computes it; grey stays as it is.
func (p *pixels) grey() *pixels {
	g := newPixels(p.height, p.width, 1)
	for i := range g.data {
		c := p.data[3*i:]
		g.data[i] = byte((19595*uint32(c[0]) + 38470*uint32(c[1]) + 7471*uint32(c[2]) + 1<<15) >> 16)
	}
	return g
}

// nearest takes the pixel in which each new pixel's middle lies.
func (p *pixels) nearest(height, width int) *pixels {
	q := newPixels(height, width, p.channels)
	for i := range height {
		for j := range width {
			y, x := (2*i+1)*p.height/(2*height), (2*j+1)*p.width/(2*width)
			copy(q.data[(i*width+j)*p.channels:][:p.channels], p.data[(y*p.width+x)*p.channels:])
		}
	}
	return q
}

// resize weighs pixels by a triangle as wide as a new pixel or an old one, whichever is larger, along rows and then along
// columns, rounding after each. It is PIL's BILINEAR, in whole numbers: no bit depends on the machine.
func (p *pixels) resize(height, width int) *pixels {
	if width != p.width {
		q := newPixels(p.height, width, p.channels)
		for i := range p.height {
			scale(q.data[i*width*p.channels:], p.data[i*p.width*p.channels:], width, p.width, p.channels, p.channels)
		}
		p = q
	}
	if height != p.height {
		q := newPixels(height, p.width, p.channels)
		for j := range p.width {
			scale(q.data[j*p.channels:], p.data[j*p.channels:], height, p.height, p.channels, p.width*p.channels)
		}
		p = q
	}
	return p
}

// scale resizes one line of n pixels to m, which are step apart in both.
//
//	dst[i] = sum_j w_ij*src[j] / sum_j w_ij,  w_ij = max(0, 2*max(n,m) - |(2j+1)*m - (2i+1)*n|)
func scale(dst, src []byte, m, n, channels, step int) {
	wide := 2 * max(n, m)
	for i := range m {
		first := max(0, ((2*i+1)*n-wide)/m/2-1)
		var sums [3]uint64
		total := uint64(0)
		for j := first; j < n; j++ {
			far := (2*j+1)*m - (2*i+1)*n
			if far >= wide {
				break
			}
			w := uint64(max(0, wide-max(far, -far)))
			total += w
			for c := range channels {
				sums[c] += w * uint64(src[j*step+c])
			}
		}
		for c := range channels {
			dst[i*step+c] = byte((2*sums[c] + total) / (2 * total))
		}
	}
}
