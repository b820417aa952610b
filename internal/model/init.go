package model

import (
	"fmt"
	"math"

	"lockstep/internal/kernel/f64"
	"lockstep/internal/rng"
)

// initializer says how a parameter starts. Definitions are Keras': the fans of a kernel are its last two axes, times
// the area of a window.
type initializer struct {
	kind          string
	fanIn, fanOut int
	cols          int // of the matrix that orthogonal makes
}

// The initialisers without a size of their own.
const (
	defaultSpread = 0.05 // uniform: the limit; normal: the standard deviation
	// truncation is the standard deviation of a normal variable that is drawn again outside two deviations.
	truncation = 0.87962566103423978
)

// initial makes the initializer kind, or other if none is given, of a tensor with these dimensions.
func (b *builder) initial(kind, other string, dims ...int) (initializer, error) {
	if kind == "" {
		kind = other
	}
	switch kind {
	case "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal", "orthogonal", "zeros", "ones",
		"normal", "uniform":
	default:
		return initializer{}, b.errorf("unknown initializer %q", kind)
	}
	in := initializer{kind: kind, fanIn: dims[0], fanOut: dims[len(dims)-1], cols: dims[len(dims)-1]}
	if n := len(dims); n >= 2 {
		window := volume(dims[:n-2])
		in.fanIn, in.fanOut = window*dims[n-2], window*dims[n-1]
	}
	return in, nil
}

// Init fills dst (Size floats) with the network's initial parameters. Parameter i takes its values in row-major order
// from the stream rng.New(seed, rng.Weights, i, 0, 0), computed in float64 and rounded once:
//
//	zeros, ones                     no randomness
//	uniform, glorot_, he_uniform    limit*(2u-1), u = Stream.Float64
//	normal, *_normal                deviation*z, z by the polar method from pairs of Float64, both of a pair used;
//	                                all but normal draw again where |z| > 2 and divide by that distribution's deviation
//	orthogonal                      rows (or columns, if they are fewer) of z, orthonormalised in order
//
// limit and deviation are those of Glorot and Bengio (2010), He et al. (2015), LeCun et al. (1998), as Keras has them;
// 0.05 for uniform and normal.
func (n *Network) Init(dst []float32, seed uint64) {
	clear(dst)
	for i, p := range n.params {
		s := rng.New(seed, rng.Weights, uint64(i), 0, 0)
		n.inits[i].fill(dst[p.Off:p.Off+p.Len], &s)
	}
}

func (in initializer) fill(dst []float32, s *rng.Stream) {
	mean, a, b := float64(in.fanIn+in.fanOut)/2, float64(in.fanIn), normal{s: s}
	switch in.kind {
	case "ones":
		for i := range dst {
			dst[i] = 1
		}
	case "uniform":
		uniform(dst, s, defaultSpread)
	case "glorot_uniform":
		uniform(dst, s, math.Sqrt(3/mean))
	case "he_uniform":
		uniform(dst, s, math.Sqrt(6/a))
	case "normal":
		for i := range dst {
			dst[i] = float32(defaultSpread * b.next())
		}
	case "glorot_normal":
		b.truncated(dst, math.Sqrt(1/mean))
	case "he_normal":
		b.truncated(dst, math.Sqrt(2/a))
	case "lecun_normal":
		b.truncated(dst, math.Sqrt(1/a))
	case "orthogonal":
		orthogonal(dst, len(dst)/in.cols, in.cols, &b)
	case "zeros":
	default:
		panic(fmt.Sprintf("model: initializer %q", in.kind))
	}
}

func uniform(dst []float32, s *rng.Stream, limit float64) {
	for i := range dst {
		dst[i] = float32(limit * (2*s.Float64() - 1))
	}
}

// normal draws standard normal variables (Marsaglia's polar method).
type normal struct {
	s     *rng.Stream
	spare float64
	have  bool
}

func (g *normal) next() float64 {
	if g.have {
		g.have = false
		return g.spare
	}
	for {
		u, v := 2*g.s.Float64()-1, 2*g.s.Float64()-1
		q := float64(u*u) + float64(v*v)
		if q > 0 && q < 1 {
			f := math.Sqrt(-2 * f64.Log(q) / q)
			g.spare, g.have = v*f, true
			return u * f
		}
	}
}

// truncated fills dst with variables of the given deviation, none beyond two of the underlying normal's.
func (g *normal) truncated(dst []float32, deviation float64) {
	deviation /= truncation
	for i := range dst {
		z := g.next()
		for z > 2 || z < -2 {
			z = g.next()
		}
		dst[i] = float32(deviation * z)
	}
}

// orthogonal fills the rows x cols matrix dst with orthonormal rows, or columns if they are fewer: normal vectors, each
// freed twice of its components along those before it (Gram and Schmidt) and scaled to length 1.
func orthogonal(dst []float32, rows, cols int, g *normal) {
	n, length := rows, cols
	if rows > cols {
		n, length = cols, rows
	}
	q := make([]float64, n*length)
	for i := range q {
		q[i] = g.next()
	}
	for i := range n {
		v := q[i*length : (i+1)*length]
		for k := range 2 * i {
			e := q[k%i*length : (k%i+1)*length]
			along := product(v, e)
			for j := range v {
				v[j] -= float64(along * e[j])
			}
		}
		norm := math.Sqrt(product(v, v))
		for j := range v {
			v[j] /= norm
		}
	}
	for i := range n {
		for j := range length {
			at := i*cols + j
			if rows > cols {
				at = j*cols + i
			}
			dst[at] = float32(q[i*length+j])
		}
	}
}

// product is the sum of a[i]*b[i], in order.
func product(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += float64(v * b[i])
	}
	return s
}
