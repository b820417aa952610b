package dataset

import "math"

// resample fills dst with the pixels of src at the places that from gives, each a weighted sum of the four around it;
// what is outside of the image is a.outside.
func (a *augmentation) resample(dst, src []float32, from func(i, j int) (y, x float64)) {
	for i := range a.height {
		for j := range a.width {
			y, x := from(i, j)
			to := dst[(i*a.width+j)*a.channels:][:a.channels]
			y0, x0 := math.Floor(y), math.Floor(x)
			fy, fx := y-y0, x-x0
			for c := range to {
				top := a.between(src, int(y0), int(x0), c, fx)
				low := a.between(src, int(y0)+1, int(x0), c, fx)
				to[c] = float32(top + float64(fy*(low-top)))
			}
		}
	}
}

// between is a value between two pixels of a row.
func (a *augmentation) between(src []float32, i, j, c int, f float64) float64 {
	left, right := a.pixel(src, i, j, c), a.pixel(src, i, j+1, c)
	return left + float64(f*(right-left))
}

func (a *augmentation) pixel(src []float32, i, j, c int) float64 {
	if i < 0 || j < 0 || i >= a.height || j >= a.width {
		return float64(a.outside[c])
	}
	return float64(src[(i*a.width+j)*a.channels+c])
}

// rotate turns x about its middle.
func (a *augmentation) rotate(x, scratch []float32, angle float64) {
	sin, cos := sinCos(angle)
	my, mx := float64(a.height-1)/2, float64(a.width-1)/2
	copy(scratch, x)
	a.resample(x, scratch, func(i, j int) (float64, float64) {
		dy, dx := float64(i)-my, float64(j)-mx
		return my + (float64(cos*dy) - float64(sin*dx)), mx + (float64(sin*dy) + float64(cos*dx))
	})
}

// stretch makes the part of x that begins at (top, left), a share of each side, as large as x.
func (a *augmentation) stretch(x, scratch []float32, top, left, share float64) {
	copy(scratch, x)
	a.resample(x, scratch, func(i, j int) (float64, float64) {
		y := top + float64((float64(i)+0.5)*share) - 0.5
		z := left + float64((float64(j)+0.5)*share) - 0.5
		return min(max(y, 0), float64(a.height-1)), min(max(z, 0), float64(a.width-1))
	})
}
