package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"lockstep/internal/rng"
	"lockstep/internal/spec"
)

// augmentation changes the images of the training split at random.
type augmentation struct {
	seed                    uint64
	list                    []spec.Preprocessor
	height, width, channels int
	outside                 []float32 // a pixel from outside the image
	scratch                 sync.Pool // of *[]float32, for an image each
	mixup                   *mixup    // the last of the list; nil: none
}

// augmentation checks what the specification asks for against the records; nil if that is nothing.
func (b *builder) augmentation(seed uint64) (*augmentation, error) {
	list := b.spec.Augmentation
	if len(list) == 0 {
		return nil, nil
	}
	a := &augmentation{seed: seed, list: list}
	if b.info.Integer {
		return nil, fmt.Errorf("augmentation %s: it needs numbers, the records are ids", list[0].Type)
	}
	if len(b.info.Shape) == 3 {
		a.height, a.width, a.channels = b.info.Shape[0], b.info.Shape[1], b.info.Shape[2]
		size := a.height * a.width * a.channels
		a.scratch.New = func() any { s := make([]float32, size); return &s }
	}
	for c := range a.channels {
		a.outside = append(a.outside, float32(b.steps.apply(0, c)))
	}
	for k, p := range list {
		if p.Type != "gaussian_noise" && p.Type != "mixup" && a.channels == 0 {
			return nil, fmt.Errorf("augmentation %s: it needs images of [height, width, channels], the records have shape %v", p.Type, b.info.Shape)
		}
		switch p.Type {
		case "random_flip", "random_rotation", "random_resized_crop", "gaussian_noise":
		case "mixup":
			if k != len(list)-1 {
				return nil, errors.New("augmentation mixup: it mixes what the others made of two records: write it last")
			}
			a.mixup = newMixup(p.Alpha, k)
		case "random_crop":
			if p.Pixels < 1 || p.Pixels >= min(a.height, a.width) {
				return nil, fmt.Errorf("augmentation random_crop: images of %dx%d pixels cannot be moved by up to %d", a.height, a.width, p.Pixels)
			}
		default:
			return nil, fmt.Errorf("augmentation %q is not supported yet", p.Type)
		}
	}
	return a, nil
}

// apply augments record r of the training split in an epoch.
func (a *augmentation) apply(x []float32, epoch, r int) {
	for k := range a.list {
		p := &a.list[k]
		s := rng.New(a.seed, rng.Augment, uint64(epoch), uint64(r), uint64(k))
		switch p.Type {
		case "random_flip":
			if p.Horizontal && s.Uint32()&1 == 1 {
				a.mirror(x)
			}
			if p.Vertical && s.Uint32()&1 == 1 {
				a.turnOver(x)
			}
		case "random_crop":
			dy := s.IntN(2*p.Pixels+1) - p.Pixels
			a.move(x, dy, s.IntN(2*p.Pixels+1)-p.Pixels)
		case "random_rotation":
			scratch := a.scratch.Get().(*[]float32)
			a.rotate(x, *scratch, (2*s.Float64()-1)*p.Degrees*(math.Pi/180))
			a.scratch.Put(scratch)
		case "random_resized_crop":
			scratch := a.scratch.Get().(*[]float32)
			share := p.Scale + float64((1-p.Scale)*s.Float64())
			top := float64(a.height) * (1 - share) * s.Float64()
			a.stretch(x, *scratch, top, float64(a.width)*(1-share)*s.Float64(), share)
			a.scratch.Put(scratch)
		case "gaussian_noise":
			addNoise(x, p.Stddev, &s)
		}
	}
}

// addNoise: x[i] += stddev * a normal number.
func addNoise(x []float32, stddev float64, s *rng.Stream) {
	for i := 0; i < len(x); i += 2 {
		u, v := normals(s)
		x[i] = float32(float64(x[i]) + float64(stddev*u))
		if i+1 < len(x) {
			x[i+1] = float32(float64(x[i+1]) + float64(stddev*v))
		}
	}
}

// mirror: x[i,j,c], x[i,width-1-j,c] = x[i,width-1-j,c], x[i,j,c].
func (a *augmentation) mirror(x []float32) {
	c := a.channels
	for row := range slices.Chunk(x, a.width*c) {
		for j, k := 0, (a.width-1)*c; j < k; j, k = j+c, k-c {
			swap(row[j:j+c], row[k:k+c])
		}
	}
}

// turnOver: x[i,j,c], x[height-1-i,j,c] = x[height-1-i,j,c], x[i,j,c].
func (a *augmentation) turnOver(x []float32) {
	n := a.width * a.channels
	for i, k := 0, (a.height-1)*n; i < k; i, k = i+n, k-n {
		swap(x[i:i+n], x[k:k+n])
	}
}

func swap(a, b []float32) {
	for i, v := range a {
		a[i], b[i] = b[i], v
	}
}

// move: x[i,j,c] = x[i-dy,j-dx,c], or outside[c] where that is not in the image.
func (a *augmentation) move(x []float32, dy, dx int) {
	c, n := a.channels, a.width*a.channels
	if dx != 0 {
		for i := range a.height {
			shift(x[i*n:(i+1)*n], dx*c, a.outside)
		}
	}
	shift(x, dy*n, a.outside)
}

// shift moves x by d places, up if d is positive, and fills the places that become free with copies of pixel.
func shift(x []float32, d int, pixel []float32) {
	var free []float32
	if d >= 0 {
		copy(x[d:], x)
		free = x[:d]
	} else {
		copy(x, x[-d:])
		free = x[len(x)+d:]
	}
	for i := range free {
		free[i] = pixel[i%len(pixel)]
	}
}
