package kernel

import (
	"math"
	"testing"
)

func sigmoid64(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func geluArg64(x float64) float64 { return math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x) }

const testSlope, testAlpha = 0.3, 1.5

// activations are functions and derivatives in float64 beside the kernels. fromY marks gradients that take y.
var activations = []struct {
	name  string
	value func(dst, x []float32)
	grad  func(dst, dy, x []float32)
	fromY bool
	f, df func(x float64) float64
}{
	{"relu", Relu, ReluGrad, true, func(x float64) float64 { return max(x, 0) },
		func(x float64) float64 { return step(x, 1, 0) }},
	{"leaky_relu", func(dst, x []float32) { LeakyRelu(dst, x, testSlope) },
		func(dst, dy, x []float32) { LeakyReluGrad(dst, dy, x, testSlope) }, false,
		func(x float64) float64 { return x * step(x, 1, testSlope) }, func(x float64) float64 { return step(x, 1, testSlope) }},
	{"elu", func(dst, x []float32) { Elu(dst, x, testAlpha) },
		func(dst, dy, x []float32) { EluGrad(dst, dy, x, testAlpha) }, false,
		func(x float64) float64 { return step(x, x, testAlpha*math.Expm1(x)) },
		func(x float64) float64 { return step(x, 1, testAlpha*math.Exp(x)) }},
	{"gelu", Gelu, GeluGrad, false, func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) },
		func(x float64) float64 {
			return math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
		}},
	{"gelu_tanh", GeluTanh, GeluTanhGrad, false, func(x float64) float64 { return x / 2 * (1 + math.Tanh(geluArg64(x))) },
		func(x float64) float64 {
			t := math.Tanh(geluArg64(x))
			return (1+t)/2 + x/2*(1-t*t)*math.Sqrt(2/math.Pi)*(1+3*0.044715*x*x)
		}},
	{"silu", Silu, SiluGrad, false, func(x float64) float64 { return x * sigmoid64(x) },
		func(x float64) float64 { return sigmoid64(x) * (1 + x*(1-sigmoid64(x))) }},
	{"sigmoid", Sigmoid, SigmoidGrad, true, sigmoid64, func(x float64) float64 { return sigmoid64(x) * sigmoid64(-x) }},
	{"tanh", Tanh, TanhGrad, true, math.Tanh, func(x float64) float64 { return 1 / math.Pow(math.Cosh(x), 2) }},
	{"softplus", Softplus, SoftplusGrad, false, softplus64, sigmoid64},
}

// step is a for positive x, else b.
func step(x, a, b float64) float64 {
	if x > 0 {
		return a
	}
	return b
}

func TestActivations(t *testing.T) {
	x := []float32{0, 1e-8, -1e-8, 30, -30, 100, -100}
	for v := float32(-12); v <= 12; v += 0.0371 {
		x = append(x, v)
	}
	y, d, one := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(x))
	for i := range one {
		one[i] = 1
	}
	for _, a := range activations {
		a.value(y, x)
		if a.fromY {
			a.grad(d, one, y)
		} else {
			a.grad(d, one, x)
		}
		for i, v := range x {
			near(t, a.name, y[i], a.f(float64(v)), 1e-5, 5e-7)
			near(t, a.name+" gradient", d[i], a.df(float64(v)), 1e-5, 5e-7)
		}
	}
}

func TestSoftmax(t *testing.T) {
	const rows = 3
	for _, n := range []int{1, 7, 8, 10, 64, 100} {
		x, dy := random(rows*n, 1), random(rows*n, 2)
		y, logY, d, logD := make([]float32, rows*n), make([]float32, rows*n), make([]float32, rows*n), make([]float32, rows*n)
		Softmax(y, x, n)
		LogSoftmax(logY, x, n)
		SoftmaxGrad(d, dy, y, n)
		LogSoftmaxGrad(logD, dy, logY, n)
		for r := range rows {
			var sum, dot, sumDy float64
			for j := r * n; j < (r+1)*n; j++ {
				sum += math.Exp(float64(x[j]))
			}
			for j := r * n; j < (r+1)*n; j++ {
				dot += math.Exp(float64(x[j])) / sum * float64(dy[j])
				sumDy += float64(dy[j])
			}
			for j := r * n; j < (r+1)*n; j++ {
				p := math.Exp(float64(x[j])) / sum
				near(t, "Softmax", y[j], p, 1e-5, 5e-7)
				near(t, "LogSoftmax", logY[j], math.Log(p), 1e-5, 5e-7)
				near(t, "SoftmaxGrad", d[j], p*(float64(dy[j])-dot), 1e-5, 5e-6) // dy is up to 16
				near(t, "LogSoftmaxGrad", logD[j], float64(dy[j])-p*sumDy, 1e-5, 5e-5)
			}
		}
	}
}
