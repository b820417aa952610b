package model

import (
	"math"

	"lockstep/internal/kernel"
	"lockstep/internal/spec"
)

// batchNorm is batch normalisation (Ioffe and Szegedy 2015) over the last axis:
//
//	y = gamma * (x - mean) / sqrt(variance + epsilon) + beta
//
// In training, mean and (biased) variance are those of the micro-batch over all other axes, and go into the moving
// statistics. Otherwise, and if the layer is frozen, they are the moving ones.
type batchNorm struct {
	base
	gamma, beta     int // parameters
	movMean, movVar int // parameters: the moving statistics
	epsilon         float64
	width           int
	frozen          bool
}

// The defaults of batch_norm and layer_norm, Keras'.
const (
	defaultEpsilon  = 1e-3
	defaultMomentum = 0.99
)

func orDefault(v, other float64) float64 {
	if v == 0 {
		return other
	}
	return v
}

func buildBatchNorm(b *builder, l *spec.Layer, in shape) (layer, error) {
	if in.ids || len(in.dims) == 0 {
		return nil, b.needs("[..., channels]", in)
	}
	momentum, n := defaultMomentum, in.last()
	if l.Momentum != nil {
		momentum = *l.Momentum
	}
	zeros, ones := initializer{kind: "zeros"}, initializer{kind: "ones"}
	d := &batchNorm{base: b.base(in, in), epsilon: orDefault(l.Epsilon, defaultEpsilon), width: n, frozen: b.frozen}
	d.gamma = b.param("gamma", ones, nil, n)
	d.beta = b.param("beta", zeros, nil, n)
	d.movMean = b.moving("moving_mean", zeros, momentum, n)
	d.movVar = b.moving("moving_variance", ones, momentum, n)
	return d, nil
}

func (l *batchNorm) newUnit(p *plan) unit {
	w := l.width
	f, s := make([]float32, 5*w), make([]float64, 4*w)
	p.grad(l.in.size())
	return &batchNormUnit{batchNorm: l, y: p.floats(l.in.size()), mu: f[:w], scale: f[w : 2*w], a: f[2*w : 3*w],
		b: f[3*w : 4*w], c: f[4*w:], mean: s[:w], variance: s[w : 2*w], sumDy: s[2*w : 3*w], sumDyX: s[3*w:]}
}

type batchNormUnit struct {
	*batchNorm
	x, y           []float32
	mu, scale      []float32 // mean and gamma/deviation
	a, b, c        []float32 // factors of the gradient
	mean, variance []float64
	sumDy, sumDyX  []float64
	batch          bool // statistics are the batch's
}

func (u *batchNormUnit) forward(c *call, x []float32) []float32 {
	u.x, u.batch = x, c.train && !u.frozen
	if u.batch {
		u.measure(x)
	} else {
		for j, v := range c.param(u.movMean) {
			u.mean[j], u.variance[j] = float64(v), float64(c.param(u.movVar)[j])
		}
	}
	gamma, y := c.param(u.gamma), u.y[:len(x)]
	for j, v := range u.variance {
		u.mu[j] = float32(u.mean[j])
		u.scale[j] = float32(float64(gamma[j]) / math.Sqrt(v+u.epsilon))
	}
	kernel.Normalize(y, x, u.mu, u.scale, c.param(u.beta))
	return y
}

// measure takes mean and variance of the rows of x, in two passes.
func (u *batchNormUnit) measure(x []float32) {
	rows := float64(len(x) / u.width)
	clear(u.mean)
	clear(u.variance)
	kernel.ColumnSums(u.mean, x)
	for j := range u.mean {
		u.mean[j] /= rows
	}
	kernel.ColumnSquares(u.variance, x, u.mean)
	for j := range u.variance {
		u.variance[j] /= rows
	}
}

// backward: with xhat = (x-mean)/deviation and m rows,
//
//	dgamma = sum(dy*xhat), dbeta = sum(dy), dx = gamma/deviation * (dy - dbeta/m - xhat*dgamma/m)
//
// The last two terms are there only if mean and deviation came from the batch.
func (u *batchNormUnit) backward(c *call, dy []float32) []float32 {
	clear(u.sumDy)
	clear(u.sumDyX)
	kernel.ColumnSums(u.sumDy, dy)
	kernel.ColumnDots(u.sumDyX, dy, u.x)
	rows := float64(len(dy) / u.width)
	dgamma, dbeta := c.paramGrad(u.gamma), c.paramGrad(u.beta)
	for j, scale := range u.scale {
		inverse := 1 / math.Sqrt(u.variance[j]+u.epsilon)
		sum := inverse * (u.sumDyX[j] - float64(u.mean[j]*u.sumDy[j])) // of dy*xhat
		if dgamma != nil {
			dgamma[j], dbeta[j] = float32(sum), float32(u.sumDy[j])
		}
		u.a[j], u.b[j], u.c[j] = scale, 0, 0
		if u.batch {
			u.b[j] = float32(-float64(scale) * inverse * sum / rows)
			u.c[j] = float32(-float64(scale) * u.sumDy[j] / rows)
		}
	}
	if u.batch {
		u.report(c)
	}
	if !u.dx {
		return nil
	}
	kernel.NormalizeGrad(dy, dy, u.x, u.mu, u.a, u.b, u.c)
	return dy
}

// report writes the batch statistics, times the batch's weight, in the place of the moving ones' gradients.
func (u *batchNormUnit) report(c *call) {
	mean, variance := c.paramGrad(u.movMean), c.paramGrad(u.movVar)
	for j, m := range u.mean {
		mean[j] = float32(m) * c.weight
		variance[j] = float32(u.variance[j]) * c.weight
	}
}
