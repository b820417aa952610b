package model

import (
	"lockstep/internal/kernel"
	"lockstep/internal/spec"
)

// conv is a convolution or a transposed one with bias and activation. A transposed convolution is the gradient of
// geometry's convolution with respect to its input: it goes from the small image to the large one.
type conv struct {
	base
	geometry     kernel.Conv
	transposed   bool
	kernel, bias int // parameters; bias -1: none
	filters      int
	act          activation
}

// pair is p, or {v, v} if it was not given.
func pair(p spec.Pair, v int) [2]int {
	if p.IsZero() {
		return [2]int{v, v}
	}
	return p
}

// images checks that in is [height, width, channels], and the sizes of a window on it.
func (b *builder) images(in shape, padding string, sizes ...[2]int) error {
	if in.ids || len(in.dims) != 3 {
		return b.needs("[height, width, channels]", in)
	}
	for _, s := range sizes {
		if s[0] < 1 || s[1] < 1 {
			return b.errorf("sizes and strides must be at least 1, not %v", s)
		}
	}
	if padding != "" && padding != "valid" && padding != "same" {
		return b.errorf("unknown padding %q", padding)
	}
	return nil
}

// fits checks that a window without padding is not larger than the image.
func (b *builder) fits(in shape, window, dilation [2]int, padding string) error {
	for i := range 2 {
		if span := (window[i]-1)*dilation[i] + 1; padding != "same" && span > in.dims[i] {
			return b.errorf("its window of %v, dilated by %v, is larger than its input of shape %v", window, dilation, in.dims)
		}
	}
	return nil
}

func buildConv(b *builder, l *spec.Layer, in shape) (layer, error) {
	size, stride, dilation := pair(l.KernelSize, 0), pair(l.Strides, 1), pair(l.Dilation, 1)
	if err := b.images(in, l.Padding, size, stride, dilation); err != nil {
		return nil, err
	}
	if err := b.fits(in, size, dilation, l.Padding); err != nil {
		return nil, err
	}
	groups := max(l.Groups, 1)
	if in.last()%groups != 0 || l.Filters%groups != 0 {
		return nil, b.errorf("%d groups do not divide %d filters and the %d channels of its input of shape %v",
			groups, l.Filters, in.last(), in.dims)
	}
	w := kernel.NewWindow([2]int{in.dims[0], in.dims[1]}, size, stride, dilation, l.Padding == "same")
	c := &conv{base: b.base(in, in.with(w.OutH, w.OutW, l.Filters)), filters: l.Filters,
		geometry: kernel.Conv{Window: w, Channels: in.last(), Filters: l.Filters, Groups: groups}}
	return c, c.parameters(b, l, size[0], size[1], in.last()/groups, l.Filters)
}

func buildConvTransposed(b *builder, l *spec.Layer, in shape) (layer, error) {
	size, stride := pair(l.KernelSize, 0), pair(l.Strides, 1)
	if err := b.images(in, l.Padding, size, stride); err != nil {
		return nil, err
	}
	var large [2]int
	for i := range 2 {
		large[i] = (in.dims[i]-1)*stride[i] + size[i]
		if l.Padding == "same" {
			large[i] = in.dims[i] * stride[i]
		}
	}
	w := kernel.NewWindow(large, size, stride, [2]int{1, 1}, l.Padding == "same")
	c := &conv{base: b.base(in, in.with(large[0], large[1], l.Filters)), filters: l.Filters, transposed: true,
		geometry: kernel.Conv{Window: w, Channels: l.Filters, Filters: in.last(), Groups: 1}}
	return c, c.parameters(b, l, size[0], size[1], l.Filters, in.last())
}

// parameters adds kernel and bias.
func (c *conv) parameters(b *builder, l *spec.Layer, dims ...int) error {
	if l.Filters < 1 {
		return b.errorf("filters is %d, want at least 1", l.Filters)
	}
	init, err := b.initial(l.KernelInitializer, "glorot_uniform", dims...)
	if err != nil {
		return err
	}
	c.kernel = b.param("kernel", init, l.KernelRegularizer, dims...)
	if c.bias, err = b.bias(l, l.Filters); err != nil {
		return err
	}
	c.act, err = b.activation(l.Activation, l, l.Filters)
	return err
}

func (l *conv) newUnit(p *plan) unit {
	u := &convUnit{conv: l, y: p.floats(l.o.size())}
	u.z = u.y
	if l.act.keepsInput() {
		u.z = p.floats(l.o.size())
	}
	p.grad(max(l.in.size(), l.o.size()))
	return u
}

type convUnit struct {
	*conv
	y, z, x []float32 // z is y, if the activation needs no more
}

func (u *convUnit) forward(c *call, x []float32) []float32 {
	u.x = x
	y, z := u.y[:c.n*u.o.size()], u.z[:c.n*u.o.size()]
	if u.transposed {
		kernel.Conv2DGradInput(z, x, c.param(u.kernel), c.n, &u.geometry, c.ws)
	} else {
		kernel.Conv2D(z, x, c.param(u.kernel), c.n, &u.geometry, c.ws)
	}
	var bias []float32
	if u.bias >= 0 {
		bias = c.param(u.bias)
	}
	u.act.biased(y, z, bias)
	return y
}

func (u *convUnit) backward(c *call, dy []float32) []float32 {
	u.act.grad(dy, u.y[:len(dy)], u.z[:len(dy)])
	if u.bias >= 0 {
		biasGrad(c, u.bias, dy)
		c.finish(u.bias)
	}
	if g := c.paramGrad(u.kernel); g != nil && u.transposed {
		kernel.Conv2DGradKernel(g, u.x, dy, c.n, &u.geometry, c.ws)
	} else if g != nil {
		kernel.Conv2DGradKernel(g, dy, u.x, c.n, &u.geometry, c.ws)
	}
	if !u.dx {
		return nil
	}
	c.finish(u.first)
	dx := c.other(dy, c.n*u.in.size())
	if u.transposed {
		kernel.Conv2D(dx, dy, c.param(u.kernel), c.n, &u.geometry, c.ws)
	} else {
		kernel.Conv2DGradInput(dx, dy, c.param(u.kernel), c.n, &u.geometry, c.ws)
	}
	return dx
}
